// Faults: a form derived from the schema, and the faults of the sandbox with their hits.

import { get, post, remove, url } from "./api.js";
import { actionButton, confirmed, h, toast } from "./dom.js";

const EVERY = ["provider", "operation", "times", "skip", "every", "probability", "expires_in", "when", "match"];

/** Return the view of a sandbox. */
export async function faultsView(sandbox, providers) {
  const form = await (await fetch(url("", "inspector/faults.json"))).json();
  const listed = h("div", { class: "table-scroll" });
  const refresh = async () => show(listed, sandbox, (await get(sandbox, "faults")).faults, refresh);
  await refresh();
  const element = h("div", { class: "page" },
    h("section", { class: "card" }, h("h2", {}, `Active faults of ${sandbox ? `the sandbox ${sandbox}` : "the default sandbox"}`), listed),
    h("section", { class: "card" }, h("h2", {}, "Add a fault"), faultForm(form, sandbox, providers, refresh)));
  return { element, update: atMostTwicePerSecond(refresh) };
}

/** Return a function that refreshes soon, however often it is called. */
function atMostTwicePerSecond(refresh) {
  let timer = null;
  return () => {
    timer ??= setTimeout(() => {
      timer = null;
      refresh().catch(() => {}); // the connection status shows a server that is gone
    }, 500);
  };
}

function show(box, sandbox, faults, refresh) {
  const state = JSON.stringify([sandbox, faults]);
  if (box.state === state) return;
  box.state = state;
  if (!faults.length) {
    box.replaceChildren(h("p", { class: "muted" }, "No faults. Every request runs as the contract describes."));
    return;
  }
  box.replaceChildren(
    h("table", {},
      h("thead", {}, h("tr", {}, ["Id", "Fault", "Hits", "Matched", "Actions"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, faults.map((fault) => {
        const { id, hits, matched, ...definition } = fault;
        return h("tr", {}, h("td", {}, id), h("td", {}, h("code", {}, JSON.stringify(definition))), h("td", {}, hits), h("td", {}, matched),
          h("td", {}, actionButton("Remove", async () => { await remove(sandbox, `faults/${id}`); await refresh(); }, { "aria-label": `Remove ${id}`, class: "quiet" })));
      }))),
    actionButton("Remove all faults", async () => {
      if (await confirmed("Remove all faults of this sandbox?", "Remove all")) { await remove(sandbox, "faults"); await refresh(); }
    }, { class: "danger" }));
}

function faultForm({ kinds, properties }, sandbox, providers, refresh) {
  const fields = h("div", { class: "form-fields" });
  const problem = h("p", { class: "problem", role: "alert" });
  let kind = Object.keys(kinds)[0];
  let inputs = new Map();
  const draw = () => {
    const before = new Map([...inputs].map(([name, input]) => [name, input.value]));
    inputs = new Map();
    fields.replaceChildren(...["provider", "operation", ...kinds[kind].fields, ...EVERY.slice(2)].map((name) => field(name, properties[name], providers, inputs, before)));
  };
  const cards = h("fieldset", { class: "kinds" }, h("legend", {}, "The client sees"), Object.entries(kinds).map(([name, { summary }]) =>
    h("label", { class: "kind" },
      h("input", { type: "radio", name: "kind", value: name, checked: name === kind, onchange: () => { kind = name; draw(); } }),
      h("span", {}, h("strong", {}, name), h("span", { class: "muted" }, plain(summary))))));
  draw();
  const add = async () => {
    problem.textContent = "";
    try {
      const fault = { kind };
      for (const [name, input] of inputs) if (input.value !== "") fault[name] = read(name, input, properties[name]);
      const added = await post(sandbox, "faults", fault);
      toast(`Added ${added.id}`);
      await refresh();
    } catch (error) {
      problem.textContent = error.message;
    }
  };
  return h("div", {}, cards, fields, problem, h("button", { type: "button", class: "primary", onclick: add }, "Add fault"));
}

function field(name, schema, providers, inputs, before) {
  const id = `fault-${name}`;
  const choices = name === "provider" ? providers.map((provider) => provider.name) : schema.enum;
  const isNumber = ["number", "integer"].includes(schema.type);
  const input = choices
    ? h("select", { id }, h("option", { value: "" }, name === "provider" ? "every provider" : `default${schema.default ? `: ${schema.default}` : ""}`), choices.map((choice) => h("option", { value: choice }, choice)))
    : h("input", { id, type: isNumber ? "number" : "text", step: schema.type === "integer" ? "1" : "any", min: schema.minimum, max: schema.maximum, placeholder: isNumber || name === "operation" ? "" : "JSON" });
  input.value = before.get(name) ?? "";
  input.setAttribute("aria-describedby", `${id}-help`);
  inputs.set(name, input);
  return h("div", { class: "form-field" }, h("label", { for: id }, name), input, h("p", { class: "muted", id: `${id}-help` }, plain(schema.description ?? "")));
}

function plain(text) {
  return text.replaceAll("`", "");
}

/** Return the value of an input in the type of its schema. */
function read(name, input, schema) {
  if (input.type === "number") return Number(input.value);
  if (schema.type === "string" || schema.enum) return input.value;
  try {
    return JSON.parse(input.value);
  } catch {
    if (name === "body") return input.value; // text
    throw new Error(`${name} must be JSON; got ${input.value}`);
  }
}
