// What a client needs to know: URLs, variables, samples, and the contract coverage.

import { get, url } from "./api.js";
import { copyButton, h } from "./dom.js";

/** Return the view of a sandbox; coverage is that of the whole server if `sandbox` is empty. */
export async function learnView(sandbox, providers) {
  const [listed, coverage] = await Promise.all([get(sandbox, "providers"), get(sandbox, "coverage?all=true")]);
  return { element: h("div", { class: "page" }, urls(listed.providers), samples(sandbox), matrix(coverage)), update() {} };
}

function urls(providers) {
  return h("section", { class: "card" }, h("h2", {}, "Base URLs"), h("div", { class: "urls" }, providers.map((provider) => {
    const lines = Object.entries(provider.env).map(([name, value]) => `export ${name}=${value === "base_url" ? provider.base_url : "KEY"}`).join("\n");
    return h("div", { class: "provider" }, h("h3", {}, provider.title),
      h("p", { class: "muted" }, `edition ${provider.edition}`),
      h("code", { class: "block" }, provider.base_url), h("code", { class: "block" }, provider.auth_header),
      h("div", { class: "actions" }, copyButton("Copy URL", provider.base_url, `the URL of ${provider.title}`),
        lines && copyButton("Copy environment", lines, `the environment of ${provider.title}`),
        h("a", { href: url("", `specs/${provider.name}`), download: `${provider.name}.yaml` }, "Contract")));
  })));
}

function samples(sandbox) {
  return h("section", { class: "card" }, h("h2", {}, "Audio samples"),
    h("p", { class: "muted" }, "Synthetic speech of 6 seconds."),
    h("div", { class: "actions" }, ["wav", "mp3", "flac", "ogg", "m4a"].map((format) =>
      h("a", { class: "button", href: url(sandbox, `samples/${format}`), download: `sample.${format}` }, `sample.${format}`))));
}

function matrix(coverage) {
  const statuses = [...new Set(coverage.operations.flatMap((operation) => operation.statuses.map(({ status }) => status)))].sort((a, b) => a - b);
  return h("section", { class: "card" }, h("h2", {}, "Contract coverage"),
    h("p", {}, `${coverage.seen} of ${coverage.total} documented statuses (${coverage.percent} %), ${coverage.called} operations called.`),
    h("div", { class: "table-scroll", tabindex: "0", role: "region", "aria-label": "Coverage matrix" }, h("table", { class: "matrix" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Operation"), statuses.map((status) => h("th", { scope: "col" }, status)))),
      h("tbody", {}, coverage.operations.map((operation) => {
        const documented = new Map(operation.statuses.map((status) => [status.status, status]));
        return h("tr", {}, h("th", { scope: "row" }, operation.operation, h("span", { class: "sub" }, operation.provider)),
          statuses.map((status) => {
            const cell = documented.get(status);
            return cell ? h("td", { class: cell.requests ? "seen" : "open", title: cell.description }, cell.requests || "–") : h("td", {});
          }));
      })))));
}
