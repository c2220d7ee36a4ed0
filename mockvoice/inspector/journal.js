// The entries of all sandboxes, newest last, bounded.

import { follow, get } from "./api.js";

const CAPACITY = 10_000;

/** The journal as the page has received it. Listeners are called once per frame. */
export class Journal {
  constructor() {
    this.entries = [];
    this.byKey = new Map();
    this.sandboxes = [];
    this.dropped = 0;
    this.received = new Map();
    this.groups = new Map();
    this.listeners = new Set();
    this.scheduled = false;
    this.connected = false;
    this.problem = "";
  }

  start() {
    follow((name, data) => this.receive(name, data), (connected, problem = "") => {
      Object.assign(this, { connected, problem });
      this.changed();
    });
    this.poll();
    setInterval(() => document.hidden || this.poll(), 1000);
    document.addEventListener("visibilitychange", () => document.hidden || this.poll());
  }

  receive(name, data) {
    if (name === "dropped") this.dropped += data.count;
    if (name === "request") this.add(data);
    this.changed();
  }

  add(entry) {
    entry.key = `${entry.sandbox}/${entry.id}`;
    if (this.byKey.has(entry.key)) return;
    this.received.set(entry.sandbox, (this.received.get(entry.sandbox) ?? 0) + 1);
    this.group(entry);
    entry.mistakes = mistakes(entry);
    entry.text = [entry.id, entry.method, entry.path, entry.provider, entry.operation, entry.account, entry.fault?.kind ?? ""].join(" ").toLowerCase();
    this.byKey.set(entry.key, entry);
    this.entries.push(entry);
    if (this.entries.length > CAPACITY + 500) {
      for (const old of this.entries.splice(0, 500)) this.byKey.delete(old.key);
    }
  }

  /** Attempts of one call have consecutive numbers. */
  group(entry) {
    const call = [entry.sandbox, entry.provider, entry.operation, entry.account].join(" ");
    const previous = this.groups.get(call);
    entry.group = previous && entry.attempt > 1 && previous.at(-1).attempt === entry.attempt - 1 ? previous : [];
    entry.group.push(entry);
    this.groups.set(call, entry.group);
  }

  /** Update the sandboxes, and forget the entries of those whose journal was deleted. */
  async poll() {
    const before = new Map(this.received);
    const listed = await get("", "sandboxes").catch(() => null);
    if (!listed) return;
    const names = JSON.stringify(this.sandboxes.map((sandbox) => sandbox.name));
    this.sandboxes = listed.sandboxes;
    const counts = new Map(listed.sandboxes.map((sandbox) => [sandbox.name, sandbox.requests]));
    const cleared = [...before].filter(([name, received]) => received > (counts.get(name) ?? 0));
    for (const [name] of cleared) await this.reload(name);
    if (cleared.length || names !== JSON.stringify(listed.sandboxes.map((sandbox) => sandbox.name))) this.changed();
  }

  /** Replace the entries of a sandbox by those that its journal has. */
  async reload(sandbox) {
    const kept = this.entries.filter((entry) => entry.sandbox !== sandbox);
    this.entries = [];
    this.byKey.clear();
    for (const entry of kept) {
      this.byKey.set(entry.key, entry);
      this.entries.push(entry);
    }
    this.received.delete(sandbox);
    this.groups.clear();
    const exists = this.sandboxes.some((known) => known.name === sandbox);
    const current = exists ? await get(sandbox, "requests").catch(() => null) : null;
    for (const entry of current?.requests ?? []) this.add(entry);
    this.entries.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
    this.changed();
  }

  changed() {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      for (const listener of this.listeners) listener();
    });
  }
}

/** Return what the client did wrong, apart from violations. */
export function mistakes(entry) {
  const found = [];
  if (entry.early > 0) found.push("retried before Retry-After");
  if (entry.client_closed !== null) found.push("hung up");
  if (!entry.provider) found.push("wrong base URL");
  return found;
}
