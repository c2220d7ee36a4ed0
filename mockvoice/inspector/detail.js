// One request next to its response.

import { download, send } from "./api.js";
import { asCurl, asPytest, fileName, FORMATS } from "./copies.js";
import { actionButton, copyButton, h, json, table } from "./dom.js";
import { duration, statusClass } from "./list.js";
import { linkTo, setParams } from "./location.js";

/** Return the view of an entry. */
export function requestDetail(entry, provider) {
  return h("article", { class: "detail", "aria-label": `Request ${entry.id}` },
    h("header", { class: "detail-head" },
      h("button", { type: "button", class: "quiet back", onclick: () => setParams({ request: "" }) }, "Back to the list"),
      h("h2", {}, h("span", { class: `status s${statusClass(entry)}` }, entry.status ?? "no response"), entry.operation || "Unknown operation"),
      h("p", { class: "path" }, `${entry.method} ${entry.path}`),
      h("p", { class: "muted" }, [entry.id, entry.provider, entry.account && `key ${entry.account}`, duration(entry), entry.sandbox && `sandbox ${entry.sandbox}`].filter(Boolean).join(" · ")),
      !isWebSocket(entry) && h("div", { class: "actions" },
        copyButton("Copy as curl", () => asCurl(entry, provider), "the curl command"),
        copyButton("Copy as pytest", () => asPytest(entry, provider), "the test"))),
    notes(entry),
    attempts(entry),
    h("div", { class: "columns" }, request(entry), response(entry)),
    isWebSocket(entry) && frames(entry),
    entry.difference && differences(entry));
}

function isWebSocket(entry) {
  return entry.status === 101;
}

function notes(entry) {
  const lines = [
    entry.hint && !entry.violations.some(({ hint }) => hint === entry.hint) && ["hint", entry.hint],
    ...entry.problems.map((problem) => ["warning", `Client problem: ${problem}${problem.startsWith("retried") ? `, ${entry.early.toFixed(1)} s early` : ""}`]),
    entry.fault && ["fault", `Fault ${entry.fault.id} fired: ${entry.fault.kind}`],
    entry.upstream && ["hint", `Forwarded to ${entry.upstream}`],
    entry.custom && ["fault", "A fault of kind reply made or edited this response."],
    entry.internal_error && ["warning", entry.internal_error],
  ].filter(Boolean);
  return lines.map(([kind, line]) => h("p", { class: `note ${kind}` }, line));
}

/** Return the frames of a WebSocket, and its end. */
function frames(entry) {
  const end = entry.closed ? `Closed with ${[entry.closed.code, entry.closed.reason].filter(Boolean).join(": ")}.` : "Not closed.";
  const rows = entry.frames.map(({ sender, milliseconds, bytes, data }) =>
    [sender, `${milliseconds.toFixed(0)} ms`, bytes, data === null ? "binary" : typeof data === "string" ? data : json(data, null, false)]);
  return section("Frames", table(["Sender", "After", "Bytes", "Data"], rows, "No frames."),
    h("p", { class: "muted" }, entry.omitted_frames ? `${entry.omitted_frames} later frames were not recorded. ${end}` : end));
}

/** Return what the mock would have responded differently than the live service. */
function differences(entry) {
  const rows = entry.difference.map(({ kind, location, live, mock }) => [kind, location, JSON.stringify(live), JSON.stringify(mock)]);
  return section("Differences between the live service and the mock", table(["Kind", "Where", "Live", "Mock"], rows, "None."));
}

function attempts(entry) {
  if (entry.group.length < 2) return null;
  return h("nav", { class: "attempts", "aria-label": "Attempts of this call" }, entry.group.map((attempt) =>
    h("button", { type: "button", class: "quiet", "aria-current": attempt === entry ? "true" : null, onclick: () => setParams({ request: attempt.key }) },
      `Attempt ${attempt.attempt ?? 1}`, h("span", { class: `status s${statusClass(attempt)}` }, attempt.status ?? "no response"))));
}

function section(title, ...content) {
  return h("section", { class: "card" }, h("h3", {}, title), content);
}

/** Return a card that is closed until somebody looks into it. */
function folded(title, count, content) {
  return h("details", { class: "card folded" }, h("summary", {}, h("h3", {}, title), h("span", { class: "muted" }, count)), content);
}

function request(entry) {
  const left = new Set(entry.violations);
  const rows = (location, values) => {
    const found = Object.entries(values).map(([name, value]) => fieldRow(name, value, notes(take(left, location, name))));
    const missing = [...left].filter((violation) => violation.location === location && violation.pointer);
    return [...found, ...missing.map((violation) => {
      left.delete(violation);
      return fieldRow(unescape(violation.pointer), undefined, notes([violation]));
    })];
  };
  const notes = (violations) => violations.map((violation) => violationNote(entry, violation));
  const files = entry.files.map((file, index) => fileCard(entry, file, index, notes(take(left, "body", file.field))));
  const fields = rows("body", entry.fields);
  const query = rows("query", entry.query);
  const headers = rows("header", entry.headers);
  const hasInvalidHeader = entry.violations.some(({ location }) => location === "header");
  return h("div", { class: "column" },
    section("Request",
      left.size > 0 && h("div", {}, notes([...left])),
      fields.length > 0 ? h("dl", { class: "fields" }, fields) : h("p", { class: "muted" }, entry.bytes ? `${entry.bytes} bytes` : "No body."),
      files),
    query.length > 0 && section("Query", h("dl", { class: "fields" }, query)),
    hasInvalidHeader
      ? section("Request headers", h("dl", { class: "fields headers" }, headers))
      : folded("Request headers", headers.length, h("dl", { class: "fields headers" }, headers)));
}

