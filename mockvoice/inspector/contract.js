// The contract of a provider, at the line of a rule.

import { download, send } from "./api.js";
import { actionButton, h } from "./dom.js";

/** Return the view of a contract; `pointer` is a JSON Pointer into it. */
export async function contractView(sandbox, provider, pointer) {
  const path = `specs/${encodeURIComponent(provider)}`;
  const lines = (await (await send(sandbox, path)).text()).split("\n");
  const found = pointer ? lineOf(lines, pointer) : -1;
  const rows = lines.map((line, index) =>
    h("span", { class: "line", id: `L${index + 1}`, "data-line": index + 1, "aria-current": index === found ? "true" : null }, `${line}\n`));
  const element = h("div", { class: "page contract" },
    h("div", { class: "page-head" },
      h("h2", {}, `Contract of ${provider}`),
      actionButton("Download", () => download(sandbox, path, `${provider}.yaml`))),
    pointer && h("p", { class: "muted" }, found < 0 ? `The contract has no ${pointer}.` : `Line ${found + 1}: ${pointer}`),
    h("pre", { class: "card", tabindex: "0", "aria-label": "Contract" }, rows));
  return { element, update() {}, shown: () => rows[found]?.scrollIntoView({ block: "center" }) };
}

/** Return the index of the line with the last segment of a JSON Pointer that the text has. */
function lineOf(lines, pointer) {
  let found = -1;
  for (const segment of pointer.split("/").slice(1)) {
    const next = childOf(lines, found, segment.replaceAll("~1", "/").replaceAll("~0", "~"));
    if (next < 0) break;
    found = next;
  }
  return found;
}

/** Return the line below a line with the member of a name, or the item of an index. */
function childOf(lines, parent, name) {
  if (parent >= 0 && isItem(lines[parent]) && keyOf(lines[parent]) === name) return parent;
  const above = parent < 0 ? -1 : depthOf(lines[parent]);
  let level = null;
  let item = -1;
  for (let index = parent + 1; index < lines.length; index += 1) {
    const line = lines[index];
    if (!line.trim() || line.trim().startsWith("#")) continue;
    const depth = depthOf(line);
    if (depth <= above) break;
    level ??= depth;
    if (depth !== level) continue;
    if (isItem(line) ? (item += 1) === Number(name) : keyOf(line) === name) return index;
  }
  return -1;
}

function isItem(line) {
  return /^\s*- /.test(line);
}

/** Return the indentation; items of a list may be as deep as its name. */
function depthOf(line) {
  return line.search(/\S/) + (isItem(line) ? 0.5 : 0);
}

/** Return the key in a line of YAML or JSON. */
function keyOf(line) {
  const key = /^\s*(?:- )?(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s"'][^:]*)):(?:\s|$)/.exec(line);
  return key ? key[1] ?? key[2] ?? key[3] : null;
}
