// The page: views, the selected sandbox and the state of the connection.

import { get, initialSandbox } from "./api.js";
import { contractView } from "./contract.js";
import { attempt, h } from "./dom.js";
import { faultsView } from "./faults.js";
import { Journal } from "./journal.js";
import { learnView } from "./learn.js";
import { currentSandbox, linkTo, param, setParams } from "./location.js";
import { requestsView } from "./requests.js";
import { stateView } from "./state.js";

const VIEWS = { "": "Requests", faults: "Faults", state: "State", learn: "Learn" };
const CONTRACT = "contract"; // a view that belongs to Learn
const main = document.getElementById("main");
const nav = document.getElementById("views");
const sandboxes = document.getElementById("sandbox");
const connection = document.getElementById("connection");
const journal = new Journal();
let providers = [];
let view = null;
let shown = null;

async function show() {
  const name = param("view") === CONTRACT || param("view") in VIEWS ? param("view") : "";
  const target = name === CONTRACT ? [param("provider"), param("at")] : [];
  const state = name ? JSON.stringify([name, currentSandbox(), ...target]) : "";
  drawSandboxes();
  if (state !== shown) {
    shown = state;
    const made = await make(name);
    if (shown !== state) return;
    view = made;
    main.replaceChildren(view.element);
    main.scrollTop = 0;
    view.shown?.();
    drawViews(name);
  }
  view?.update();
}

async function make(name) {
  try {
    if (name === "faults") return await faultsView(currentSandbox(), providers);
    if (name === "state") return await stateView(currentSandbox(), providers, journal);
    if (name === "learn") return await learnView(currentSandbox());
    if (name === CONTRACT) return await contractView(currentSandbox(), param("provider"), param("at"));
    return requestsView(journal, providers);
  } catch (error) {
    return { element: h("div", { class: "page" }, h("p", { class: "problem", role: "alert" }, error.message)), update() {} };
  }
}

function drawViews(current) {
  const name = current === CONTRACT ? "learn" : current;
  nav.replaceChildren(...Object.entries(VIEWS).map(([view, title]) =>
    h("a", { ...linkTo({ view, request: "", provider: "", at: "" }), "aria-current": view === name ? "page" : null }, title)));
  document.title = `${VIEWS[name]} · mockvoice inspector`;
}

/** Offer all sandboxes together where they can be shown together: in the list of requests. */
function drawSandboxes() {
  const names = journal.sandboxes.map(({ name }) => name).filter(Boolean);
  const selected = currentSandbox();
  if (selected && !names.includes(selected)) names.push(selected);
  const options = [["default", "default"], ...names.map((name) => [`~${name}`, name])];
  if (!param("view")) options.unshift(["", "All sandboxes"]);
  const state = JSON.stringify([options, param("sandbox")]);
  if (sandboxes.state === state) return;
  sandboxes.state = state;
  sandboxes.replaceChildren(...options.map(([value, text]) => h("option", { value }, text)));
  sandboxes.value = param("sandbox") || options[0][0];
}

function drawConnection() {
  const text = journal.connected ? "Live" : "Reconnecting";
  if (connection.textContent !== text) connection.textContent = text;
  connection.classList.toggle("live", journal.connected);
  connection.title = journal.problem;
}

sandboxes.addEventListener("change", () => setParams({ sandbox: sandboxes.value, request: "" }));
for (const name of ["locationchange", "popstate"]) addEventListener(name, show);
journal.listeners.add(() => {
  drawSandboxes();
  drawConnection();
  view?.update();
});
if (initialSandbox && !param("sandbox")) setParams({ sandbox: `~${decodeURIComponent(initialSandbox)}` });

/** Show the page for the providers that the server has now. */
async function load() {
  providers = (await attempt(() => get("", "providers")))?.providers ?? [];
  shown = null;
  await show();
}

await load();
journal.start(load);
