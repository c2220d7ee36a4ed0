// Faults: a form derived from the schema, and the faults of the sandbox with their hits.

import { get, post, remove, url } from "./api.js";
import { actionButton, atMostTwicePerSecond, confirmed, h, labeled, parseJSON, redraw, sandboxPhrase, select, table, toast } from "./dom.js";

const FIRST = ["provider", "operation"]; // of the fields of a fault
const SEQUENCE = "sequence";

/** Return the view of a sandbox. */
export async function faultsView(sandbox, providers) {
  const form = await (await fetch(url("", "inspector/faults.json"))).json();
  const listed = h("div");
  const refresh = async () => show(listed, sandbox, (await get(sandbox, "faults")).faults, refresh);
  await refresh();
  const element = h("div", { class: "page" },
    h("section", { class: "card" }, h("h2", {}, `Faults of ${sandboxPhrase(sandbox)}`), listed),
    h("section", { class: "card" }, h("h2", {}, "Add a fault"), shorthandForm(sandbox, refresh), h("hr"), faultForm(form, sandbox, providers, refresh)));
  return { element, update: atMostTwicePerSecond(sandbox, refresh) };
}

function show(box, sandbox, faults, refresh) {
  redraw(box, [sandbox, faults], () => [
    table(["Id", "Fault", "Hits", "Matched", "Actions"], faults.map(({ id, hits, matched, ...definition }) => [
      id, h("code", {}, JSON.stringify(definition)), hits, matched,
      actionButton("Remove", async () => { await remove(sandbox, `faults/${id}`); await refresh(); }, { "aria-label": `Remove ${id}`, class: "quiet" }),
    ]), "No faults. Every request runs as the contract describes."),
    faults.length > 1 && actionButton("Remove all faults", async () => {
      if (await confirmed(`Remove all faults of ${sandboxPhrase(sandbox)}?`, "Remove all")) { await remove(sandbox, "faults"); await refresh(); }
    }, { class: "danger" }),
  ].filter(Boolean));
}

/** Return a button that adds a fault, and the place for its error. */
function addButton(label, sandbox, read, refresh, properties) {
  const problem = h("p", { class: "problem", role: "alert" });
  const button = h("button", { type: "submit", ...properties }, label);
  const onsubmit = async (event) => {
    event.preventDefault();
    problem.textContent = "";
    button.disabled = true;
    try {
      toast(`Added ${(await post(sandbox, "faults", read())).id}`);
      await refresh();
    } catch (error) {
      problem.textContent = error.message;
    }
    button.disabled = false;
  };
  return { button, problem, onsubmit };
}

function shorthandForm(sandbox, refresh) {
  const input = h("input", { id: "shorthand", type: "text", placeholder: '502   reset   [503, "reset", "ok"]', spellcheck: "false" });
  const { button, problem, onsubmit } = addButton("Add shorthand", sandbox, () => shorthand(input.value), refresh);
  return h("form", { class: "inline-form", onsubmit },
    labeled("Shorthand", input, "A status, a kind, ok, or a list of them for one request after the other; or a fault as JSON."), button, problem);
}

/** Return what a shorthand means: JSON, or a single word. */
function shorthand(text) {
  const word = text.trim();
  if (!word) throw new Error('Enter a shorthand, such as 502, reset or [503, "reset", "ok"].');
  if (/^\w+$/.test(word)) return /^\d+$/.test(word) ? Number(word) : word;
  return parseJSON("The shorthand", word);
}

