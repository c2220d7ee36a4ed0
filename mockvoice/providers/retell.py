"""Retell: voices cloned from audio files or added from a community.

What the contract leaves open; facts and sources are in docs/providers/retell.md:

- the number of files by voice provider (#samples-and-limits);
- an account whose trial has ended may not clone: 402 (#errors);
- values of a new voice, such as its id and its gender, and the voices of every account and of the
  community (#what-the-documentation-leaves-open);
- messages of statuses that an operation does not document (#errors).
"""

from __future__ import annotations

from ..errors import NotFound, PaymentRequired, Problem, ValidationFailed, Violation
from ..provider import Collection, Edition, Provider, RequestContext, preset
from ..state.records import Record
from ..types import JSON

VOICES, COMMUNITY = "voices", "community_voices"
MAX_FILES = {"cartesia": 1, "minimax": 1, "inworld": 3}  # others have the limit of the contract
DEFAULT_SERVICE = "elevenlabs"  # voice provider of a community voice without one
CONCURRENCY = 20  # calls of an account that has bought none
PURCHASABLE = 100  # calls
ACCENT, AGE = "American", "Young"  # of a new voice: the documented examples
AVATAR = "/__mockvoice/inspector/icon.svg"

MESSAGES = {
    402: "Trial has ended, please add payment method.",
    403: "Forbidden",
    404: "The requested resource was not found.",
    409: "Resource update conflict.",
    412: "Precondition failed for conditional update.",
    422: "Cannot find requested asset under given api key.",
    429: "Account rate limited, please throttle your requests.",
    500: "An unexpected server error occurred.",
}

# Voices of every account. voice_id: voice_name, provider, gender, accent, age.
_VOICES = {
    "retell-Cimo": ("Cimo", "platform", "female", "American", "Young"),
    "11labs-Adrian": ("Adrian", "elevenlabs", "male", "American", "Young"),
    "openai-Alloy": ("Alloy", "openai", "female", "American", "Young"),
    "cartesia-Hailey": ("Hailey", "cartesia", "female", "American", "Young"),
    "minimax-Max": ("Max", "minimax", "male", "American", "Middle Aged"),
}
PRESET_VOICES = {
    voice_id: {
        "voice_id": voice_id,
        "voice_name": name,
        "provider": service,
        "accent": accent,
        "gender": gender,
        "age": age,
    }
    for voice_id, (name, service, gender, accent, age) in _VOICES.items()
}
# provider_voice_id: provider, name, description, public_user_id.
_COMMUNITY_VOICES = {
    "21m00Tcm4TlvDq8ikWAM": ("elevenlabs", "Rachel", "Calm young woman, American", "user-rachel"),
    "ErXwobaYiN019PkySvjV": ("elevenlabs", "Antoni", "Well-rounded young man, American", "user-an"),
    "79a125e8-cd45-4c13-8a67-188112f4dd22": ("cartesia", "British Lady", "Clear and calm", ""),
    "English_Trustworth_Man": ("minimax", "Trustworthy Man", "Deep and warm", ""),
    "7f92f8afb8ec43bf81429cc1c9199cb1": ("fish_audio", "AD", "Narrator of films", ""),
}
COMMUNITY_VOICES = {
    voice_id: {
        "voice_provider": service,  # for the search, not shown
        "provider_voice_id": voice_id,
        "name": name,
        "description": description,
        **({"public_user_id": user_id} if user_id else {}),
    }
    for voice_id, (service, name, description, user_id) in _COMMUNITY_VOICES.items()
}


def error(problem: Problem, status: int, ctx: RequestContext) -> JSON:
    """Return the documented message, followed by the violations for statuses such as 400."""
    documented = ctx.operation.documented(status)
    message = documented["message"] if documented else MESSAGES.get(status, "")
    if status not in MESSAGES and status != 401 and problem.sentences:
        message = f"{message} {problem.sentences}".strip()
    return {"status": "error", "message": message or f"Request failed with status {status}."}


def admit(ctx: RequestContext) -> None:
    if ctx.operation.id == "cloneVoice" and ctx.account.trial_ended:
        raise PaymentRequired


def presets(key: str) -> list[Record]:
    """Return the voices of every account, and those of the community."""
    return [
        preset("retell", collection, key, voice_id, data)
        for collection, voices in ((VOICES, PRESET_VOICES), (COMMUNITY, COMMUNITY_VOICES))
        for voice_id, data in voices.items()
    ]


