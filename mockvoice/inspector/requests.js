// The view of requests: filters, list and detail.

import { origin, sandboxUrl } from "./api.js";
import { copyButton, h } from "./dom.js";
import { requestDetail } from "./detail.js";
import { requestList, selected } from "./list.js";
import { param, setParams } from "./location.js";

const STATUSES = [["", "Any status"], ["2xx", "2xx"], ["4xx", "4xx"], ["5xx", "5xx"], ["none", "No response"]];

/** Return the view; `update()` shows the present state. */
export function requestsView(journal, providers) {
  const list = requestList();
  const count = h("span", { class: "muted", role: "status" });
  const banner = h("div");
  const pane = h("div", { class: "pane" });
  const search = h("input", { type: "search", placeholder: "Search path, operation, id", "aria-label": "Search", value: param("q"), oninput: () => setParams({ q: search.value }) });
  const choice = (name, label, options) => {
    const select = h("select", { "aria-label": label, onchange: () => setParams({ [name]: select.value }) }, options.map(([value, text]) => h("option", { value }, text)));
    select.value = param(name);
    return select;
  };
  const filters = h("div", { class: "filters", role: "search" }, search,
    choice("provider", "Provider", [["", "All providers"], ...providers.map((provider) => [provider.name, provider.title])]),
    choice("status", "Status", STATUSES), count);
  const work = h("div", { class: "work" }, h("div", { class: "side" }, filters, banner, list.element), pane);
  const empty = emptyState(providers);
  const element = h("div", { class: "view" }, work, empty);
  let shown = null;
  const update = () => {
    const entries = selected(journal);
    const isEmpty = journal.entries.length === 0;
    empty.hidden = !isEmpty;
    work.hidden = isEmpty;
    if (isEmpty) return;
    list.show(entries);
    count.textContent = entries.length === 1 ? "1 request" : `${entries.length.toLocaleString("en")} requests`;
    showMistakes(banner, journal.entries);
    const entry = journal.byKey.get(param("request"));
    work.classList.toggle("has-selection", Boolean(entry));
    const state = entry ? `${entry.key} ${entry.at} ${entry.group.length}` : "";
    if (state === shown) return;
    shown = state;
    pane.replaceChildren(entry ? requestDetail(entry, providers.find((provider) => provider.name === entry.provider)) : h("p", { class: "placeholder" }, "Select a request to see its fields, files and response."));
  };
  return { element, update };
}

function showMistakes(banner, entries) {
  const counts = new Map();
  for (const entry of entries) for (const mistake of entry.mistakes) counts.set(mistake, (counts.get(mistake) ?? 0) + 1);
  const text = [...counts].map(([mistake, count]) => `${mistake} (${count})`).join(", ");
  const on = Boolean(param("mistakes"));
  const state = `${text} ${on}`;
  if (banner.state === state) return;
  banner.state = state;
  banner.replaceChildren(...(text ? [h("button", { type: "button", class: "mistakes", "aria-pressed": String(on), onclick: () => setParams({ mistakes: on ? "" : "1" }) }, `Client mistakes: ${text}`)] : []));
}

function emptyState(providers) {
  const provider = providers.find((candidate) => candidate.operations.some((operation) => isSimple(operation)));
  const operation = provider?.operations.find(isSimple);
  const command = provider ? `curl -H '${provider.auth_header}' '${origin}${provider.base_path}${operation.path}'` : `curl '${sandboxUrl("")}/health'`;
  return h("section", { class: "empty" },
    h("h1", {}, "No requests yet"),
    h("p", {}, "Send a request to the mock. It appears here at once."),
    h("pre", { tabindex: "0" }, command),
    copyButton("Copy command", command, "the command"));
}

function isSimple(operation) {
  return operation.method === "GET" && !operation.path.includes("{");
}
