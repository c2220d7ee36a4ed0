// The control API, of one sandbox or of all of them.

const MARK = "/__mockvoice/";
const root = location.pathname.slice(0, location.pathname.indexOf(MARK));
// The page below /~NAME shows that sandbox first.
export const initialSandbox = /^\/~([^/]+)$/.exec(root)?.[1] ?? "";
export const origin = location.origin;
const TOKEN = "mockvoice-control-token";

/** Return the URL of a path of the control API of a sandbox. */
export function url(sandbox, path) {
  return `${sandboxUrl(sandbox)}${MARK}${path}`;
}

/** Return the URL that precedes the base paths of the providers. */
export function sandboxUrl(sandbox) {
  return sandbox ? `${origin}/~${encodeURIComponent(sandbox)}` : origin;
}

/** Send a request with the control token; ask for the token if the server requires another. */
export async function send(sandbox, path, options = {}) {
  for (;;) {
    const token = sessionStorage.getItem(TOKEN);
    const headers = { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
    const response = await fetch(url(sandbox, path), { ...options, headers, cache: "no-store" });
    if (response.status === 401) {
      await askForToken();
      continue;
    }
    if (!response.ok) throw new Error(await detail(response));
    return response;
  }
}

/** Return the JSON of a response. */
export async function get(sandbox, path) {
  return (await send(sandbox, path)).json();
}

/** Send JSON; return the JSON of the response, or null if it has none. */
export async function post(sandbox, path, body, method = "POST") {
  const options = { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const response = await send(sandbox, path, options);
  return response.status === 204 ? null : response.json();
}

/** Delete what a path addresses. */
export async function remove(sandbox, path) {
  await send(sandbox, path, { method: "DELETE" });
}

/** Call `onEvent(name, data)` for each event, and connect again when the connection breaks. */
export async function follow(onEvent, onState) {
  let last = 0;
  let retry = 500;
  for (;;) {
    try {
      const response = await send("", `events?sandbox=*&after=${last}`);
      onState(true);
      retry = 500;
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        text += value;
        const blocks = text.split("\n\n");
        text = blocks.pop();
        for (const block of blocks) {
          const fields = Object.fromEntries(block.split("\n").filter((line) => line[0] !== ":").map(field));
          if (fields.id) last = Number(fields.id);
          if (fields.data) onEvent(fields.event, JSON.parse(fields.data));
        }
      }
    } catch (error) {
      onState(false, error.message);
    }
    onState(false, "The server closed the connection.");
    await new Promise((resolve) => setTimeout(resolve, retry));
    // A server that restarted counts from 1 again.
    const known = await get("", "sandboxes").catch(() => null);
    if (known && known.sandboxes.every((sandbox) => sandbox.requests === 0)) last = 0;
    retry = Math.min(retry * 2, 8000);
  }
}

function field(line) {
  const colon = line.indexOf(": ");
  return [line.slice(0, colon), line.slice(colon + 2)];
}

async function detail(response) {
  const problem = await response.json().catch(() => ({}));
  return problem.detail || problem.title || `The server responded with ${response.status}.`;
}

let asking = null;

/** Show one dialog, however many requests need the token. */
function askForToken() {
  asking ??= new Promise((resolve) => {
    const dialog = document.createElement("dialog");
    const label = document.createElement("label");
    const input = document.createElement("input");
    const button = document.createElement("button");
    label.append("Control token", input);
    input.type = "password";
    input.autocomplete = "off";
    button.textContent = "Continue";
    button.className = "primary";
    const save = () => {
      sessionStorage.setItem(TOKEN, input.value.trim());
      dialog.close();
    };
    button.addEventListener("click", save);
    input.addEventListener("keydown", (event) => event.key === "Enter" && save());
    dialog.addEventListener("close", () => {
      dialog.remove();
      asking = null;
      resolve();
    });
    dialog.append(label, button);
    document.body.append(dialog);
    dialog.showModal();
  });
  return asking;
}
