// The entries of all sandboxes, newest last, bounded.

import { follow, get } from "./api.js";

const CAPACITY = 10_000;
const SURPLUS = 500; // entries beyond the capacity that are forgotten at once
const FRAME = 60; // milliseconds between two updates of the page, however many requests arrive
const POLL = 2000; // milliseconds; sandboxes and other state have no events
const EVERY_SANDBOX = "*";

/** The journal as the page has received it. Listeners are called once per frame. */
export class Journal {
  constructor() {
    this.entries = [];
    this.byKey = new Map();
    this.sandboxes = [];
    this.dropped = 0;
    this.calls = new Map(); // the last attempts of each call
    this.listeners = new Set();
    this.scheduled = false;
    this.connected = false;
    this.problem = "";
  }

  /** Follow the journal; call `onRestart` when another server has taken the place of the first. */
  start(onRestart) {
    this.onRestart = onRestart;
    follow((name, data) => this.receive(name, data), (connected, problem = "") => {
      Object.assign(this, { connected, problem });
      this.changed();
    });
    this.poll();
    setInterval(() => document.hidden || this.poll(), POLL);
    document.addEventListener("visibilitychange", () => document.hidden || this.poll());
  }

  receive(name, data) {
    if (name === "dropped") this.dropped += data.count;
    if (name === "request") this.add(data);
    if (name === "cleared") this.clear((sandbox) => [EVERY_SANDBOX, sandbox].includes(data.sandbox));
    if (name === "cleared" && data.sandbox === EVERY_SANDBOX) this.onRestart();
    this.changed();
  }

  add(entry) {
    entry.key = `${entry.sandbox}/${entry.id}`;
    const before = this.byKey.get(entry.key);
    entry.problems = clientProblems(entry);
    entry.text = [entry.id, entry.method, entry.path, entry.provider, entry.operation, entry.account, entry.fault?.kind ?? ""].join(" ").toLowerCase();
    this.byKey.set(entry.key, entry);
    if (before) { // its request failed after it had ended
      entry.group = before.group;
      entry.group[entry.group.indexOf(before)] = entry;
      this.entries[this.entries.indexOf(before)] = entry;
      return;
    }
    this.group(entry);
    this.entries.push(entry);
    if (this.entries.length > CAPACITY + SURPLUS) this.forget(this.entries.splice(0, SURPLUS));
  }

  forget(entries) {
    for (const entry of entries) {
      this.byKey.delete(entry.key);
      if (this.calls.get(callOf(entry)) === entry.group) this.calls.delete(callOf(entry));
    }
  }

  /** Attempts of one call have consecutive numbers. */
  group(entry) {
    const call = callOf(entry);
    const previous = this.calls.get(call);
    entry.group = previous && entry.attempt > 1 && previous.at(-1).attempt === entry.attempt - 1 ? previous : [];
    entry.group.push(entry);
    this.calls.set(call, entry.group);
  }

  /** Forget the entries of sandboxes. */
  clear(isCleared) {
    const kept = this.entries.filter((entry) => !isCleared(entry.sandbox));
    this.forget(this.entries.filter((entry) => isCleared(entry.sandbox)));
    this.entries = kept;
    this.dropped = 0;
  }

  /** Update the sandboxes; on Redis they may expire, which is no event. */
  async poll() {
    const listed = await get("", "sandboxes").catch(() => null);
    if (!listed) return;
    const names = new Set(listed.sandboxes.map((sandbox) => sandbox.name));
    const gone = new Set(this.sandboxes.map((sandbox) => sandbox.name).filter((name) => !names.has(name)));
    this.sandboxes = listed.sandboxes;
    if (gone.size) this.clear((name) => gone.has(name));
    this.changed();
  }

  changed() {
    if (this.scheduled) return;
    this.scheduled = true;
    setTimeout(() => requestAnimationFrame(() => {
      this.scheduled = false;
      for (const listener of this.listeners) listener();
    }), FRAME);
  }
}

function callOf(entry) {
  return [entry.sandbox, entry.provider, entry.operation, entry.account].join(" ");
}

/** Return what the client did wrong, apart from violations. */
function clientProblems(entry) {
  const found = [];
  if (entry.early > 0) found.push("retried before Retry-After");
  if (entry.client_closed !== null) found.push("hung up");
  if (!entry.provider) found.push("wrong base URL");
  return found;
}
