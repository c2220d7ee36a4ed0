// A recorded request as a curl command and as a test.

import { get, sandboxUrl, send } from "./api.js";

const LEFT_OUT = /^(host|content-length|content-type|connection|accept-encoding|accept|user-agent|x-stainless-.*|x-mockvoice-sandbox|x-api-key|x-sup-api-key|authorization|cookie|origin|referer|sec-.*|transfer-encoding)$/;
export const FORMATS = ["wav", "mp3", "flac", "ogg", "m4a"]; // of samples
const INLINE = 1024; // bytes of a file that a test contains
const BROKEN = ["timeout", "reset", "disconnect", "tls", "truncate"]; // kinds that raise an exception in a client
const REFUSED = [402, 403, 429]; // statuses that depend on the account
const MASK = "…"; // in place of most of a secret
const WIDTH = 88;

/** Return the headers to send: those of the API, with KEY in place of the masked key. */
function headers(entry, provider) {
  const kept = Object.entries(entry.headers).filter(([name]) => !LEFT_OUT.test(name.toLowerCase()));
  const [name, value] = provider?.auth_header?.split(": ") ?? [];
  return Object.fromEntries(name && entry.account ? [[name, value], ...kept] : kept);
}

function queryPairs(entry) {
  return Object.entries(entry.query).flatMap(([name, values]) => [values].flat().map((value) => [name, String(value)]));
}

/** Return the path as it is sent: the journal has it decoded, unless it contains encoded slashes. */
function encodedPath(path) {
  return /%2f/i.test(path) ? path : encodeURI(path).replaceAll("?", "%3F").replaceAll("#", "%23");
}

function contentType(entry) {
  const name = Object.keys(entry.headers).find((header) => header.toLowerCase() === "content-type");
  return name ? entry.headers[name] : "";
}

function isMultipart(entry) {
  return entry.files.length > 0 || contentType(entry).startsWith("multipart/");
}

function isForm(entry) {
  return contentType(entry).startsWith("application/x-www-form-urlencoded");
}

/** Return the fields of a form as pairs of text. */
function textFields(entry) {
  const text = (value) => (typeof value === "string" ? value : JSON.stringify(value));
  return Object.entries(entry.fields).flatMap(([name, value]) => [value].flat().map((item) => [name, text(item)]));
}

