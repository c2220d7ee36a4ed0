// The state of a sandbox: clock, accounts, voices, sandboxes, and its reset.

import { get, post, remove } from "./api.js";
import { actionButton, atMostTwicePerSecond, confirmed, h, labeled, parseJSON, redraw, sandboxPhrase, select, table, toast } from "./dom.js";
import { linkTo, setParams } from "./location.js";
import { voicesCard } from "./voices.js";

/** Return the view of a sandbox. */
export async function stateView(sandbox, providers, journal) {
  const cards = [clockCard, accountsCard, voicesCard, sandboxesCard, resetCard];
  let parts = [];
  let reads = Promise.resolve();
  const refresh = () => {
    const read = Promise.all(parts.map((part) => part.refresh?.()));
    reads = Promise.allSettled([reads, read]);
    return read;
  };
  parts = cards.map((card) => card({ sandbox, providers, journal, refresh, idle: () => reads }));
  await refresh();
  return { element: h("div", { class: "page" }, parts.map((part) => part.element)), update: atMostTwicePerSecond(sandbox, refresh) };
}

function clockCard({ sandbox }) {
  const state = h("p");
  const time = h("input", { type: "text", placeholder: "2026-01-31T12:00:00Z" });
  const seconds = h("input", { type: "number", min: "0", step: "any", value: "60" });
  const show = (clock) => redraw(state, clock, () => [h("code", { class: "big" }, clock.now), h("span", { class: `tag ${clock.frozen ? "fault" : ""}` }, clock.frozen ? "frozen" : "running")]);
  const change = async (body) => show(await post(sandbox, "clock", body));
  return {
    element: h("section", { class: "card" }, h("h2", {}, `Clock of ${sandboxPhrase(sandbox)}`), state,
      h("div", { class: "inline-form" },
        labeled("Freeze at", time, "Now, if it is empty."), actionButton("Freeze", () => change({ freeze: time.value.trim() || true })),
        labeled("Seconds", seconds), actionButton("Advance", () => change({ advance: Number(seconds.value) })),
        actionButton("Run", () => change({ freeze: null })))),
    refresh: async () => show(await get(sandbox, "clock")),
  };
}

function accountsCard({ sandbox, providers, refresh }) {
  const listed = h("div");
  const provider = select(providers.map(({ name, title }) => [name, title]));
  const key = h("input", { type: "text", placeholder: "KEY, or * for every key", spellcheck: "false", autocomplete: "off" });
  const fields = h("div", { class: "form-fields" });
  let inputs = new Map();
  const draw = () => {
    const { account_fields: names, tiers } = providers.find(({ name }) => name === provider.value);
    inputs = new Map(names.map((name) => [name, accountInput(name, tiers)]));
    fields.replaceChildren(...[...inputs].map(([name, input]) => labeled(name, input)));
  };
  provider.addEventListener("change", draw);
  if (providers.length) draw();
  const save = async () => {
    if (!key.value) throw new Error("Enter an API key, or * for every key.");
    const body = {};
    for (const [name, input] of inputs) if (input.value !== "") body[name] = name === "tier" ? input.value : parseJSON(name, input.value);
    await post(sandbox, `accounts/${provider.value}/${encodeURIComponent(key.value)}`, body, "PUT");
    toast("Account changed");
    await refresh();
  };
  return {
    element: h("section", { class: "card" }, h("h2", {}, "Accounts"), listed,
      h("h3", {}, "Change an account"),
      h("div", { class: "form-fields" }, labeled("Provider of the account", provider), labeled("API key", key)), fields,
      actionButton("Save account", save, { class: "primary" })),
    refresh: async () => {
      const { accounts } = await get(sandbox, "accounts");
      redraw(listed, accounts, () => table(["Provider", "Key", "Tier", "Credit", "Trial", "Models", "Limits"], accounts.map((account) => [
        account.provider, account.key, account.tier || "–", account.credit ?? "unlimited", account.trial_ended ? "ended" : "–",
        account.models?.join(", ") ?? "all", h("code", {}, Object.keys(account.limits).length ? JSON.stringify(account.limits) : "–"),
      ]), "No API key was used yet."));
    },
  };
}

function accountInput(name, tiers) {
  if (name === "tier" && tiers.length) return select([["", "unchanged"], ...tiers.map((tier) => [tier, tier])]);
  if (name === "trial_ended") return select([["", "unchanged"], ["true", "true"], ["false", "false"]]);
  return h("input", { type: "text", placeholder: { limits: '{"requests": {"max": 3, "per": 60}}', models: '["model"]', credit: "100, or null: unlimited" }[name] ?? "" });
}

function sandboxesCard({ sandbox, journal, refresh, idle }) {
  const listed = h("div");
  const name = h("input", { type: "text", placeholder: "my-test", pattern: "[A-Za-z0-9._\\-]{1,64}", spellcheck: "false" });
  const open = (event) => {
    event.preventDefault();
    if (name.value && name.reportValidity()) setParams({ sandbox: `~${name.value}` }, true);
  };
  return {
    element: h("section", { class: "card" }, h("h2", {}, "Sandboxes"), listed,
      h("form", { class: "inline-form", onsubmit: open }, labeled("Open a sandbox", name, "It is created by its first use."), h("button", { type: "submit" }, "Open"))),
    refresh: async () => {
      await journal.poll();
      redraw(listed, [journal.sandboxes, sandbox], () => table(["Name", "Base URL", "Requests", "Actions"], journal.sandboxes.map((other) => [
        h("a", linkTo({ sandbox: other.name ? `~${other.name}` : "default" }), other.name || "default"),
        h("code", {}, other.url), other.requests,
        other.name && actionButton("Delete", async () => {
          if (!await confirmed(`Delete ${sandboxPhrase(other.name)} with everything in it?`, "Delete")) return;
          if (other.name === sandbox) {
            setParams({ sandbox: "default" });
            await idle(); // a later read would create the sandbox again
          }
          await remove("", `sandboxes/${encodeURIComponent(other.name)}`);
          toast("Sandbox deleted");
          await (other.name === sandbox ? journal.poll() : refresh());
        }, { class: "quiet", "aria-label": `Delete ${other.name}` }),
      ]), ""));
    },
  };
}

function resetCard({ sandbox, refresh }) {
  return {
    element: h("section", { class: "card" }, h("h2", {}, "Reset"),
      h("p", { class: "muted" }, "Deletes requests, faults and voices, and returns to the initial state."),
      actionButton("Reset", async () => {
        if (!await confirmed(`Reset ${sandboxPhrase(sandbox)}? Its requests, faults and voices are deleted.`, "Reset")) return;
        await post(sandbox, "reset", {});
        toast("Sandbox reset");
        await refresh();
      }, { class: "danger" })),
  };
}
