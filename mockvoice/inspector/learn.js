// What a client needs to know: URLs, variables, samples, documentation, and the contract coverage.

import { download, get } from "./api.js";
import { FORMATS } from "./copies.js";
import { actionButton, atMostTwicePerSecond, copyButton, h, redraw, sandboxPhrase } from "./dom.js";
import { linkTo } from "./location.js";

const DOCS = "https://github.com/mockvoice/mockvoice/blob/v";
const PAGES = {
  "testing.md": "Test your code", "faults.md": "Inject faults", "sandboxes-and-accounts.md": "Sandboxes and accounts",
  "control-api.md": "Control API", "command-line.md": "Command line", "configuration.md": "Configuration",
  "interception.md": "Hard-coded URLs", "inspector.md": "Inspector",
};

/** Return the view of a sandbox; coverage is that of the whole server for the default one. */
export async function learnView(sandbox) {
  const [{ providers }, { version }] = await Promise.all([get(sandbox, "providers"), get("", "health")]);
  const coverage = h("div");
  const refresh = async () => {
    const measured = await get(sandbox, "coverage?all=true");
    redraw(coverage, measured, () => matrices(measured, providers));
  };
  await refresh();
  const title = `Contract coverage of ${sandbox ? sandboxPhrase(sandbox) : "all sandboxes"}`;
  const element = h("div", { class: "page" }, urls(sandbox, providers), samples(sandbox),
    h("section", { class: "card" }, h("h2", {}, title), coverage), documentation(version));
  return { element, update: atMostTwicePerSecond(sandbox, refresh) };
}

function urls(sandbox, providers) {
  return h("section", { class: "card" }, h("h2", {}, `Base URLs of ${sandboxPhrase(sandbox)}`), h("div", { class: "urls" }, providers.map((provider) => {
    const lines = Object.entries(provider.env).map(([name, value]) => `export ${name}=${value === "base_url" ? provider.base_url : "KEY"}`).join("\n");
    return h("div", { class: "provider" }, h("h3", {}, provider.title),
      h("p", { class: "muted" }, `edition ${provider.edition}`),
      h("code", { class: "block" }, provider.base_url), h("code", { class: "block" }, provider.auth_header),
      lines && h("pre", { class: "block", tabindex: "0", "aria-label": `Environment of ${provider.title}` }, lines),
      h("div", { class: "actions" }, copyButton("Copy URL", provider.base_url, `the URL of ${provider.title}`),
        lines && copyButton("Copy environment", lines, `the environment of ${provider.title}`),
        h("a", { ...linkTo({ view: "contract", provider: provider.name }), "aria-label": `Contract of ${provider.title}` }, "Contract")));
  })));
}

function samples(sandbox) {
  return h("section", { class: "card" }, h("h2", {}, "Audio samples"),
    h("p", { class: "muted" }, "Synthetic speech of 6 seconds, which every provider accepts."),
    h("div", { class: "actions" }, FORMATS.map((format) =>
      actionButton(`sample.${format}`, () => download(sandbox, `samples/${format}`, `sample.${format}`)))));
}

function matrices(coverage, providers) {
  return [
    h("p", {}, h("strong", {}, `${coverage.percent} %`), ` ${coverage.seen} of ${coverage.total} documented statuses seen, ${coverage.called} operations called.`),
    ...providers.map(({ name, title }) => matrix(name, title, coverage.operations.filter(({ provider }) => provider === name))).filter(Boolean),
  ];
}

/** Return the operations of a provider and the statuses that requests have seen. */
function matrix(name, title, operations) {
  if (!operations.length) return null;
  const seen = operations.flatMap(({ statuses }) => statuses.filter(({ requests }) => requests)).length;
  const total = operations.flatMap(({ statuses }) => statuses).length;
  const columns = [...new Set(operations.flatMap(({ statuses }) => statuses.map(({ status }) => status)))].sort((a, b) => a - b);
  return h("details", { class: "matrix-box", open: seen > 0 }, h("summary", {}, h("strong", {}, title), h("span", { class: "muted" }, ` ${seen} of ${total}`)),
    h("div", { class: "table-scroll", tabindex: "0", role: "region", "aria-label": `Coverage of ${title}` }, h("table", { class: "matrix" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Operation"), columns.map((status) => h("th", { scope: "col" }, status)))),
      h("tbody", {}, operations.map((operation) => {
        const documented = new Map(operation.statuses.map((status) => [status.status, status]));
        return h("tr", {}, h("th", { scope: "row" }, operation.operation), columns.map((column) => cell(documented.get(column))));
      })))));
}

function cell(status) {
  if (!status) return h("td", {});
  return h("td", { class: status.requests ? "seen" : "open", title: status.description }, status.requests || h("span", { "aria-label": "not seen" }, "–"));
}

/** Return links to the pages of this version, which are online. */
function documentation(version) {
  return h("section", { class: "card" }, h("h2", {}, `Documentation of mockvoice ${version}`),
    h("p", { class: "muted" }, "On the web. The contracts above come from this server."),
    h("ul", { class: "links" }, Object.entries(PAGES).map(([page, title]) =>
      h("li", {}, h("a", { href: `${DOCS}${version}/docs/${page}`, rel: "noreferrer", target: "_blank" }, title)))));
}
