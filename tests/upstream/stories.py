"""Stories with the Telnyx SDK: the same requests to a live service, a mock or a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telnyx import Telnyx

REQUESTS = 41


def telnyx_story(client: Telnyx, wav: bytes) -> list[str]:
    """Clone, rename, hear, list and delete voices, then a design, and speak; return the ids."""
    ids = []
    for number in range(7):
        clone = client.voice_clones.create_from_upload(
            voice_clone_upload_request={
                "audio_file": ("a.wav", wav, "audio/wav"),
                "name": f"narrator {number}",
                "language": "en",
                "gender": "male",
                "provider": "telnyx",
            }
        ).data
        assert clone
        assert clone.id
        client.voice_clones.update(clone.id, name=f"speaker {number}")
        assert client.voice_clones.download_sample(clone.id).read()[:4] == b"RIFF"
        assert clone.id in [listed.id for listed in client.voice_clones.list(page_number=1)]
        client.voice_clones.delete(clone.id)
        ids.append(clone.id)
    design = client.voice_designs.create(
        name="designed", text="A text to hear.", prompt="A calm voice.", provider="telnyx"
    ).data
    assert design
    assert design.id
    assert client.voice_designs.retrieve(design.id).data
    client.voice_designs.rename(design.id, name="renamed")
    assert design.id in [listed.id for listed in client.voice_designs.list()]
    client.voice_designs.delete(design.id)
    client.text_to_speech.create_speech(text="Hello", voice="Telnyx.NaturalHD.Alloy")
    return [*ids, design.id]
