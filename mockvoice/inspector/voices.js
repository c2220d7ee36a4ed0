// The voices of a sandbox: listen, add, delete.

import { get, post, remove, url } from "./api.js";
import { actionButton, confirmed, h, json, labeled, parseJSON, redraw, select, toast } from "./dom.js";

const SHOWN = 100; // voices that are listed at once

/** Return the card of voices and other records. */
export function voicesCard({ sandbox, providers, refresh }) {
  const listed = h("div");
  const presets = h("input", { type: "checkbox", onchange: () => refresh() });
  return {
    element: h("section", { class: "card" }, h("div", { class: "page-head" }, h("h2", {}, "Voices"), h("label", { class: "check" }, presets, "Presets")),
      listed, h("h3", {}, "Add a voice"), providers.length > 0 && addForm(sandbox, providers, refresh)),
    refresh: async () => {
      const { voices, evicted } = await get(sandbox, `voices?presets=${presets.checked}`);
      redraw(listed, [voices, evicted], () => list(sandbox, voices, evicted, refresh));
    },
  };
}

function list(sandbox, voices, evicted, refresh) {
  if (!voices.length) return h("p", { class: "muted" }, "No voices were cloned or added yet.");
  const newest = voices.slice(-SHOWN);
  const hidden = voices.length - newest.length;
  return [
    h("ul", { class: "voices" }, newest.map((voice) => item(sandbox, voice, refresh))),
    hidden + evicted > 0 && h("p", { class: "muted" }, `${hidden} older ones are not shown, ${evicted} were evicted.`),
  ].filter(Boolean);
}

function item(sandbox, voice, refresh) {
  const name = String(voice.data.name ?? voice.data.voice_name ?? voice.id);
  const sample = url(sandbox, `samples/wav?voice=${encodeURIComponent(voice.id)}`);
  const query = new URLSearchParams({ provider: voice.provider, collection: voice.collection });
  return h("li", {},
    h("div", { class: "voice" },
      h("div", {}, h("strong", {}, name), h("p", { class: "muted" }, [voice.provider, voice.collection, voice.id, voice.account === "*" ? "every key" : `key ${voice.account}`].join(" · "))),
      h("audio", { controls: true, preload: "none", src: sample, "aria-label": `Sample of ${name}` }),
      actionButton("Delete", async () => {
        if (!await confirmed(`Delete the voice ${name}?`, "Delete")) return;
        await remove(sandbox, `voices/${encodeURIComponent(voice.id)}?${query}`);
        toast("Voice deleted");
        await refresh();
      }, { class: "quiet", "aria-label": `Delete ${name}` })),
    json(voice.data, null, false));
}

function addForm(sandbox, providers, refresh) {
  const provider = select(providers.map(({ name, title }) => [name, title]));
  const collection = h("select");
  const id = h("input", { type: "text", placeholder: "generated", spellcheck: "false" });
  const account = h("input", { type: "text", placeholder: "every key", spellcheck: "false", autocomplete: "off" });
  const data = h("input", { type: "text", placeholder: '{"name": "narrator"}', spellcheck: "false" });
  const draw = () => {
    const { collections } = providers.find(({ name }) => name === provider.value);
    collection.replaceChildren(...collections.map((name) => h("option", { value: name }, name)));
  };
  provider.addEventListener("change", draw);
  draw();
  const add = async () => {
    const seed = { provider: provider.value };
    for (const [name, input] of Object.entries({ collection, id, account })) if (input.value) seed[name] = input.value;
    if (data.value) seed.data = parseJSON("Data", data.value);
    toast(`Added ${(await post(sandbox, "voices", seed)).id}`);
    await refresh();
  };
  return h("div", {},
    h("div", { class: "form-fields" }, labeled("Provider of the voice", provider), labeled("Collection", collection), labeled("Id", id),
      labeled("Owner", account, "API key that owns the voice."), labeled("Data", data, "Properties as JSON; missing ones get valid values.")),
    actionButton("Add voice", add, { class: "primary" }));
}
