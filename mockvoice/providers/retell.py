"""Retell: voices cloned from audio files or added from a community.

What the contract leaves unsaid:

- how many files each voice provider takes (seed, text of `files`);
- an account whose trial has ended answers 402 (seed, example of 402);
- what a new voice looks like (fact sheet "Retell", section 2: `custom_voice_...`, a gender though
  none was sent);
- which voices are there for everybody, and which a community offers: some of ours, in the form of
  the published examples.
"""

from __future__ import annotations

from ..errors import NotFound, PaymentRequired, Problem, ValidationFailed, Violation
from ..provider import Collection, Provider, RequestContext
from ..types import JSON

VOICES = "voices"
MAX_FILES = {"cartesia": 1, "minimax": 1, "inworld": 3}  # seed; the others take 25

# Statuses that the contract of an operation may lack (fact sheet, section 3).
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

# voice_id: voice_name, provider, gender, accent, age.
STOCK = {
    "retell-Cimo": ("Cimo", "platform", "female", "American", "Young"),
    "11labs-Adrian": ("Adrian", "elevenlabs", "male", "American", "Young"),
    "openai-Alloy": ("Alloy", "openai", "female", "American", "Young"),
    "cartesia-Hailey": ("Hailey", "cartesia", "female", "American", "Young"),
    "minimax-Max": ("Max", "minimax", "male", "American", "Middle Aged"),
}
# provider_voice_id: provider, name, description, public_user_id.
COMMUNITY = {
    "21m00Tcm4TlvDq8ikWAM": ("elevenlabs", "Rachel", "Calm young woman, American", "user-rachel"),
    "ErXwobaYiN019PkySvjV": ("elevenlabs", "Antoni", "Well-rounded young man, American", "user-an"),
    "79a125e8-cd45-4c13-8a67-188112f4dd22": ("cartesia", "British Lady", "Clear and calm", ""),
    "English_Trustworth_Man": ("minimax", "Trustworthy Man", "Deep and warm", ""),
    "7f92f8afb8ec43bf81429cc1c9199cb1": ("fish_audio", "AD", "Narrator of films", ""),
}
CONCURRENCY = 20  # calls at once that cost nothing (fact sheet, section 4)
PURCHASABLE = 100  # example of the contract


def error(problem: Problem, status: int, ctx: RequestContext) -> JSON:
    """One flat envelope; what is wrong stands behind the documented sentence."""
    documented = ctx.operation.documented(status)
    message = documented["message"] if documented else MESSAGES.get(status, "")
    if status not in MESSAGES and status != 401 and problem.sentences:
        message = f"{message} {problem.sentences}".strip()
    return {"status": "error", "message": message or f"Request failed with status {status}."}


async def admit(ctx: RequestContext) -> None:
    if ctx.operation.id == "cloneVoice" and ctx.account.trial_ended:
        raise PaymentRequired


provider = Provider(
    "retell",
    "Retell",
    error,
    admit,
    env={"RETELL_BASE_URL": "base_url", "RETELL_API_KEY": "api_key"},
    collections={
        VOICES: Collection(
            "#/components/schemas/VoiceResponse",
            "voice_id",
            lambda ids: f"custom_voice_{ids.token('retell planted', 24)}",
            sound="preview_audio_url",
        )
    },
)


@provider.operation("cloneVoice")
async def clone_voice(ctx: RequestContext) -> JSON:
    service, files = ctx.fields["voice_provider"], ctx.fields["files"]
    most = MAX_FILES.get(service)
    if most and len(files) > most:
        message = f"must have at most {most} item{'s' * (most > 1)} for {service}"
        raise ValidationFailed(
            "", Violation("body", "/files", "maxItems", f"{message}; got {len(files)}", most)
        )
    return await _add_voice(ctx, service, voice_type="custom")


@provider.operation("addCommunityVoice")
async def add_community_voice(ctx: RequestContext) -> JSON:
    known = COMMUNITY.get(ctx.fields["provider_voice_id"])
    service = ctx.fields.get("voice_provider") or (known[0] if known else "elevenlabs")
    if service == "elevenlabs" and not ctx.fields.get("public_user_id"):
        message = "is required for elevenlabs"
        raise ValidationFailed("", Violation("body", "/public_user_id", "required", message))
    return await _add_voice(ctx, service, voice_type="community")


async def _add_voice(ctx: RequestContext, service: str, voice_type: str) -> JSON:
    number = ctx.ids.token("retell voice", 24)
    voice_id = f"custom_voice_{number}"
    data = {
        "voice_id": voice_id,
        "voice_name": ctx.fields["voice_name"],
        "provider": service,
        "gender": "female" if int(number, 16) % 2 else "male",
        "voice_type": voice_type,
        "preview_audio_url": ctx.sample_url(voice_id),
    }
    ctx.add(VOICES, voice_id, data)
    return data


def _stock(ctx: RequestContext) -> list[dict[str, JSON]]:
    return [
        {
            "voice_id": voice_id,
            "voice_name": name,
            "provider": service,
            "accent": accent,
            "gender": gender,
            "age": age,
            "preview_audio_url": ctx.sample_url(voice_id),
        }
        for voice_id, (name, service, gender, accent, age) in STOCK.items()
    ]


@provider.operation("listVoices")
async def list_voices(ctx: RequestContext) -> JSON:
    return _stock(ctx) + [record.data for record in await ctx.all(VOICES)]


@provider.operation("getVoice")
async def get_voice(ctx: RequestContext) -> JSON:
    wanted = ctx.parameters["voice_id"]
    for voice in await list_voices(ctx):
        if voice["voice_id"] == wanted:
            return voice
    raise NotFound


@provider.operation("searchCommunityVoice", stateful=False)
async def search_community_voice(ctx: RequestContext) -> JSON:
    """Search name, description and id, as published; all providers unless one is named."""
    query = ctx.fields["search_query"].lower()
    wanted = ctx.fields.get("voice_provider")
    voices = []
    for voice_id, (service, name, description, user) in COMMUNITY.items():
        said = f"{voice_id} {name} {description}".lower()
        if query in said and wanted in (None, service):
            found = {"provider_voice_id": voice_id, "name": name, "description": description}
            voices.append({**found, **({"public_user_id": user} if user else {})})
    return {"voices": voices}


@provider.operation("getConcurrency", stateful=False)
async def get_concurrency(ctx: RequestContext) -> JSON:
    """Nobody calls anybody here, so nothing is going on."""
    return {
        "current_concurrency": 0,
        "concurrency_limit": CONCURRENCY,
        "base_concurrency": CONCURRENCY,
        "purchased_concurrency": 0,
        "concurrency_purchase_limit": PURCHASABLE,
        "remaining_purchase_limit": PURCHASABLE,
        "concurrency_burst_enabled": False,
        "concurrency_burst_limit": 0,
    }
