// The list of requests: only the rows in view exist.

import { h } from "./dom.js";
import { param, setParams } from "./location.js";

export const FILTERS = ["provider", "status", "q", "problems"];

const ROW = 56;

/** Return the entries of the sandbox in the URL. */
export function inSandbox(entries) {
  const sandbox = param("sandbox");
  const name = sandbox.replace(/^~/, "");
  return sandbox ? entries.filter((entry) => entry.sandbox === (sandbox === "default" ? "" : name)) : entries;
}

/** Return the entries that the filters in the URL select, newest first. */
export function filtered(entries) {
  const filters = Object.fromEntries(FILTERS.map((name) => [name, param(name)]));
  const words = filters.q.toLowerCase();
  const matches = (entry) =>
    (!filters.provider || entry.provider === filters.provider) &&
    (!filters.status || statusClass(entry) === filters.status) &&
    (!words || entry.text.includes(words)) &&
    (!filters.problems || entry.problems.length > 0);
  return entries.filter(matches).reverse();
}

/** Return the last attempt of each call. */
export function lastAttempts(entries) {
  const seen = new Set();
  return entries.filter((entry) => entry.group.length < 2 || (!seen.has(entry.group) && seen.add(entry.group)));
}

/** Return the class of a status: `2xx`, or `none` without a response. */
export function statusClass(entry) {
  return entry.status === null ? "none" : `${String(entry.status)[0]}xx`;
}

/** Return the list; `show(entries)` updates it. */
export function requestList() {
  const rows = h("div", { class: "rows" });
  const box = h("div", { class: "list", role: "listbox", tabindex: "0", "aria-label": "Requests" }, rows);
  let entries = [];
  const select = (index) => {
    const entry = entries[Math.max(0, Math.min(index, entries.length - 1))];
    if (entry) setParams({ request: entry.key });
  };
  const current = () => {
    const key = param("request");
    return key ? entries.findIndex((entry) => entry.group.some((attempt) => attempt.key === key)) : -1;
  };
  // On the box, because rows may be replaced between the press and the release of a button.
  box.addEventListener("click", (event) => {
    const index = Math.floor((event.clientY - box.getBoundingClientRect().top + box.scrollTop) / ROW);
    if (index < entries.length) select(index);
  });
  box.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.floor(box.clientHeight / ROW) - 1);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page };
    const index = event.key === "Home" ? 0 : event.key === "End" ? entries.length - 1 : event.key in moves ? current() + moves[event.key] : null;
    if (index === null) return;
    event.preventDefault();
    select(index);
    const top = current() * ROW;
    if (top < box.scrollTop) box.scrollTop = top;
    if (top + ROW > box.scrollTop + box.clientHeight) box.scrollTop = top + ROW - box.clientHeight;
  });
  const draw = () => {
    rows.style.height = `${entries.length * ROW}px`;
    const first = Math.max(0, Math.floor(box.scrollTop / ROW) - 5);
    const active = current();
    const last = Math.min(entries.length, first + Math.ceil((box.clientHeight || 900) / ROW) + 10);
    rows.replaceChildren(...entries.slice(first, last).map((entry, offset) =>
      row(entry, first + offset, entries.length, first + offset === active)));
    if (active >= first && active < last) box.setAttribute("aria-activedescendant", `row-${active}`);
    else box.removeAttribute("aria-activedescendant");
  };
  box.addEventListener("scroll", () => requestAnimationFrame(draw), { passive: true });
  new ResizeObserver(() => requestAnimationFrame(draw)).observe(box);
  return {
    element: box,
    show(shown) {
      // A reader who has scrolled down keeps the rows in place while new ones arrive.
      const added = entries[0] ? shown.indexOf(entries[0]) : 0;
      entries = shown;
      if (box.scrollTop > 0 && added > 0) {
        rows.style.height = `${entries.length * ROW}px`;
        box.scrollTop += added * ROW;
      }
      draw();
    },
  };
}

function row(entry, index, size, isSelected) {
  const element = h("div", {
    class: "row", role: "option", id: `row-${index}`,
    "aria-selected": String(isSelected), "aria-setsize": size, "aria-posinset": index + 1,
  },
  h("span", { class: `status s${statusClass(entry)}` }, entry.status ?? "—"),
  h("span", { class: "what" },
    h("span", { class: "name" }, entry.operation || `${entry.method} ${entry.path}`),
    h("span", { class: "sub" }, [entry.provider || "no provider", `${entry.method} ${entry.path}`].join(" · "))),
  h("span", { class: "tags" },
    entry.group.length > 1
      ? h("span", { class: "tag", title: `Attempts: ${entry.group.map(({ status }) => status ?? "no response").join(", ")}` }, `${entry.group.length} attempts`)
      : entry.attempt > 1 && h("span", { class: "tag" }, `attempt ${entry.attempt}`),
    entry.violations.length > 0 && h("span", { class: "tag invalid-tag" }, `${entry.violations.length} invalid`),
    entry.fault && h("span", { class: "tag fault" }, entry.fault.kind),
    entry.sandbox && h("span", { class: "tag" }, `~${entry.sandbox}`)),
  h("span", { class: "time" }, h("span", {}, clock(entry.at)), h("span", { class: "muted" }, duration(entry))));
  element.style.transform = `translateY(${index * ROW}px)`;
  return element;
}

function clock(at) {
  return new Date(at).toLocaleTimeString([], { hour12: false });
}

/** Return the duration of a request as text. */
export function duration(entry) {
  const milliseconds = entry.milliseconds;
  if (milliseconds === null) return "";
  return milliseconds < 1000 ? `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms` : `${(milliseconds / 1000).toFixed(2)} s`;
}
