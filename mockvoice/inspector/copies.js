// A recorded request as a curl command and as a test.

import { sandboxUrl } from "./api.js";

const LEFT_OUT = /^(host|content-length|content-type|connection|accept-encoding|accept|user-agent|x-stainless-.*|x-mockvoice-sandbox|x-api-key|x-sup-api-key|authorization|cookie|sec-.*)$/;

/** Return the headers to send: those of the API, with KEY in place of the masked key. */
function headers(entry, provider) {
  const kept = Object.entries(entry.headers).filter(([name]) => !LEFT_OUT.test(name.toLowerCase()));
  const [name, value] = provider?.auth_header?.split(": ") ?? [];
  const sent = name && entry.account ? [[name, value], ...kept] : kept;
  return Object.fromEntries(sent);
}

function query(entry) {
  const pairs = Object.entries(entry.query).flatMap(([name, values]) => [values].flat().map((value) => [name, String(value)]));
  return pairs.length ? `?${new URLSearchParams(pairs)}` : "";
}

function isMultipart(entry) {
  return entry.files.length > 0 || (entry.headers["content-type"] ?? "").startsWith("multipart/");
}

function text(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Return a curl command that sends the request again. */
export function asCurl(entry, provider) {
  const parts = [`curl -X ${entry.method} ${quote(`${sandboxUrl(entry.sandbox)}${entry.path}${query(entry)}`)}`];
  for (const [name, value] of Object.entries(headers(entry, provider))) parts.push(`-H ${quote(`${name}: ${value}`)}`);
  if (isMultipart(entry)) {
    for (const [name, value] of Object.entries(entry.fields)) {
      for (const item of [value].flat()) parts.push(`--form-string ${quote(`${name}=${text(item)}`)}`);
    }
    for (const file of entry.files) parts.push(`-F ${quote(`${file.field}=@${file.filename}`)}`);
  } else if (Object.keys(entry.fields).length) {
    parts.push(`--json ${quote(JSON.stringify(entry.fields))}`);
  }
  return parts.join(" \\\n  ");
}

function quote(value) {
  return `'${value.replaceAll("'", "'\\''")}'`;
}
