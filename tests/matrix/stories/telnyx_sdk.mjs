// Telnyx's Node SDK; ARGUMENT names the property that wraps the fields of an upload, if any.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';

import Telnyx from 'telnyx';

const { ARGUMENT, MOCKVOICE_URL, SAMPLE } = process.env;
const { voiceClones } = new Telnyx({ apiKey: 'KEY', baseURL: `${MOCKVOICE_URL}/telnyx/v2` });
const audio_file = new File([await readFile(SAMPLE)], 'sample.wav');

async function clone(language) {
  const fields = { audio_file, name: 'narrator', language, gender: 'male', provider: 'telnyx' };
  return (await voiceClones.createFromUpload(ARGUMENT ? { [ARGUMENT]: fields } : fields)).data.id;
}

async function ids() {
  const found = [];
  for await (const voice of voiceClones.list()) found.push(voice.id);
  return found;
}

const id = await clone('en');
console.log('clone');
assert.deepEqual(await ids(), [id]);
console.log('list');
await voiceClones.delete(id);
console.log('delete');
await assert.rejects(voiceClones.delete(id), Telnyx.NotFoundError);
console.log('unknown');
await assert.rejects(clone('EN'), (error) => {
  assert.ok(error instanceof Telnyx.UnprocessableEntityError);
  return error.error.errors[0].source.pointer === '/language';
});
console.log('invalid');
assert.deepEqual(await ids(), []);
console.log('retry');
