"""The command line `supertone-cli`, whose server is hard-coded: the mock is its proxy."""

import json
import os
import subprocess
import sys


def supertone(*arguments, code=0):
    command = [sys.executable, "-m", "supertone_cli", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def ids():
    voices = json.loads(supertone("voices", "list", "--type", "custom", "--format", "json"))
    return [voice.get("voice_id") or voice["id"] for voice in voices]


sample = ["--name", "narrator", "--sample", os.environ["SAMPLE"]]
cloned = json.loads(supertone("voices", "clone", *sample, "--format", "json"))
id = cloned["voice_id"]
print("clone")
assert ids() == [id]
print("list")
supertone("tts", "Hello there.", "--voice", id, "--lang", "en", "--output", "speech.wav")
print("speech")
supertone("voices", "delete", id, "--yes")
print("delete")
supertone("voices", "get", id, code=1)
print("unknown")
