"""From a row of LiteLLM's table to a `Profile`. Whatever a row holds, it becomes one: odd values count as unknown."""

from __future__ import annotations

import datetime
import math
import re
from typing import Any

from .names import is_provider
from .profile import MILLION, Capabilities, Limits, Modalities, Profile, Rates, Tier
from .table import Row, owner_of, source

LOCAL = frozenset(
    "docker_model_runner hosted_vllm infinity lemonade llamafile lm_studio ollama ollama_chat oobabooga triton vllm xinference".split()
)
"""Providers that run on one's own machine."""

FLAGS = {
    "tool_call": ("supports_function_calling",),
    "parallel_tool_call": ("supports_parallel_function_calling",),
    "tool_choice": ("supports_tool_choice",),
    "structured_output": ("supports_response_schema", "supports_native_structured_output"),
    "reasoning": ("supports_reasoning",),
    "temperature": ("supports_sampling_params",),
    "attachment": ("attachment",),
    "vision": ("supports_vision", "supports_embedding_image_input", "supports_image_input"),
    "pdf_input": ("supports_pdf_input",),
    "audio_input": ("supports_audio_input",),
    "audio_output": ("supports_audio_output",),
    "video_input": ("supports_video_input",),
    "prompt_caching": ("supports_prompt_caching",),
    "prefilling": ("supports_assistant_prefill",),
    "system_messages": ("supports_system_messages",),
    "native_streaming": ("supports_native_streaming",),
    "web_search": ("supports_web_search",),
    "url_context": ("supports_url_context",),
    "computer_use": ("supports_computer_use",),
}
"""Capability -> the table's flags that tell it, the first that is there wins."""

_TYPES = {
    "chat": "chat_completion",
    "responses": "chat_completion",
    "completion": "chat_completion",
    "embedding": "text_embedder",
    "image_generation": "text_to_image",
    "image_edit": "image_text_to_image",
    "audio_speech": "text_to_speech",
    "audio_transcription": "speech_to_text",
    "moderation": "moderation",
    "rerank": "text_reranker",
}
_IN_AND_OUT = {
    "chat": (["text"], ["text"]),
    "responses": (["text"], ["text"]),
    "completion": (["text"], ["text"]),
    "embedding": (["text"], ["embedding"]),
    "image_generation": (["text"], ["image"]),
    "image_edit": (["text", "image"], ["image"]),
    "audio_speech": (["text"], ["audio"]),
    "audio_transcription": (["audio"], ["text"]),
    "moderation": (["text"], ["score"]),
    "rerank": (["text"], ["score"]),
    "video_generation": (["text"], ["video"]),
}
_ORDER = ("text", "image", "audio", "video")


def profile_of(key: str, row: Row, provider: str | None = None) -> Profile:
    """The profile of one row of the table."""
    head, _, rest = key.partition("/")
    owner = provider or (head if rest and is_provider(head) else owner_of(row))
    name = key.removeprefix(owner + "/")
    mode = row.get("mode") if isinstance(row.get("mode"), str) else None
    local = owner in LOCAL and any(row.get(price) == 0 for price in ("input_cost_per_token", "output_cost_per_token"))
    return Profile(
        id=f"{owner}/{name}" if owner else name,
        provider=owner,
        name=name,
        model_type=_TYPES.get(mode or ""),
        mode=mode,
        capabilities=_capabilities(row),
        modalities=_modalities(mode, row),
        limits=_limits(mode, row),
        cost=_rates(row),
        deprecation_date=date(row.get("deprecation_date")),
        knowledge=row.get("knowledge") if isinstance(row.get("knowledge"), str) else None,
        notes=("a local model: the price of 0 says nothing about what your own machine costs",) if local else (),
        source=source(),
    )


def _capabilities(row: Row) -> Capabilities:
    found = {}
    for capability, flags in FLAGS.items():
        said = [row[flag] for flag in flags if isinstance(row.get(flag), bool)]
        if said:
            found[capability] = said[0]
    return Capabilities(**found)


def _modalities(mode: str | None, row: Row) -> Modalities:
    inward, outward = _IN_AND_OUT.get(mode or "", ([], []))
    takes = {"image": FLAGS["vision"], "audio": FLAGS["audio_input"], "video": FLAGS["video_input"]}
    flagged = [kind for kind, flags in takes.items() if any(row.get(flag) is True for flag in flags)]
    if "/v1/images/edits" in _words(row.get("supported_endpoints")):
        flagged.append("image")
    spoken = ["audio"] if row.get("supports_audio_output") is True else []
    return Modalities(
        input=ordered([*(_words(row.get("supported_modalities")) or inward), *flagged]),
        output=ordered([*(_words(row.get("supported_output_modalities")) or outward), *spoken]),
    )


