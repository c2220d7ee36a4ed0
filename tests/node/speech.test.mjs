// Streaming speech of the Telnyx SDK, which needs the package ws.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import Telnyx from 'telnyx';
import { TextToSpeechWS } from 'telnyx/resources/text-to-speech/ws';

const url = process.env.MOCKVOICE_URL;

test('telnyx: speech over a WebSocket', async () => {
  const client = new Telnyx({ apiKey: 'test', baseURL: `${url}/~speech/telnyx/v2` });
  const socket = new TextToSpeechWS(client);
  for (const text of [' ', 'Hello, welcome.', '']) socket.send({ text });
  const types = [];
  for await (const event of socket.stream()) {
    if (event.type === 'message') types.push(event.message.type);
    if (event.type === 'close') assert.equal(event.code, 1000);
  }
  assert.deepEqual([...new Set(types)], ['audio_chunk', 'final']);
  const { requests } = await (await fetch(`${url}/~speech/__mockvoice/requests`)).json();
  assert.deepEqual(requests.map(({ operation, status }) => [operation, status]), [['TextToSpeechOverWs', 101]]);
});

test('telnyx: a rejected handshake is an error', async () => {
  const client = new Telnyx({ apiKey: '', baseURL: `${url}/~speech-401/telnyx/v2` });
  const socket = new TextToSpeechWS(client);
  const errors = [];
  socket.on('error', (error) => errors.push(error.message));
  for await (const event of socket.stream()) if (event.type === 'close') break;
  assert.match(errors.join(), /401/);
});
