// Voices from Node: the official SDKs against a mockvoice that runs beside the tests.
//
//     mockvoice serve          one server for all of them
//     npm ci && npm test       MOCKVOICE_URL says where it is, unless on its usual port
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
const quick = { retry_after: 0.001 }; // seconds that the SDKs are told to wait before they retry

/** A mock of one's own: what happens in it is seen in no other, so tests may run side by side. */
function mockvoice() {
  const base = `${url}/~${randomUUID()}`;

  async function control(method, path, body) {
    const response = await fetch(`${base}/__mockvoice${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
    });
    const answer = await response.json();
    assert.ok(response.ok, answer.detail);
    return answer;
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

/** The bytes of a voice sample. */
async function sound() {
  const response = await fetch(`${url}/__mockvoice/samples/wav?seconds=3`);
  return Buffer.from(await response.arrayBuffer());
}

/** A voice sample as the SDKs take it: they send a bare Buffer byte by byte. */
async function sample(name = 'sample.wav') {
  return new File([await sound()], name);
}

/** What Telnyx wants for a clone. */
function wanted(audio_file, fields) {
  const request = { audio_file, name: 'narrator', language: 'en', gender: 'male' };
  return { voice_clone_upload_request: { ...request, provider: 'telnyx', ...fields } };
}

/** All clones of all pages. */
async function names(telnyx) {
  const found = [];
  for await (const clone of telnyx.voiceClones.list()) found.push(clone.name);
  return found;
}

/** What a call that must fail was refused with. */
async function refusal(call) {
  const refused = await call.then(() => undefined, (error) => error);
  assert.ok(refused, 'the call succeeded');
  return refused;
}

/** What mockvoice says was wrong with a request, from the headers of its refusal. */
function explained(error) {
  return {
    messages: JSON.parse(error.headers.get('x-mockvoice-violations')).map((each) => each.message),
    hint: error.headers.get('x-mockvoice-hint'),
  };
}

test('a Telnyx voice is cloned, listed and deleted', async () => {
  const telnyx = mockvoice().telnyx();
  const { data } = await telnyx.voiceClones.createFromUpload(wanted(await sample()));
  assert.equal(data.name, 'narrator');
  assert.equal(data.status, 'active');
  assert.deepEqual(await names(telnyx), ['narrator']);
  await telnyx.voiceClones.delete(data.id);
  assert.deepEqual(await names(telnyx), []);
});

test('a File, a Buffer and a stream arrive as the same sound', async (t) => {
  const mock = mockvoice();
  const bytes = await sound();
  const folder = await mkdtemp(join(tmpdir(), 'mockvoice-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'sample.wav');
  await writeFile(path, bytes);
  const shapes = [
    new File([bytes], 'sample.wav'),
    await toFile(bytes, 'sample.wav'),
    createReadStream(path),
  ];
  for (const shape of shapes) await mock.telnyx().voiceClones.createFromUpload(wanted(shape));
  const files = (await mock.requests()).flatMap((request) => request.files);
  assert.deepEqual(files.map((file) => file.filename), Array(3).fill('sample.wav'));
  assert.deepEqual(files.map((file) => [file.format, file.seconds]), Array(3).fill(['wav', 3]));
  assert.equal(new Set(files.map((file) => file.sha256)).size, 1);
});

test('the SDK absorbs a bad gateway that passes', async () => {
  const mock = mockvoice();
  await mock.fail({ provider: 'telnyx', status: 502, times: 2, ...quick });
  const { data } = await mock.telnyx().voiceClones.createFromUpload(wanted(await sample()));
  assert.equal(data.name, 'narrator');
  const requests = await mock.requests();
  assert.deepEqual(requests.map((request) => request.status), [502, 502, 201]);
  assert.deepEqual(requests.map((request) => request.attempt), [1, 2, 3]);
});

test('a bad gateway that stays is raised', async () => {
  const mock = mockvoice();
  await mock.fail({ provider: 'telnyx', status: 502, ...quick });
  const error = await refusal(mock.telnyx().voiceClones.list());
  assert.ok(error instanceof Telnyx.InternalServerError);
  assert.equal(error.status, 502);
  assert.equal((await mock.requests()).length, 3);
});

test('a wrong field is named', async () => {
  const { voiceClones } = mockvoice().telnyx();
  const call = voiceClones.createFromUpload(wanted(await sample(), { language: 'EN' }));
  const error = await refusal(call);
  assert.ok(error instanceof Telnyx.UnprocessableEntityError);
  assert.equal(error.error.errors[0].source.pointer, '/language');
  assert.match(explained(error).messages[0], /^language must match/);
});

test('a misnamed field is told its name', async () => {
  const { voiceClones } = mockvoice().telnyx();
  const audio = await sample();
  const call = voiceClones.createFromUpload(wanted(undefined, { audio }));
  assert.deepEqual(explained(await refusal(call)), {
    messages: ['audio_file is required'],
    hint: 'you sent audio; the field is audio_file',
  });
});

// Since version 7 the fields stand in a member of their own; given as such they are left out.
test('fields without the member that telnyx 7 wants them in are told of it', async () => {
  const { voiceClones } = mockvoice().telnyx();
  const upload = wanted(await sample()).voice_clone_upload_request;
  assert.deepEqual(explained(await refusal(voiceClones.createFromUpload(upload))), {
    messages: ['audio_file is required', 'language is required', 'name is required'],
    hint: 'the body has no parts: telnyx-node 7 takes the fields in voice_clone_upload_request',
  });
  const design = { voice_design_id: '550e8400-e29b-41d4-a716-446655440000' };
  assert.deepEqual(explained(await refusal(voiceClones.create(design))), {
    messages: ['the body is empty'],
    hint: 'the body is empty: telnyx-node 7 takes the fields in voice_clone_request',
  });
});

test('a bare Buffer is no file, and is told how to be one', async () => {
  const mock = mockvoice();
  const asFile = "bytes must be sent as one file, in Node as toFile(bytes, 'a.wav')";
  const bytes = (await sound()).subarray(0, 1000);
  const { voiceClones } = mock.telnyx();
  const many = explained(await refusal(voiceClones.createFromUpload(wanted(bytes))));
  assert.deepEqual(many.messages, ['the multipart body has more than 128 parts']);
  assert.ok(many.hint.endsWith(asFile));
  const few = wanted(bytes.subarray(0, 3));
  const { hint } = explained(await refusal(voiceClones.createFromUpload(few)));
  assert.ok(hint.endsWith(asFile));
  const files = [bytes];
  const voice = { files, voice_name: 'narrator', voice_provider: 'elevenlabs' };
  const json = explained(await refusal(mock.retell().voice.clone(voice)));
  assert.match(json.messages[0], /^files\.0 must be a file/);
  assert.ok(json.hint.endsWith(asFile));
});

test('a Retell voice is cloned from several files, fetched and listed', async () => {
  const mock = mockvoice();
  const { voice } = mock.retell();
  const made = await voice.clone({
    files: [await sample('a.wav'), await sample('b.wav')],
    voice_name: 'narrator',
    voice_provider: 'elevenlabs',
  });
  assert.equal(made.provider, 'elevenlabs');
  assert.deepEqual(await voice.retrieve(made.voice_id), made);
  assert.deepEqual((await voice.list()).at(-1), made);
  const [{ files }] = await mock.requests();
  assert.deepEqual(files.map((file) => file.filename).sort(), ['a.wav', 'b.wav']);
});

test('an account whose trial has ended is told so, once', async () => {
  const mock = mockvoice();
  await mock.account('retell', 'KEY', { trial_ended: true });
  const { voice } = mock.retell();
  const files = [await sample()];
  const call = voice.clone({ files, voice_name: 'narrator', voice_provider: 'elevenlabs' });
  const error = await refusal(call);
  assert.ok(error instanceof Retell.APIError);
  assert.equal(error.message, '402 Trial has ended, please add payment method.');
  assert.deepEqual((await mock.requests()).map((request) => request.status), [402]);
});

// Retell knows no idempotency keys: what fails after it was done is done again by every retry.
test('a call that fails after its work has left three voices', async () => {
  const mock = mockvoice();
  const { voice } = mock.retell();
  const stock = await voice.list();
  await mock.fail({ operation: 'cloneVoice', status: 500, when: 'after', times: 2, ...quick });
  const files = [await sample()];
  await voice.clone({ files, voice_name: 'narrator', voice_provider: 'elevenlabs' });
  const made = (await voice.list()).slice(stock.length);
  assert.deepEqual(made.map((each) => each.voice_name), ['narrator', 'narrator', 'narrator']);
});

test('a reset connection is raised as one', async () => {
  const mock = mockvoice();
  const fault = await mock.fail({ kind: 'reset' });
  const error = await refusal(mock.telnyx({ maxRetries: 0 }).voiceClones.list());
  assert.ok(error instanceof Telnyx.APIConnectionError);
  assert.ok(!(error instanceof Telnyx.APIConnectionTimeoutError));
  assert.equal(await mock.hits(fault), 1);
});

test('an answer that does not come is raised as a timeout', async () => {
  const mock = mockvoice();
  const fault = await mock.fail({ kind: 'timeout' });
  const error = await refusal(mock.retell({ maxRetries: 0, timeout: 100 }).voice.list());
  assert.ok(error instanceof Retell.APIConnectionTimeoutError);
  assert.equal(await mock.hits(fault), 1);
});
