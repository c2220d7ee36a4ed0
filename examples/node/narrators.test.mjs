// Tests of the application against mockvoice. Start it with `mockvoice serve`; MOCKVOICE_URL says
// where it runs, unless on its usual port.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'node:test';

import Telnyx from 'telnyx';

import { createApp } from './narrators.mjs';

const url = process.env.MOCKVOICE_URL ?? 'http://127.0.0.1:4010';

/** Start the application with a mock of its own; both last for one test. */
async function setUp(t) {
  const mock = `${url}/~${randomUUID()}`; // a sandbox
  const app = createApp(new Telnyx({ apiKey: 'test', baseURL: `${mock}/telnyx/v2` }));
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  t.after(() => app.close());

  async function control(path, body) {
    const options = body && {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    };
    const response = await fetch(`${mock}/__mockvoice${path}`, options);
    assert.ok(response.ok, await response.clone().text());
    return response;
  }

  return {
    fail: (fault) => control('/faults', { provider: 'telnyx', ...fault }),
    voices: async () => (await (await control('/voices')).json()).voices,
    statuses: async () =>
      (await (await control('/requests')).json()).requests.map((request) => request.status),
    sample: async () => (await control('/samples/wav?seconds=3')).arrayBuffer(),
    create: async (recording, name = 'Ada') => {
      const target = `http://127.0.0.1:${app.address().port}/narrators?name=${name}`;
      const response = await fetch(target, { method: 'POST', body: recording });
      return { status: response.status, ...(await response.json()) };
    },
  };
}

test('a narrator gets a voice', async (t) => {
  const { create, sample, voices } = await setUp(t);
  const { status, voice_id } = await create(await sample());
  assert.equal(status, 201);
  const [voice] = await voices();
  assert.deepEqual([voice.id, voice.data.name], [voice_id, 'Ada']);
});

test('two bad gateways are retried', async (t) => {
  const { create, fail, sample, statuses } = await setUp(t);
  await fail({ status: 502, times: 2, retry_after: 0.001 });
  assert.equal((await create(await sample())).status, 201);
  assert.deepEqual(await statuses(), [502, 502, 201]);
});

test('a third bad gateway is reported', async (t) => {
  const { create, fail, sample, voices } = await setUp(t);
  await fail({ status: 502, times: 3, retry_after: 0.001 });
  assert.equal((await create(await sample())).status, 502);
  assert.deepEqual(await voices(), []);
});

test('connection resets are reported', async (t) => {
  const { create, fail, sample } = await setUp(t);
  await fail({ kind: 'reset', times: 3 });
  assert.equal((await create(await sample())).status, 504);
});

test('a text file is rejected and not retried', async (t) => {
  const { create, statuses } = await setUp(t);
  assert.equal((await create('not a recording')).status, 422);
  assert.deepEqual(await statuses(), [400]);
});