/** Return the violations of a field, and remove them from those that are left. */
function take(left, location, name) {
  const found = [...left].filter((violation) => violation.location === location &&
    unescape(violation.pointer).split("/")[0].toLowerCase() === name.toLowerCase());
  for (const violation of found) left.delete(violation);
  return found;
}

function unescape(pointer) {
  return pointer.slice(1).replaceAll("~1", "/").replaceAll("~0", "~");
}

function fieldRow(name, value, violations) {
  return h("div", { class: violations.length ? "field invalid" : "field" },
    h("dt", {}, name),
    h("dd", {}, value === undefined ? h("span", { class: "muted" }, "missing") : typeof value === "string" ? value : json(value)),
    violations.length > 0 && h("dd", { class: "wide" }, violations));
}

function violationNote(entry, violation) {
  const facts = [["Rule", violation.rule], ["Expected", violation.expected], ["Received", violation.received]];
  const [file, pointer] = violation.source.split("#");
  return h("div", { class: "violation" },
    h("strong", {}, violation.message),
    violation.hint && h("p", {}, violation.hint),
    h("dl", {}, facts.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) =>
      h("div", {}, h("dt", {}, name), h("dd", {}, typeof value === "string" ? value : JSON.stringify(value)))),
      pointer && h("div", {}, h("dt", {}, "Contract"), h("dd", {},
        h("a", linkTo({ view: "contract", provider: entry.provider, at: pointer, sandbox: entry.sandbox ? `~${entry.sandbox}` : "default" }), `${file} … ${pointer.split("/").slice(-2).join("/")}`)))));
}

function fileCard(entry, file, index, violations) {
  const player = h("div", { class: "player" });
  const facts = [file.format, `${file.bytes.toLocaleString("en")} bytes`, file.seconds !== null && `${file.seconds.toFixed(2)} s`, file.content_type];
  return h("div", { class: violations.length ? "file invalid" : "file" },
    h("div", { class: "file-head" },
      h("div", {}, h("strong", {}, file.filename || "(no file name)"), h("p", { class: "muted" }, [file.field, ...facts].filter(Boolean).join(" · "))),
      file.sha256
        ? h("div", { class: "actions" },
          FORMATS.includes(file.format) && actionButton("Listen", () => load(entry, file, index, player)),
          actionButton("Download", () => download(entry.sandbox, `requests/${entry.id}/files/${index}`, fileName(file))))
        : h("span", { class: "muted" }, "content evicted")),
    player,
    violations);
}

/** Show a player and the waveform of a file. */
async function load(entry, file, index, player) {
  const response = await send(entry.sandbox, `requests/${entry.id}/files/${index}`);
  const bytes = await response.arrayBuffer();
  const audio = h("audio", { controls: true, preload: "metadata", "aria-label": `Player for ${file.filename}` });
  audio.src = URL.createObjectURL(new Blob([bytes], { type: `audio/${{ mp3: "mpeg", m4a: "mp4" }[file.format] ?? file.format}` }));
  const canvas = h("canvas", { width: 640, height: 72, role: "img", "aria-label": `Waveform of ${file.filename}` });
  player.replaceChildren(canvas, audio);
  const context = new OfflineAudioContext(1, 1, 8000);
  await context.decodeAudioData(bytes).then((sound) => draw(canvas, sound.getChannelData(0)), () => canvas.remove());
}

function draw(canvas, samples) {
  const context = canvas.getContext("2d");
  context.fillStyle = getComputedStyle(canvas).color;
  const bars = canvas.width / 4;
  const step = Math.max(1, Math.floor(samples.length / bars));
  const peaks = Array.from({ length: bars }, (_, bar) => {
    let peak = 0;
    for (let at = bar * step; at < Math.min((bar + 1) * step, samples.length); at += 1) peak = Math.max(peak, Math.abs(samples[at]));
    return peak;
  });
  const loudest = Math.max(...peaks) || 1;
  peaks.forEach((peak, bar) => {
    const height = Math.max(2, (peak / loudest) * canvas.height);
    context.fillRect(bar * 4, (canvas.height - height) / 2, 2, height);
  });
}

function response(entry) {
  if (!entry.response) return h("div", { class: "column" }, section("Response", h("p", { class: "muted" }, "No response was sent.")));
  const { headers, body } = entry.response;
  const shown = Object.entries(headers).filter(([name]) => name !== "x-mockvoice-violations"); // they are at their fields
  return h("div", { class: "column" },
    section("Response", body === null ? h("p", { class: "muted" }, "Empty, or audio, which the journal does not keep.") : typeof body === "string" ? h("pre", { tabindex: "0" }, body) : json(body)),
    folded("Response headers", shown.length, h("dl", { class: "fields headers" }, shown.map(([name, value]) => fieldRow(name, value, [])))));
}
