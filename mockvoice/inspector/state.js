// The state of a sandbox: clock, accounts, voices, and its reset.

import { get, post, remove, url } from "./api.js";
import { actionButton, confirmed, h, json, toast } from "./dom.js";

/** Return the view of a sandbox. */
export async function stateView(sandbox, providers) {
  const element = h("div", { class: "page" });
  const refresh = async () => {
    const [clock, accounts, voices] = await Promise.all([get(sandbox, "clock"), get(sandbox, "accounts"), get(sandbox, "voices")]);
    element.replaceChildren(
      clockCard(sandbox, clock, refresh),
      accountsCard(sandbox, accounts.accounts, providers, refresh),
      voicesCard(sandbox, voices.voices),
      resetCard(sandbox, refresh));
  };
  await refresh();
  return { element, update() {} };
}

function clockCard(sandbox, clock, refresh) {
  const change = async (body) => { await post(sandbox, "clock", body); await refresh(); };
  const seconds = h("input", { type: "number", min: "0", value: "60", "aria-label": "Seconds to advance" });
  return h("section", { class: "card" }, h("h2", {}, `Clock of ${sandbox ? `the sandbox ${sandbox}` : "the default sandbox"}`),
    h("p", {}, h("code", {}, clock.now), clock.frozen ? " · frozen" : " · running"),
    h("div", { class: "actions" },
      clock.frozen ? actionButton("Resume", () => change({ freeze: null })) : actionButton("Freeze", () => change({ freeze: true })),
      seconds, actionButton("Advance seconds", () => change({ advance: Number(seconds.value) }))));
}

function accountsCard(sandbox, accounts, providers, refresh) {
  const provider = h("select", { "aria-label": "Provider of the account" }, providers.map(({ name, title }) => h("option", { value: name }, title)));
  const key = h("input", { type: "text", placeholder: "API key, or * for every key", "aria-label": "API key" });
  const fields = h("div", { class: "form-fields" });
  let inputs = new Map();
  const draw = () => {
    const { account_fields: names, tiers } = providers.find(({ name }) => name === provider.value);
    inputs = new Map(names.map((name) => [name, accountInput(name, tiers)]));
    fields.replaceChildren(...[...inputs].map(([name, input]) => h("div", { class: "form-field" }, h("label", { for: input.id }, name), input)));
  };
  provider.addEventListener("change", draw);
  draw();
  const save = async () => {
    const body = {};
    for (const [name, input] of inputs) {
      if (input.value === "") continue;
      try {
        body[name] = name === "tier" ? input.value : JSON.parse(input.value);
      } catch {
        throw new Error(`${name} must be JSON; got ${input.value}`);
      }
    }
    if (!key.value) throw new Error("Enter an API key, or * for every key.");
    await post(sandbox, `accounts/${provider.value}/${encodeURIComponent(key.value)}`, body, "PUT");
    toast("Account changed");
    await refresh();
  };
  return h("section", { class: "card" }, h("h2", {}, "Accounts"),
    accounts.length ? h("div", { class: "table-scroll" }, h("table", {},
      h("thead", {}, h("tr", {}, ["Provider", "Key", "State"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, accounts.map(({ provider: name, key: masked, ...state }) => h("tr", {}, h("td", {}, name), h("td", {}, masked), h("td", {}, h("code", {}, JSON.stringify(state)))))))) : h("p", { class: "muted" }, "No API key was used yet."),
    h("h3", {}, "Change an account"), h("div", { class: "actions" }, provider, key), fields, actionButton("Save account", save, { class: "primary" }));
}

function accountInput(name, tiers) {
  const id = `account-${name}`;
  if (name === "tier" && tiers.length) return h("select", { id }, h("option", { value: "" }, "unchanged"), tiers.map((tier) => h("option", { value: tier }, tier)));
  if (name === "trial_ended") return h("select", { id }, h("option", { value: "" }, "unchanged"), h("option", { value: "true" }, "true"), h("option", { value: "false" }, "false"));
  return h("input", { id, type: "text", placeholder: { limits: '{"requests": {"max": 3, "per": 60}}', models: '["model"]', credit: "100" }[name] ?? "" });
}

function voicesCard(sandbox, voices) {
  return h("section", { class: "card" }, h("h2", {}, "Voices"),
    voices.length ? h("ul", { class: "voices" }, voices.map((voice) => {
      const name = voice.data.name ?? voice.data.voice_name ?? voice.id;
      const audio = h("audio", { controls: true, preload: "none", src: url(sandbox, `samples/wav?voice=${encodeURIComponent(voice.id)}`), "aria-label": `Sample of ${name}` });
      return h("li", {}, h("div", {}, h("strong", {}, String(name)), h("p", { class: "muted" }, [voice.provider, voice.collection, voice.id].join(" · "))), audio, json(voice.data, null, false));
    })) : h("p", { class: "muted" }, "No voices were cloned or added yet."));
}

function resetCard(sandbox, refresh) {
  const name = sandbox ? `the sandbox ${sandbox}` : "the default sandbox";
  return h("section", { class: "card" }, h("h2", {}, "Reset"),
    h("p", { class: "muted" }, "Deletes requests, faults and voices, and returns to the initial state."),
    h("div", { class: "actions" },
      actionButton("Reset", async () => {
        if (await confirmed(`Reset ${name}? Its requests, faults and voices are deleted.`, "Reset")) {
          await post(sandbox, "reset", {});
          toast("Sandbox reset");
          await refresh();
        }
      }, { class: "danger" }),
      sandbox && actionButton("Delete sandbox", async () => {
        if (await confirmed(`Delete ${name} with everything in it?`, "Delete")) {
          await remove("", `sandboxes/${encodeURIComponent(sandbox)}`);
          toast("Sandbox deleted");
        }
      }, { class: "danger" })));
}