provider = Provider(
    "retell",
    "Retell",
    error,
    admit,
    editions={"2026-08": Edition()},
    env={"RETELL_BASE_URL": "base_url", "RETELL_API_KEY": "api_key"},
    account={"trial_ended": False},
    varying=("gender", "accent", "age"),  # of a clone, which the service recognizes by ear
    presets=presets,
    collections={
        VOICES: Collection(
            "#/components/schemas/VoiceResponse",
            "voice_id",
            lambda ids: f"custom_voice_{ids.token('retell seeded', 24)}",
            sample="preview_audio_url",
        ),
        COMMUNITY: Collection(
            "#/components/schemas/CommunityVoice",
            "provider_voice_id",
            lambda ids: ids.token("retell seeded", 20),
            extra=("voice_provider",),
        ),
    },
)


@provider.operation(
    "cloneVoice",
    raises=[
        PaymentRequired("trial_ended is true"),
        ValidationFailed("files: over 1 for cartesia and minimax, over 3 for inworld"),
    ],
)
def clone_voice(ctx: RequestContext) -> JSON:
    service, files = ctx.fields["voice_provider"], ctx.fields["files"]
    max_files = MAX_FILES.get(service)
    if max_files and len(files) > max_files:
        items = f"{max_files} item{'s' * (max_files > 1)}"
        message = f"must have at most {items} for {service}; got {len(files)}"
        raise ValidationFailed(
            "", Violation("body", "/files", "maxItems", message, max_files, len(files))
        )
    return _add_voice(ctx, service, voice_type="custom")


@provider.operation("addCommunityVoice")
async def add_community_voice(ctx: RequestContext) -> JSON:
    voice = await ctx.find(COMMUNITY, ctx.fields["provider_voice_id"])
    service = ctx.fields.get("voice_provider") or (_service(voice) if voice else DEFAULT_SERVICE)
    return _add_voice(ctx, service, voice_type="community")


def _add_voice(ctx: RequestContext, service: str, voice_type: str) -> JSON:
    token = ctx.ids.token("retell voice", 24)
    voice_id = f"custom_voice_{token}"
    data = {
        "voice_id": voice_id,
        "voice_name": ctx.fields["voice_name"],
        "provider": service,
        "accent": ACCENT,
        "gender": "female" if int(token, 16) % 2 else "male",
        "age": AGE,
        "voice_type": voice_type,
        "preview_audio_url": ctx.sample_url(voice_id),
    }
    return _with_avatar(ctx, ctx.add(VOICES, voice_id, data))


def _with_avatar(ctx: RequestContext, voice: Record) -> JSON:
    """Return a voice with the URL of a picture, which depends on the address of the mock."""
    avatar = voice.data.get("avatar_url") or f"{ctx.origin}{AVATAR}"
    return {**voice.data, "avatar_url": avatar}


@provider.operation("listVoices")
async def list_voices(ctx: RequestContext) -> JSON:
    return [_with_avatar(ctx, voice) for voice in await ctx.all(VOICES)]


@provider.operation("getVoice", raises=[NotFound("unknown voice_id")])
async def get_voice(ctx: RequestContext) -> JSON:
    voice = await ctx.find(VOICES, ctx.parameters["voice_id"])
    if voice is None:
        raise NotFound
    return _with_avatar(ctx, voice)


@provider.operation("searchCommunityVoice")
async def search_community_voice(ctx: RequestContext) -> JSON:
    """Search id, name and description, in all providers unless the request names one."""
    query, service = ctx.fields["search_query"].lower(), ctx.fields.get("voice_provider")
    voices = []
    for voice in await ctx.all(COMMUNITY):
        shown = {name: text for name, text in voice.data.items() if name != "voice_provider"}
        texts = [voice.id, shown.get("name", ""), shown.get("description", "")]
        if query in " ".join(texts).lower() and service in (None, _service(voice)):
            voices.append(shown)
    return {"voices": voices}


def _service(voice: Record) -> str:
    """Return the voice provider of a community voice."""
    return str(voice.data.get("voice_provider", DEFAULT_SERVICE))


@provider.operation("getConcurrency", stateful=False)
def get_concurrency(ctx: RequestContext) -> JSON:
    """Return the counters of an account without calls: the mock places none."""
    return {
        "current_concurrency": 0,
        "concurrency_limit": CONCURRENCY,
        "base_concurrency": CONCURRENCY,
        "purchased_concurrency": 0,
        "concurrency_purchase_limit": PURCHASABLE,
        "remaining_purchase_limit": PURCHASABLE,
        "reserved_inbound_concurrency": 0,
        "concurrency_burst_enabled": False,
        "concurrency_burst_limit": 0,
    }
