// Builds elements. Text becomes text nodes, so nothing that a request contains is read as markup.

import { currentSandbox } from "./location.js";

/** Return an element; `on*` properties are listeners, `class` and others are attributes. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Show a message for some seconds; screen readers announce it. */
export function toast(message) {
  const element = document.getElementById("toast");
  element.textContent = message;
  element.classList.add("shown");
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => element.classList.remove("shown"), 4000);
}

/** Copy text, also on origins where the clipboard API is not available. */
export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = h("textarea", { value: text, "aria-hidden": "true", class: "offscreen" });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  toast(`Copied ${what}`);
}

/** Return a button that copies text. */
export function copyButton(label, text, what = label) {
  const read = typeof text === "function" ? text : () => text;
  return actionButton(label, async () => copy(await read(), what), { class: "quiet" });
}

/** Return a button that runs an action and shows its error. */
export function actionButton(label, action, properties = {}) {
  const button = h("button", { type: "button", ...properties, onclick: () => attempt(action, button) }, label);
  return button;
}

/** Run an action; show its error instead of losing it. */
export async function attempt(action, button) {
  const hadFocus = button && document.activeElement === button;
  if (button) button.disabled = true;
  try {
    return await action();
  } catch (error) {
    toast(error.message);
    return undefined;
  } finally {
    if (button) button.disabled = false;
    if (hadFocus && document.activeElement === document.body) button.focus();
  }
}

/** Ask before something is lost. Return true if the user confirms. */
export function confirmed(question, label) {
  return new Promise((resolve) => {
    const dialog = h("dialog", { "aria-label": question },
      h("p", {}, question),
      h("div", { class: "actions" },
        h("button", { type: "button", onclick: () => dialog.close() }, "Cancel"),
        h("button", { type: "button", class: "danger", onclick: () => dialog.close("yes") }, label)));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Rebuild the content of an element if its state differs from what it shows; focus stays. */
export function redraw(box, state, build) {
  const text = JSON.stringify(state);
  if (box.state === text) return;
  box.state = text;
  const name = (element) => element.getAttribute("aria-label") ?? element.textContent;
  const focused = box.contains(document.activeElement) ? name(document.activeElement) : null;
  box.replaceChildren(...[build()].flat());
  if (focused) [...box.querySelectorAll("a, button, input, select")].find((element) => name(element) === focused)?.focus();
}

/** Return a function that refreshes soon, at most twice per second, while the page shows the sandbox. */
export function atMostTwicePerSecond(sandbox, refresh) {
  let timer = null;
  return () => {
    timer ??= setTimeout(() => {
      timer = null;
      if (currentSandbox() === sandbox) refresh().catch(() => {}); // the connection status shows a server that is gone
    }, 500);
  };
}

/** Return a table, or a text if there are no rows. */
export function table(columns, rows, empty) {
  if (!rows.length) return h("p", { class: "muted" }, empty);
  return h("div", { class: "table-scroll" }, h("table", {},
    h("thead", {}, h("tr", {}, columns.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map((cell) => h("td", {}, cell)))))));
}

/** Return a labeled input of a form; `help` explains it. */
export function labeled(label, input, help = "") {
  const id = input.id || (input.id = `input-${(labeled.count = (labeled.count ?? 0) + 1)}`);
  if (help) input.setAttribute("aria-describedby", `${id}-help`);
  return h("div", { class: "form-field" }, h("label", { for: id }, label), input,
    help && h("p", { class: "muted", id: `${id}-help` }, help));
}

/** Return the JSON that somebody has typed. */
export function parseJSON(name, text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${name} must be JSON; got ${text}`);
  }
}

/** Return a select element with pairs of value and text. */
export function select(options, properties = {}) {
  return h("select", properties, options.map(([value, text]) => h("option", { value }, text)));
}

/** Return the sandbox as a phrase. */
export function sandboxPhrase(sandbox) {
  return sandbox ? `the sandbox ${sandbox}` : "the default sandbox";
}

/** Return a collapsible view of a JSON value. */
export function json(value, name = null, open = true) {
  const label = name === null ? [] : [h("span", { class: "json-name" }, name), ": "];
  if (value === null || typeof value !== "object") {
    const kind = value === null ? "null" : typeof value;
    return h("div", { class: "json-line" }, label, h("span", { class: `json-${kind}` }, JSON.stringify(value)));
  }
  const entries = Object.entries(value);
  const size = Array.isArray(value) ? `[${entries.length}]` : `{${entries.length}}`;
  if (!entries.length) return h("div", { class: "json-line" }, label, Array.isArray(value) ? "[]" : "{}");
  return h("details", { open, class: "json" },
    h("summary", {}, label, h("span", { class: "muted" }, size)),
    entries.map(([key, member]) => json(member, key, entries.length <= 50)));
}
