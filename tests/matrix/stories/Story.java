import com.telnyx.sdk.ApiClient;
import com.telnyx.sdk.ApiException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import javax.ws.rs.ProcessingException;
import javax.ws.rs.core.GenericType;

/**
 * The newest Java SDK of Telnyx on Maven Central is older than voice clones: the story uses the
 * client that all of its APIs share. It uploads only PDF files, so voices are cloned from a design;
 * and it does not retry, so the story does.
 */
class Story {
  private static final ApiClient CLIENT =
      new ApiClient().setBasePath(System.getenv("MOCKVOICE_URL") + "/telnyx/v2");

  private static Map<String, Object> send(String method, String path, Object body, int attempt)
      throws ApiException {
    var type = new GenericType<Map<String, Object>>() {};
    return CLIENT
        .invokeAPI(
            "VoiceClones",
            path,
            method,
            List.of(),
            body,
            Map.of("x-stainless-retry-count", String.valueOf(attempt)),
            Map.of(),
            Map.of(),
            "application/json",
            "application/json",
            new String[] {"bearerAuth"},
            method.equals("DELETE") ? null : type,
            false)
        .getData();
  }

  private static String create(String gender) throws ApiException {
    var design = "550e8400-e29b-41d4-a716-446655440000";
    var body =
        Map.of("name", "narrator", "voice_design_id", design, "language", "en", "gender", gender);
    var data = (Map<?, ?>) send("POST", "/voice_clones", body, 0).get("data");
    return (String) data.get("id");
  }

  private static List<Object> ids(int attempt) throws ApiException {
    var data = (List<?>) send("GET", "/voice_clones", null, attempt).get("data");
    return new ArrayList<>(data.stream().map(clone -> ((Map<?, ?>) clone).get("id")).toList());
  }

  private static List<Object> idsWithRetries() throws ApiException {
    for (var attempt = 0; attempt < 2; attempt++) {
      try {
        return ids(attempt);
      } catch (ProcessingException | ApiException error) {
        check(!(error instanceof ApiException e) || e.getCode() == 429, error);
      }
    }
    return ids(2);
  }

  private static ApiException failure(int status, Callable<?> call) throws Exception {
    try {
      throw new AssertionError("no " + status + ": " + call.call());
    } catch (ApiException error) {
      check(error.getCode() == status, error);
      return error;
    }
  }

  private static void check(boolean condition, Object found) {
    if (!condition) throw new AssertionError(found);
  }

  public static void main(String[] arguments) throws Exception {
    CLIENT.setBearerToken("KEY");
    var id = create("male");
    System.out.println("clone");
    check(ids(0).equals(List.of(id)), id);
    System.out.println("list");
    send("DELETE", "/voice_clones/" + id, null, 0);
    System.out.println("delete");
    failure(404, () -> send("DELETE", "/voice_clones/" + id, null, 0));
    System.out.println("unknown");
    var invalid = failure(422, () -> create("loud"));
    check(invalid.getResponseBody().contains("/gender"), invalid.getResponseBody());
    System.out.println("invalid");
    check(idsWithRetries().isEmpty(), "clones are left");
    System.out.println("retry");
  }
}
