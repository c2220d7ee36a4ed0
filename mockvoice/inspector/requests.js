// The view of requests: filters, list and detail.

import { sandboxUrl } from "./api.js";
import { copyButton, h, redraw, select } from "./dom.js";
import { requestDetail } from "./detail.js";
import { FILTERS, filtered, inSandbox, lastAttempts, requestList } from "./list.js";
import { currentSandbox, param, setParams } from "./location.js";

const STATUSES = [["", "Any status"], ["2xx", "2xx"], ["4xx", "4xx"], ["5xx", "5xx"], ["none", "No response"]];

/** Return the view; `update()` shows the present state. */
export function requestsView(journal, providers) {
  const list = requestList();
  const count = h("span", { class: "count muted", role: "status" });
  const banner = h("div");
  const pane = h("div", { class: "pane" });
  const search = h("input", { type: "search", placeholder: "Search path, operation, id", "aria-label": "Search", value: param("q"), oninput: () => setParams({ q: search.value }) });
  const selects = [
    choice("provider", "Provider", [["", "All providers"], ...providers.map((provider) => [provider.name, provider.title])]),
    choice("status", "Status", STATUSES),
  ];
  const clear = h("button", { type: "button", class: "quiet", onclick: () => {
    setParams(Object.fromEntries(FILTERS.map((name) => [name, ""])));
    for (const input of [search, ...selects]) input.value = "";
  } }, "Clear filters");
  const filters = h("div", { class: "filters", role: "search" }, search, selects, h("div", { class: "filter-state" }, count, clear));
  const work = h("div", { class: "work" }, h("div", { class: "side" }, filters, banner, list.element), pane);
  const empty = h("div", { class: "empty-box" });
  const element = h("div", { class: "view" }, work, empty);
  let shown = null;
  const update = () => {
    const known = inSandbox(journal.entries);
    empty.hidden = known.length > 0;
    work.hidden = known.length === 0;
    if (!known.length) {
      redraw(empty, currentSandbox(), () => emptyState(providers));
      return;
    }
    const entries = filtered(known);
    list.show(lastAttempts(entries));
    count.textContent = countText(entries.length, journal.dropped);
    clear.hidden = !FILTERS.some(param);
    showProblems(banner, known);
    const entry = journal.byKey.get(param("request"));
    work.classList.toggle("has-selection", Boolean(entry));
    const state = entry ? `${entry.key} ${entry.at} ${entry.status} ${entry.internal_error} ${entry.group.length}` : param("request");
    if (state === shown) return;
    shown = state;
    pane.replaceChildren(entry ? requestDetail(entry, providers.find((provider) => provider.name === entry.provider)) : placeholder());
    pane.scrollTop = 0;
  };
  return { element, update };
}

function choice(name, label, options) {
  const input = select(options, { "aria-label": label, onchange: () => setParams({ [name]: input.value }) });
  input.value = param(name);
  return input;
}

function countText(count, dropped) {
  const text = count === 1 ? "1 request" : `${count.toLocaleString("en")} requests`;
  return dropped ? `${text}; ${dropped.toLocaleString("en")} older ones were evicted` : text;
}

function placeholder() {
  const text = param("request") ? "This request is no longer in the journal." : "Select a request to see its fields, files and response.";
  return h("p", { class: "placeholder" }, text);
}

function showProblems(banner, entries) {
  const counts = new Map();
  for (const entry of entries) for (const problem of entry.problems) counts.set(problem, (counts.get(problem) ?? 0) + 1);
  const text = [...counts].map(([problem, count]) => `${problem} (${count})`).join(", ");
  const isOn = Boolean(param("problems"));
  redraw(banner, [text, isOn], () => (text || isOn
    ? [h("button", { type: "button", class: "problems", "aria-pressed": String(isOn), onclick: () => setParams({ problems: isOn ? "" : "1" }) }, `Client problems: ${text || "none"}`)]
    : []));
}

function emptyState(providers) {
  const provider = providers.find((candidate) => candidate.operations.some(isSimple));
  const operation = provider?.operations.find(isSimple);
  const url = sandboxUrl(currentSandbox());
  const command = provider ? `curl -H '${provider.auth_header}' '${url}${provider.base_path}${operation.path}'` : `curl '${url}/'`;
  return h("section", { class: "empty" },
    h("img", { src: "inspector/icon.svg", alt: "", width: 48, height: 48 }),
    h("h2", {}, "No requests yet"),
    h("p", { class: "muted" }, "Send a request to the mock. It appears here at once, without a reload."),
    h("pre", { tabindex: "0", "aria-label": "First command" }, command),
    h("div", { class: "actions" }, copyButton("Copy command", command, "the command")));
}

function isSimple(operation) {
  return operation.method === "GET" && !operation.path.includes("{");
}