/** Return a curl command that sends the request again. */
export function asCurl(entry, provider) {
  const pairs = queryPairs(entry);
  const query = pairs.length ? `?${new URLSearchParams(pairs)}` : "";
  const method = entry.method === "HEAD" ? "--head" : `-X ${entry.method}`;
  const parts = [`curl ${method} ${quote(`${sandboxUrl(entry.sandbox)}${encodedPath(entry.path)}${query}`)}`];
  for (const [name, value] of Object.entries(headers(entry, provider))) parts.push(`-H ${quote(`${name}: ${value}`)}`);
  if (isMultipart(entry)) {
    for (const [name, value] of textFields(entry)) parts.push(`--form-string ${quote(`${name}=${value}`)}`);
    for (const file of entry.files) {
      const type = file.content_type ? `;type=${file.content_type}` : "";
      const name = fileName(file).replace(/["\\]/g, "\\$&");
      parts.push(`-F ${quote(`${file.field}=@"${name}"${type}`)}`);
    }
  } else if (isForm(entry)) {
    for (const [name, value] of textFields(entry)) parts.push(`--data-urlencode ${quote(`${name}=${value}`)}`);
  } else if (Object.keys(entry.fields).length) {
    parts.push(`--json ${quote(JSON.stringify(entry.fields))}`);
  }
  return parts.join(" \\\n  ");
}

function quote(value) {
  return `'${value.replaceAll("'", "'\\''")}'`;
}

/** Return the name to save a file under, which has no folder. */
export function fileName(file) {
  return file.filename.split(/[/\\]/).at(-1) || `file.${file.format || "bin"}`;
}

/** Return a test that sends the same request to a new mock and expects the same result. */
export async function asPytest(entry, provider) {
  const scope = provider ? `mockvoice.${provider.name}` : "mockvoice";
  const fixture = /^[a-z_]\w*$/i.test(provider?.name ?? "x") ? scope : `mockvoice.provider(${python(provider.name)})`;
  const faults = await faultsOf(entry);
  const isBroken = !entry.status || entry.client_closed !== null || faults.some((fault) => BROKEN.includes(fault.kind));
  const marker = await settingsOf(entry, provider);
  const setup = [
    ...(await accountOf(entry, provider)).map((state) => `${fixture}.account("KEY", ${state})`),
    ...(await voicesOf(entry)).map((voice) => `mockvoice.request("POST", "/voices", ${python(voice, 4)})`),
    ...faults.map((fault) => `mockvoice.request("POST", "/faults", ${python(fault, 4)})`),
  ];
  const files = await Promise.all(entry.files.map((file, index) => fileArgument(entry, file, index)));
  const call = requestCall(entry, provider, fixture, files, timeoutOf(entry, isBroken));
  const body = isBroken
    ? ["with pytest.raises(httpx.HTTPError):", ...call.map((line) => `    ${line}`)]
    : [`response = ${call[0]}`, ...call.slice(1), `assert response.status_code == ${entry.status}`, ...bodyAssertions(entry, faults)];
  const source = [...setup.flatMap((line) => line.split("\n")), ...body].map((line) => `    ${line}`);
  const isSaved = files.some((file) => file.includes("__file__"));
  return [
    ...(isSaved ? ["from pathlib import Path", ""] : []),
    "import httpx",
    ...(isBroken || marker ? ["import pytest"] : []),
    "",
    "from mockvoice import Control",
    "",
    "",
    ...(marker ? [`@pytest.mark.mockvoice(${marker})`] : []),
    `def test_${snakeCase(entry.operation || entry.method)}_${entry.status ? `returns_${entry.status}` : "gets_no_response"}(mockvoice: Control) -> None:`,
    ...source,
    "",
  ].join("\n");
}

/** Return the settings of the sandbox that differ from the defaults, as arguments of the marker. */
async function settingsOf(entry, provider) {
  const exported = await (await send(entry.sandbox, "export")).text();
  const setting = (name) => new RegExp(`^${name}: '?(\\w+)'?$`, "m").exec(exported)?.[1];
  const served = (await get(entry.sandbox, "providers")).providers.find(({ name }) => name === provider?.name);
  return [
    setting("audio") === "any" && 'audio="any"',
    setting("limits") === "documented" && 'limits="documented"',
    setting("strict_fields") === "true" && "strict_fields=True",
    served?.editions.length && served.edition !== served.editions[0] && `edition=${python({ [served.name]: served.edition })}`,
  ].filter(Boolean).join(", ");
}

/** Return the state of the account that may have decided the result, as keyword arguments. */
async function accountOf(entry, provider) {
  if (!provider || !entry.account) return [];
  const { accounts } = await get(entry.sandbox, "accounts");
  const account = accounts.find(({ provider: name, key }) => name === provider.name && key === entry.account);
  if (!account) return [];
  const initial = await get(entry.sandbox, `accounts/${provider.name}/*`);
  const isSet = (name) => account[name] !== "" && JSON.stringify(account[name]) !== "{}";
  const isChanged = (name) => name !== "credit" && JSON.stringify(account[name]) !== JSON.stringify(initial[name]); // the request itself may have spent credit
  const copied = provider.account_fields.filter((name) => isSet(name) && (REFUSED.includes(entry.status) || isChanged(name)));
  return copied.length ? [copied.map((name) => `${name}=${python(account[name], 4)}`).join(", ")] : [];
}

/** Return the stored records that the request names by their ids. */
async function voicesOf(entry) {
  const { voices } = await get(entry.sandbox, "voices");
  const sent = JSON.stringify([decodeURIComponent(encodedPath(entry.path)).split("/"), entry.query, entry.fields]);
  return voices
    .filter(({ provider, id }) => provider === entry.provider && sent.includes(JSON.stringify(id)))
    .map(({ provider, collection, id, data }) => ({ provider, collection, id, data, complete: true }));
}

/** Return the faults that fired for the request, except those that its headers set. */
async function faultsOf(entry) {
  if (!entry.fault) return [];
  const kinds = entry.fault.kind.split(", ");
  const ids = entry.fault.id.split(", ");
  const faults = await Promise.all(ids.map(async (id, index) => {
    if (!/^fault_\d+$/.test(id)) return null;
    const kind = kinds[index];
    const added = await get(entry.sandbox, `faults/${id}`).catch(() => ({})); // it may have been removed
    const effect = Object.fromEntries(Object.entries(added).filter(([name]) =>
      ["body", "headers", "retry_after", "when", "seconds", "bytes", "fraction", "certificate", "set", "remove"].includes(name)));
    return { kind, ...(["status", "reply"].includes(kind) && entry.status ? { status: entry.status } : {}), ...effect };
  }));
  return faults.filter(Boolean);
}

/** Return the lines of a call of httpx. */
function requestCall(entry, provider, fixture, files, timeout) {
  const base = provider && entry.path.startsWith(provider.base_path) ? provider.base_path : "";
  const path = encodedPath(entry.path.slice(base.length));
  const pairs = queryPairs(entry);
  const sent = headers(entry, provider);
  const lines = [
    python(entry.method),
    `${base ? `${fixture}.base_url` : "mockvoice.url"} + ${python(path)}`,
    pairs.length && `params=${python(pairs, 4)}`,
    Object.keys(sent).length && `headers=${python(sent, 4)}`,
    ...bodyArguments(entry, files),
    timeout && `timeout=${timeout}`,
  ].filter(Boolean);
  return ["httpx.request(", ...lines.flatMap((line) => `${line},`.split("\n").map((part) => `    ${part}`)), ")"];
}

/** Return the seconds that a client must wait if they differ from the default of httpx, which is 5. */
function timeoutOf(entry, isBroken) {
  if (isBroken) return entry.client_closed ? Number(entry.client_closed.toFixed(2)) : entry.fault?.kind.includes("timeout") && 1;
  return entry.milliseconds > 4000 && Math.ceil(entry.milliseconds / 1000) + 5;
}

function bodyArguments(entry, files) {
  const fields = textFields(entry);
  if (isMultipart(entry)) {
    const parts = [...fields.map(([name, value]) => `(${python(name)}, (None, ${python(value)}))`), ...files];
    return parts.length ? [`files=[\n${parts.map((part) => `    ${part},\n`).join("")}]`] : [];
  }
  if (isForm(entry)) return [`data=${python(Object.fromEntries(fields.map(([name]) => [name, fields.filter(([other]) => other === name).map(([, value]) => value)])), 4)}`];
  return Object.keys(entry.fields).length ? [`json=${python(entry.fields, 4)}`] : [];
}

/** Return a part of a form: a sample like the one that was sent, or the very bytes if these matter. */
async function fileArgument(entry, file, index) {
  const name = fileName(file);
  const type = file.content_type ? `, ${python(file.content_type)}` : "";
  const part = (content) => `(${python(file.field)}, (${python(name)}, ${content}${type}))`;
  const isValid = !entry.violations.some(({ location, pointer }) => location === "body" && pointer.startsWith(`/${file.field}`));
  if (isValid && FORMATS.includes(file.format) && file.seconds > 0 && file.seconds <= 300) {
    return part(`mockvoice.sample(${python(file.format)}, seconds=${Number(file.seconds.toFixed(2)) || 0.01})`);
  }
  if (file.sha256 && file.bytes <= INLINE) {
    const content = await send(entry.sandbox, `requests/${entry.id}/files/${index}`);
    return part(bytesLiteral(new Uint8Array(await content.arrayBuffer())));
  }
  return part(`Path(__file__).with_name(${python(name)}).read_bytes()`);
}

function bytesLiteral(bytes) {
  const escape = (byte) => (byte === 34 || byte === 92 ? `\\${String.fromCharCode(byte)}` : byte < 32 || byte > 126 ? `\\x${byte.toString(16).padStart(2, "0")}` : String.fromCharCode(byte));
  return `b"${[...bytes].map(escape).join("")}"`;
}

/** Return assertions on what does not differ between two runs. */
function bodyAssertions(entry, faults) {
  const { body, headers: received } = entry.response;
  const type = received["content-type"];
  if (body === null) return type ? [`assert response.headers["content-type"] == ${python(type)}`] : [];
  if (faults.length || typeof body !== "object") return [];
  const text = JSON.stringify(body);
  if (entry.status >= 400) {
    const varies = text.includes(MASK) || text.length > 2000 || /[0-9a-f]{8,}|\d{4}-\d\d-\d\d|:\/\//.test(text);
    return varies ? [] : `assert response.json() == ${python(body, 0)}`.split("\n");
  }
  const [path, members] = body.data && !Array.isArray(body.data) && typeof body.data === "object" ? ['["data"]', body.data] : ["", body];
  return Object.entries(entry.fields)
    .filter(([name, value]) => ["string", "number", "boolean"].includes(typeof value) && members[name] === value && !String(value).includes(MASK))
    .map(([name, value]) => `assert response.json()${path}[${python(name)}] == ${python(value)}`);
}

function snakeCase(name) {
  return name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").replace(/\W+/g, "_").toLowerCase();
}

/** Return a JSON value as Python, on several lines if it is long; `used` columns are taken. */
function python(value, used = 0) {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value !== "object") return JSON.stringify(value);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  const items = Array.isArray(value)
    ? value.map((item) => python(item, used + 4))
    : Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}: ${python(item, used + 4)}`);
  const line = `${open}${items.join(", ")}${close}`;
  if (line.length + used + 16 < WIDTH && !line.includes("\n")) return line;
  return `${open}\n${items.map((item) => `    ${item.replaceAll("\n", "\n    ")},\n`).join("")}${close}`;
}
