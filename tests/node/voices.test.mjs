// Tests with the official Node SDKs against a running mockvoice server.
//
//     mockvoice serve          one server for all tests
//     npm ci && npm test       set MOCKVOICE_URL if the server is not on its default port
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import Retell from 'retell-sdk';
import Telnyx, { toFile } from 'telnyx';

const url = process.env.MOCKVOICE_URL ?? 'http://127.0.0.1:4010';
const quick = { retry_after: 0.001 }; // seconds until the SDKs retry

/** Return helpers for a new sandbox. Sandboxes are isolated, so tests can run in parallel. */
function mockvoice() {
  const base = `${url}/~${randomUUID()}`;

  async function control(method, path, body) {
    const response = await fetch(`${base}/__mockvoice${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
    });
    const result = await response.json();
    assert.ok(response.ok, result.detail);
    return result;
  }

  return {
    telnyx: (options) => new Telnyx({ apiKey: 'KEY', baseURL: `${base}/telnyx/v2`, ...options }),
    retell: (options) => new Retell({ apiKey: 'KEY', baseURL: `${base}/retell`, ...options }),
    fail: (fault) => control('POST', '/faults', fault),
    hits: async ({ id }) => (await control('GET', `/faults/${id}`)).hits,
    account: (provider, key, state) => control('PUT', `/accounts/${provider}/${key}`, state),
    requests: async () => (await control('GET', '/requests')).requests,
  };
}

/** Return the bytes of a voice sample. */
async function sampleBytes() {
  const response = await fetch(`${url}/__mockvoice/samples/wav?seconds=3`);
  return Buffer.from(await response.arrayBuffer());
}

/** Return a voice sample as a File: the SDKs send each byte of a Buffer separately. */
async function sample(name = 'sample.wav') {
  return new File([await sampleBytes()], name);
}

/** Return the parameters of a Telnyx upload. */
function uploadParams(audio_file, fields) {
  const request = { audio_file, name: 'narrator', language: 'en', gender: 'male' };
  return { voice_clone_upload_request: { ...request, provider: 'telnyx', ...fields } };
}

/** Return the names of the clones on all pages. */
async function cloneNames(telnyx) {
  const names = [];
  for await (const clone of telnyx.voiceClones.list()) names.push(clone.name);
  return names;
}

/** Return the error of a call that must fail. */
async function errorOf(call) {
  const error = await call.then(() => undefined, (reason) => reason);
  assert.ok(error, 'the call succeeded');
  return error;
}

/** Return the messages and the hint from the headers of an error, without the hint at the edition. */
function diagnostics(error) {
  return {
    messages: JSON.parse(error.headers.get('x-mockvoice-violations')).map((violation) => violation.message),
    hint: error.headers.get('x-mockvoice-hint').split('; the SDK (')[0],
  };
}

test('a Telnyx voice is cloned, listed and deleted', async () => {
  const telnyx = mockvoice().telnyx();
  const { data } = await telnyx.voiceClones.createFromUpload(uploadParams(await sample()));
  assert.equal(data.name, 'narrator');
  assert.equal(data.status, 'active');
  assert.deepEqual(await cloneNames(telnyx), ['narrator']);
  await telnyx.voiceClones.delete(data.id);
  assert.deepEqual(await cloneNames(telnyx), []);
});

test('File, Buffer and stream uploads arrive with identical bytes', async (t) => {
  const mock = mockvoice();
  const bytes = await sampleBytes();
  const folder = await mkdtemp(join(tmpdir(), 'mockvoice-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'sample.wav');
  await writeFile(path, bytes);
  const shapes = [
    new File([bytes], 'sample.wav'),
    await toFile(bytes, 'sample.wav'),
    createReadStream(path),
  ];
  for (const shape of shapes) await mock.telnyx().voiceClones.createFromUpload(uploadParams(shape));
  const files = (await mock.requests()).flatMap((request) => request.files);
  assert.deepEqual(files.map((file) => file.filename), Array(3).fill('sample.wav'));
  assert.deepEqual(files.map((file) => [file.format, file.seconds]), Array(3).fill(['wav', 3]));
  assert.equal(new Set(files.map((file) => file.sha256)).size, 1);
});

test('the SDK retries after a temporary 502', async () => {
  const mock = mockvoice();
  await mock.fail({ provider: 'telnyx', status: 502, times: 2, ...quick });
  const { data } = await mock.telnyx().voiceClones.createFromUpload(uploadParams(await sample()));
  assert.equal(data.name, 'narrator');
  const requests = await mock.requests();
  assert.deepEqual(requests.map((request) => request.status), [502, 502, 201]);
  assert.deepEqual(requests.map((request) => request.attempt), [1, 2, 3]);
});

test('a permanent 502 raises InternalServerError', async () => {
  const mock = mockvoice();
  await mock.fail({ provider: 'telnyx', status: 502, ...quick });
  const error = await errorOf(mock.telnyx().voiceClones.list());
  assert.ok(error instanceof Telnyx.InternalServerError);
  assert.equal(error.status, 502);
  assert.equal((await mock.requests()).length, 3);
});

test('an invalid field returns 422 with its pointer', async () => {
  const { voiceClones } = mockvoice().telnyx();
  const call = voiceClones.createFromUpload(uploadParams(await sample(), { language: 'EN' }));
  const error = await errorOf(call);
  assert.ok(error instanceof Telnyx.UnprocessableEntityError);
  assert.equal(error.error.errors[0].source.pointer, '/language');
  assert.match(diagnostics(error).messages[0], /^language must match/);
});

test('a misnamed field returns a hint with the correct name', async () => {
  const { voiceClones } = mockvoice().telnyx();
  const audio = await sample();
  const call = voiceClones.createFromUpload(uploadParams(undefined, { audio }));
  assert.deepEqual(diagnostics(await errorOf(call)), {
    messages: ['audio_file is required'],
    hint: 'you sent audio; the field is audio_file',
  });
});

// Since version 7 the SDK requires a wrapper property and drops all other fields.
test('fields without the wrapper of telnyx 7 return a hint', async () => {
  const { voiceClones } = mockvoice().telnyx();
  const upload = uploadParams(await sample()).voice_clone_upload_request;
  assert.deepEqual(diagnostics(await errorOf(voiceClones.createFromUpload(upload))), {
    messages: ['audio_file is required', 'language is required', 'name is required'],
    hint: 'the body has no parts: telnyx-node 7 takes the fields in voice_clone_upload_request;'
      + ' telnyx-go 4 drops them, so pass the body with option.WithRequestBody',
  });
  const design = { voice_design_id: '550e8400-e29b-41d4-a716-446655440000' };
  assert.deepEqual(diagnostics(await errorOf(voiceClones.create(design))), {
    messages: ['the body is empty'],
    hint: 'the body is empty: telnyx-node 7 takes the fields in voice_clone_request',
  });
});

test('a Buffer that is not wrapped in a File returns a hint', async () => {
  const mock = mockvoice();
  const asFile = "bytes must be sent as one file, in Node as toFile(bytes, 'a.wav')";
  const bytes = (await sampleBytes()).subarray(0, 1000);
  const { voiceClones } = mock.telnyx();
  const many = diagnostics(await errorOf(voiceClones.createFromUpload(uploadParams(bytes))));
  assert.deepEqual(many.messages, ['the multipart body has more than 128 parts']);
  assert.ok(many.hint.endsWith(asFile));
  const few = uploadParams(bytes.subarray(0, 3));
  const { hint } = diagnostics(await errorOf(voiceClones.createFromUpload(few)));
  assert.ok(hint.endsWith(asFile));
  const files = [bytes];
  const voice = { files, voice_name: 'narrator', voice_provider: 'elevenlabs' };
  const json = diagnostics(await errorOf(mock.retell().voice.clone(voice)));
  assert.match(json.messages[0], /^files\.0 must be a file/);
  assert.ok(json.hint.endsWith(asFile));
});

test('a Retell voice is cloned from several files, fetched and listed', async () => {
  const mock = mockvoice();
  const { voice } = mock.retell();
  const cloned = await voice.clone({
    files: [await sample('a.wav'), await sample('b.wav')],
    voice_name: 'narrator',
    voice_provider: 'elevenlabs',
  });
  assert.equal(cloned.provider, 'elevenlabs');
  assert.deepEqual(await voice.retrieve(cloned.voice_id), cloned);
  assert.deepEqual((await voice.list()).at(-1), cloned);
  const [{ files }] = await mock.requests();
  assert.deepEqual(files.map((file) => file.filename).sort(), ['a.wav', 'b.wav']);
});

test('an ended trial returns 402 without retries', async () => {
  const mock = mockvoice();
  await mock.account('retell', 'KEY', { trial_ended: true });
  const { voice } = mock.retell();
  const files = [await sample()];
  const call = voice.clone({ files, voice_name: 'narrator', voice_provider: 'elevenlabs' });
  const error = await errorOf(call);
  assert.ok(error instanceof Retell.APIError);
  assert.equal(error.message, '402 Trial has ended, please add payment method.');
  assert.deepEqual((await mock.requests()).map((request) => request.status), [402]);
});

// Retell has no idempotency keys: every retry repeats an operation that took effect.
test('a fault after the operation leaves three voices', async () => {
  const mock = mockvoice();
  const { voice } = mock.retell();
  const presets = await voice.list();
  await mock.fail({ operation: 'cloneVoice', status: 500, when: 'after', times: 2, ...quick });
  const files = [await sample()];
  await voice.clone({ files, voice_name: 'narrator', voice_provider: 'elevenlabs' });
  const created = (await voice.list()).slice(presets.length);
  assert.deepEqual(created.map((item) => item.voice_name), ['narrator', 'narrator', 'narrator']);
});

test('a reset raises APIConnectionError', async () => {
  const mock = mockvoice();
  const fault = await mock.fail({ kind: 'reset' });
  const error = await errorOf(mock.telnyx({ maxRetries: 0 }).voiceClones.list());
  assert.ok(error instanceof Telnyx.APIConnectionError);
  assert.ok(!(error instanceof Telnyx.APIConnectionTimeoutError));
  assert.equal(await mock.hits(fault), 1);
});

test('a missing response raises APIConnectionTimeoutError', async () => {
  const mock = mockvoice();
  const fault = await mock.fail({ kind: 'timeout' });
  const error = await errorOf(mock.retell({ maxRetries: 0, timeout: 100 }).voice.list());
  assert.ok(error instanceof Retell.APIConnectionTimeoutError);
  assert.equal(await mock.hits(fault), 1);
});