function faultForm({ kinds, properties, sequence }, sandbox, providers, refresh) {
  const fields = h("div", { class: "form-fields" });
  const steps = sequenceSteps(Object.keys(kinds));
  const ofSomeKinds = Object.values(kinds).flatMap((one) => one.fields);
  const ofEveryKind = Object.keys(properties).filter((name) => name !== "kind" && !ofSomeKinds.includes(name));
  let kind = Object.keys(kinds)[0];
  let inputs = new Map();
  const draw = () => {
    const before = new Map([...inputs].map(([name, input]) => [name, input.value]));
    inputs = new Map();
    const names = new Set([...FIRST, ...(kind === SEQUENCE ? sequence : [...kinds[kind].fields, ...ofEveryKind])]);
    steps.element.hidden = kind !== SEQUENCE;
    fields.replaceChildren(...[...names].map((name) => field(name, properties[name], providers, inputs, before)));
  };
  const card = (name, summary) => h("label", { class: "kind" },
    h("input", { type: "radio", name: "kind", value: name, checked: name === kind, onchange: () => { kind = name; draw(); } }),
    h("span", {}, h("strong", {}, name), h("span", { class: "muted" }, plain(summary))));
  const cards = h("fieldset", { class: "kinds" }, h("legend", {}, "The client sees"),
    Object.entries(kinds).map(([name, { summary }]) => card(name, summary)),
    card(SEQUENCE, "one outcome after the other, such as 503, reset, ok"));
  draw();
  const read = () => {
    const fault = kind === SEQUENCE ? { sequence: steps.read() } : { kind };
    for (const [name, input] of inputs) if (input.value !== "") fault[name] = value(name, input, properties[name]);
    return fault;
  };
  const { button, problem, onsubmit } = addButton("Add fault", sandbox, read, refresh, { class: "primary" });
  const operations = new Set(providers.flatMap((provider) => provider.operations.map(({ id }) => id)));
  const known = h("datalist", { id: "operations" }, [...operations].map((value) => h("option", { value })));
  return h("form", { onsubmit, novalidate: true }, cards, steps.element, fields, known, problem, button);
}

/** Return an editor of the steps of a sequence: one row for each request. */
function sequenceSteps(kinds) {
  const list = h("ol", { class: "steps" });
  const add = (outcome) => {
    const input = h("input", { type: "text", value: outcome, list: "outcomes", spellcheck: "false", "aria-label": `Outcome of request ${list.children.length + 1}` });
    const row = h("li", {}, input, h("button", { type: "button", class: "quiet", onclick: () => {
      row.remove();
      [...list.querySelectorAll("input")].forEach((other, index) => other.setAttribute("aria-label", `Outcome of request ${index + 1}`));
    } }, "Remove"));
    list.append(row);
    return input;
  };
  ["503", "ok"].forEach(add);
  const element = h("div", { class: "card inner" },
    h("p", { class: "muted" }, "Each matching request takes the next step: ok, a status, a kind, or a fault as JSON."),
    list,
    h("datalist", { id: "outcomes" }, ["ok", "429", "500", "503", ...kinds.filter((kind) => kind !== "status")].map((value) => h("option", { value }))),
    h("button", { type: "button", onclick: () => add("").focus() }, "Add step"));
  return { element, read: () => [...list.querySelectorAll("input")].map((input) => shorthand(input.value)) };
}

function field(name, schema, providers, inputs, before) {
  const choices = name === "provider" ? providers.map((provider) => provider.name) : schema.enum;
  const isNumber = ["number", "integer"].includes(schema.type);
  const properties = { id: `fault-${name}` };
  const input = choices
    ? select([["", name === "provider" ? "every provider" : `default${schema.default ? `: ${schema.default}` : ""}`], ...choices.map((choice) => [choice, choice])], properties)
    : h("input", { ...properties, type: isNumber ? "number" : "text", step: schema.type === "integer" ? "1" : "any", min: schema.minimum, max: schema.maximum, placeholder: isNumber || name === "operation" ? "" : "JSON", list: name === "operation" ? "operations" : null });
  input.value = before.get(name) ?? "";
  inputs.set(name, input);
  return labeled(name, input, plain(schema.description ?? ""));
}

function plain(text) {
  return text.replaceAll("`", "");
}

/** Return the value of an input in the type of its schema. */
function value(name, input, schema) {
  if (input.type === "number") return Number(input.value);
  if (schema.type === "string" || schema.enum) return input.value;
  if (name === "body") { // JSON, or text
    try { return JSON.parse(input.value); } catch { return input.value; }
  }
  return parseJSON(name, input.value);
}
