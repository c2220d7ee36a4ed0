import java.net.HttpURLConnection
import java.net.URL
import org.junit.jupiter.api.extension.BeforeEachCallback
import org.junit.jupiter.api.extension.ExtensionContext

/** Resets the mock before each test. */
class FreshSandbox : BeforeEachCallback {
    override fun beforeEach(context: ExtensionContext) {
        val request = URL(System.getenv("MOCKVOICE_RESET")).openConnection() as HttpURLConnection
        request.requestMethod = "POST"
        check(request.responseCode == 204) { "reset: ${request.responseCode}" }
    }
}
