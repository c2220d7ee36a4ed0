// An application that clones a voice for each narrator.
//
//     TELNYX_API_KEY=... npm start
//     curl --data-binary @ada.wav 'http://127.0.0.1:8000/narrators?name=Ada'
import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

import Telnyx, { APIConnectionError, APIError, toFile } from 'telnyx';

/** Create the server. By default, the client reads TELNYX_API_KEY and TELNYX_BASE_URL. */
export function createApp(telnyx = new Telnyx({ maxRetries: 2, timeout: 10_000 })) {
  return createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://localhost');
    const [status, body] =
      request.method === 'POST' && pathname === '/narrators'
        ? await createNarrator(telnyx, searchParams.get('name') ?? '', await buffer(request))
        : [404, { detail: 'Not found.' }];
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  });
}

async function createNarrator(telnyx, name, recording) {
  try {
    const { data } = await telnyx.voiceClones.createFromUpload({
      voice_clone_upload_request: {
        audio_file: await toFile(recording, 'recording.wav'),
        name,
        language: 'en',
        gender: 'neutral',
        provider: 'telnyx',
      },
    });
    return [201, { name, voice_id: data.id }];
  } catch (error) {
    if (error instanceof APIConnectionError) {
      return [504, { detail: 'The voice provider cannot be reached.' }];
    }
    if (!(error instanceof APIError)) throw error;
    if (error.status === 400 || error.status === 422) {
      return [422, { detail: 'The recording cannot be used.' }];
    }
    return [502, { detail: 'The voice provider failed.' }];
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  createApp().listen(8000, '127.0.0.1');
}
