// The page: views, the selected sandbox and the state of the connection.

import { get, initialSandbox } from "./api.js";
import { attempt, h } from "./dom.js";
import { faultsView } from "./faults.js";
import { Journal } from "./journal.js";
import { learnView } from "./learn.js";
import { param, setParams } from "./location.js";
import { requestsView } from "./requests.js";
import { stateView } from "./state.js";

const VIEWS = { "": "Requests", faults: "Faults", state: "State", learn: "Learn" };
const main = document.getElementById("main");
const nav = document.getElementById("views");
const sandboxes = document.getElementById("sandbox");
const connection = document.getElementById("connection");
const journal = new Journal();
let providers = [];
let view = null;
let shown = null;

/** Return the sandbox that control views change; "" is the default one. */
function sandbox() {
  return param("sandbox").startsWith("~") ? param("sandbox").slice(1) : "";
}

async function show() {
  const name = param("view") in VIEWS ? param("view") : "";
  const state = name ? `${name} ${sandbox()}` : "";
  if (state !== shown) {
    shown = state;
    const made = await make(name);
    if (shown !== state) return;
    view = made;
    main.replaceChildren(view.element);
    drawViews(name);
  }
  view?.update();
}

async function make(name) {
  try {
    if (name === "faults") return await faultsView(sandbox(), providers);
    if (name === "state") return await stateView(sandbox(), providers);
    if (name === "learn") return await learnView(sandbox(), providers);
    return requestsView(journal, providers);
  } catch (error) {
    return { element: h("div", { class: "page" }, h("p", { class: "problem", role: "alert" }, error.message)), update() {} };
  }
}

function drawViews(current) {
  nav.replaceChildren(...Object.entries(VIEWS).map(([name, title]) =>
    h("button", { type: "button", "aria-current": name === current ? "page" : null, onclick: () => setParams({ view: name, request: "" }, true) }, title)));
}

function drawSandboxes() {
  const names = journal.sandboxes.map(({ name }) => name).filter(Boolean);
  const selected = sandbox();
  if (selected && !names.includes(selected)) names.push(selected);
  const state = JSON.stringify([names, param("sandbox")]);
  if (sandboxes.state === state) return;
  sandboxes.state = state;
  sandboxes.replaceChildren(...[["", "All"], ["default", "default"], ...names.map((name) => [`~${name}`, name])].map(([value, text]) => h("option", { value }, text)));
  sandboxes.value = param("sandbox");
}

function drawConnection() {
  const text = journal.connected ? "Live" : "Reconnecting";
  if (connection.textContent !== text) connection.textContent = text;
  connection.classList.toggle("live", journal.connected);
  connection.title = journal.problem;
}

sandboxes.addEventListener("change", () => setParams({ sandbox: sandboxes.value }));
for (const name of ["locationchange", "popstate"]) addEventListener(name, show);
journal.listeners.add(() => {
  drawSandboxes();
  drawConnection();
  view?.update();
});
if (initialSandbox && !param("sandbox")) setParams({ sandbox: `~${decodeURIComponent(initialSandbox)}` });
providers = (await attempt(() => get("", "providers")))?.providers ?? [];
drawSandboxes();
await show();
journal.start();
