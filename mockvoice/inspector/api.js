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
      await askForToken(Boolean(token) && token === sessionStorage.getItem(TOKEN));
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

/** Save a file of the control API, which a link could not get without the token. */
export async function download(sandbox, path, filename) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await (await send(sandbox, path)).blob());
  link.download = filename;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

const SILENCE = 40_000; // milliseconds; the server sends a heartbeat every 15 seconds

/** Call `onEvent(name, data)` for each event, and connect again when the connection breaks. */
export async function follow(onEvent, onState) {
  let last = 0;
  let retry = 500;
  for (;;) {
    const stop = new AbortController();
    let silence = 0;
    const scheduleTimeout = () => {
      clearTimeout(silence);
      silence = setTimeout(() => stop.abort(), SILENCE);
    };
    try {
      const response = await send("", `events?sandbox=*&after=${last}`, { signal: stop.signal });
      onState(true);
      scheduleTimeout();
      retry = 500;
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        scheduleTimeout();
        text += value;
        const blocks = text.split("\n\n");
        text = blocks.pop();
        for (const block of blocks) {
          const fields = Object.fromEntries(block.split("\n").filter((line) => line[0] !== ":").map(field));
          if (fields.id) last = Number(fields.id);
          if (fields.data) onEvent(fields.event, JSON.parse(fields.data));
        }
      }
      onState(false, "The server closed the connection.");
    } catch (error) {
      onState(false, error.message);
    }
    clearTimeout(silence);
    await new Promise((resolve) => setTimeout(resolve, retry));
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
function askForToken(isWrong) {
  asking ??= new Promise((resolve) => {
    const dialog = document.createElement("dialog");
    const label = document.createElement("label");
    const problem = document.createElement("p");
    problem.className = "problem";
    problem.setAttribute("role", "alert");
    problem.textContent = isWrong ? "The server does not accept this token." : "";
    dialog.setAttribute("aria-label", "Control token");
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
    dialog.append(problem, label, button);
    document.body.append(dialog);
    dialog.showModal();
  });
  return asking;
}
