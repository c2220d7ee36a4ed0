// Retell's Node SDK. Retell has no operation that deletes a voice.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';

import Retell from 'retell-sdk';

const { MOCKVOICE_URL, SAMPLE } = process.env;
const { voice } = new Retell({ apiKey: 'KEY', baseURL: `${MOCKVOICE_URL}/retell` });
const files = [new File([await readFile(SAMPLE)], 'sample.wav')];

const clone = (voice_name) => voice.clone({ files, voice_name, voice_provider: 'elevenlabs' });
const ids = async () => (await voice.list()).map(({ voice_id }) => voice_id);

const id = (await clone('narrator')).voice_id;
console.log('clone');
assert.ok((await ids()).includes(id));
console.log('list');
await assert.rejects(voice.retrieve('custom_voice_unknown'), Retell.UnprocessableEntityError);
console.log('unknown');
await assert.rejects(clone(''), (error) => {
  assert.ok(error instanceof Retell.BadRequestError);
  return error.error.message.includes('voice_name');
});
console.log('invalid');
assert.ok((await ids()).includes(id));
console.log('retry');