def _words(value: Any) -> list[str]:
    return [word for word in value if isinstance(word, str)] if isinstance(value, list) else []


def ordered(kinds: list[str]) -> list[str]:
    """Modalities once each, in the usual order."""
    return sorted(dict.fromkeys(kinds), key=lambda kind: _ORDER.index(kind) if kind in _ORDER else len(_ORDER))


def _limits(mode: str | None, row: Row) -> Limits:
    context = count(row.get("max_input_tokens"))
    if context is None and mode in ("embedding", "rerank"):  # there, `max_tokens` cannot mean the answer's
        context = count(row.get("max_tokens"))
    return Limits(
        context=context, output=count(row.get("max_output_tokens")), dimensions=count(row.get("output_vector_size"))
    )


def count(value: Any) -> int | None:
    """A limit: a whole number above 0, else None (a limit of 0 says nothing)."""
    number = dollars(value)
    return int(number) if number and number == int(number) else None


def dollars(value: Any) -> float | None:
    """A price as the table says it: None for what is no finite number of 0 or more."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        return None
    return float(value)


def date(value: Any) -> datetime.date | None:
    """A date such as "2026-10-23"; None for anything else."""
    try:
        return datetime.date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def per_million(value: Any) -> float | None:
    """Dollars per million, without the noise of binary fractions: 1.5e-07 is 0.15."""
    price = dollars(value)
    return None if price is None else float(f"{price * MILLION:.12g}")


def _rates(row: Row) -> Rates:
    first = base(row)
    return Rates(
        input_per_million=per_million(first.get("input_cost_per_token")),
        output_per_million=per_million(first.get("output_cost_per_token")),
        cache_read_per_million=per_million(first.get("cache_read_input_token_cost")),
        cache_write_per_million=per_million(first.get("cache_creation_input_token_cost")),
        reasoning_per_million=per_million(first.get("output_cost_per_reasoning_token")),
        input_audio_per_million=per_million(row.get("input_cost_per_audio_token")),
        output_audio_per_million=per_million(row.get("output_cost_per_audio_token")),
        input_image_per_million=per_million(row.get("input_cost_per_image_token")),
        output_image_per_million=per_million(row.get("output_cost_per_image_token")),
        per_input_image=dollars(row.get("input_cost_per_image")),
        per_output_image=dollars(row.get("output_cost_per_image")),
        per_second=per_second(row),
        per_character=dollars(row.get("input_cost_per_character")),
        per_query=dollars(row.get("input_cost_per_query")),
        tiers=_tiers(row),
    )


def per_second(row: Row) -> float | None:
    """Dollars for a second of audio: the table gives Whisper's price twice, as input's and as output's."""
    outward, inward = dollars(row.get("output_cost_per_second")), dollars(row.get("input_cost_per_second"))
    return outward or (outward if inward is None else inward)


def base(row: Row) -> Row:
    """The row with the prices of its shortest prompts, where it has them only by length (`tiered_pricing`)."""
    found = steps(row)
    return {**found[0][1], **row} if found else row


def steps(row: Row) -> list[tuple[int, Row]]:
    """`tiered_pricing` as (above so many tokens, prices), in order; [] where there is none, or no sense in it."""
    found, tiers = [], row.get("tiered_pricing")
    for step in tiers if isinstance(tiers, list) else []:
        span = step.get("range") if isinstance(step, dict) else None
        above = dollars(span[0]) if isinstance(span, list) and span else None
        if above is not None:
            found.append((int(above), step))
    return sorted(found, key=lambda pair: pair[0])


def _tiers(row: Row) -> tuple[Tier, ...]:
    names = {
        "input_cost_per_token": "input_per_million",
        "output_cost_per_token": "output_per_million",
        "cache_read_input_token_cost": "cache_read_per_million",
    }
    found: dict[int, dict[str, float]] = {}
    for above, step in steps(row)[1:]:
        rates = {field: per_million(step.get(name)) for name, field in names.items()}
        found[above] = {field: rate for field, rate in rates.items() if rate is not None}
    for key, value in row.items():
        match = re.fullmatch(r"(\w+?)_above_(\d+)k_tokens", key) if "_above_" in key else None
        rate = per_million(value)
        if match and match[1] in names and rate is not None:
            found.setdefault(int(match[2]) * 1000, {})[names[match[1]]] = rate
    return tuple(Tier(above=above, **rates) for above, rates in sorted(found.items()))
