"""The dollars of one call, from its tokens, images, seconds, characters or queries.

What a model is priced by depends on its row in the table; a price that the table does not have is no price, never 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from ..responses import Cost, Usage
from . import catalog
from .images import image_price, variant
from .names import ALIASES
from .reading import base, dollars, per_second, steps
from .table import Row, entry, source

Parts = tuple[float, float]
"""Dollars for what went in and for what came out."""

NO_USAGE = "the provider reported no usage"
_INPUT_ONLY = ("embedding", "rerank", "moderation")  # their answers have no tokens


class Amounts(msgspec.Struct, frozen=True, kw_only=True):
    """How much a call used, in the units that prices are in."""

    usage: Usage | None = None
    images: int | None = None
    size: str | None = None
    quality: str | None = None
    characters: int | None = None
    seconds: float | None = None
    queries: int | None = None


def price(
    model: str,
    usage: Usage | None,
    *,
    reported: float | None = None,
    images: int | None = None,
    size: str | None = None,
    quality: str | None = None,
    characters: int | None = None,
    seconds: float | None = None,
    queries: int | None = None,
) -> tuple[Cost | None, str | None]:
    """The dollars of a call and None, or None and the reason why they are unknown.

    The prices are those of LiteLLM's table; for a model that it does not have, those of models.dev after
    `refresh_profiles()`. `Cost.source` says which.

    Args:
        model: the model id that was asked.
        usage: its tokens.
        reported: the dollars that the provider itself says, which win.
        images: how many came out; for embeddings, how many went in.
        size: theirs, e.g. "1024x1024".
        quality: theirs, e.g. "hd".
        characters: of the text that was spoken.
        seconds: of the audio that was transcribed.
        queries: how many searches a reranking was, in the provider's count.

    >>> price("openai/gpt-4o", None)
    (None, 'the provider reported no usage')
    >>> price("openai/tts-1", None, characters=1000)
    ($0.015, None)
    """
    if reported is not None:
        return Cost(reported, source="provider"), None
    if model.startswith("offline/"):
        return Cost(0.0, input=0.0, output=0.0, source="offline: nothing was asked"), None
    amounts = Amounts(
        usage=usage, images=images, size=size, quality=quality, characters=characters, seconds=seconds, queries=queries
    )
    found = _row(model, amounts)
    if found is None:
        if not _units(amounts):
            return None, NO_USAGE
        return None, f"{source()} has no price for {model}"
    key, row, origin = found
    parts = _LANES.get(str(row.get("mode")), _tokens)(row, amounts)
    if isinstance(parts, str):
        return None, parts or f"{origin} has no price for {model}"
    inward, outward = parts
    return Cost(inward + outward, input=inward, output=outward, source=f"{origin}: {key}"), None


def _units(amounts: Amounts) -> bool:
    """Whether anything is known that could be priced."""
    usage = amounts.usage
    units = (amounts.images, amounts.characters, amounts.seconds, amounts.queries)
    return any(unit is not None for unit in units) or (usage is not None and usage.input_tokens is not None)


def _row(model: str, amounts: Amounts) -> tuple[str, Row, str] | None:
    """Key, row, and the table that they are from."""
    head, slash, name = model.partition("/")
    model = f"{ALIASES.get(head, head)}{slash}{name}"
    found = entry(model)
    if found is None or not _by_tokens(found[1], amounts):
        found = variant(model, amounts.size, amounts.quality) or found
    if found is not None:
        return *found, source()
    more = catalog.row(model)
    return None if more is None else (model, more, catalog.source())


def _by_tokens(row: Row, amounts: Amounts) -> bool:
    """Whether images can be priced by their tokens, which is exact: then size and quality do not matter."""
    return _counted(amounts) and row.get("output_cost_per_image_token") is not None


def _counted(amounts: Amounts) -> bool:
    usage = amounts.usage
    return usage is not None and usage.input_tokens is not None and usage.output_tokens is not None


def _tokens(
    row: Row, amounts: Amounts, inward: str = "input_cost_per_token", outward: str = "output_cost_per_token"
) -> Parts | str:
    """By tokens; `inward` and `outward` are the prices that this kind of tokens has. "" for: there is no such price."""
    usage, answers = amounts.usage, row.get("mode") not in _INPUT_ONLY
    if usage is None or usage.input_tokens is None or (answers and usage.output_tokens is None):
        return (0.0, 0.0) if _free(row) else NO_USAGE
    row = base(row)
    rates = _rate(row, inward, usage.input_tokens), _rate(row, outward, usage.input_tokens)
    if rates[0] is None or (rates[1] is None and usage.output_tokens):
        return ""
    if not any(rates) and not _free(row):
        return "it is not priced by tokens, and what it is priced by is not known"
    request = dollars(row.get("input_cost_per_request")) or 0.0
    return request + _input_cost(row, usage, rates[0]), _output_cost(row, usage, rates[1] or 0.0)


def _free(row: Row) -> bool:
    """Whether the table says that nothing about this model costs anything."""
    costs = [value for name, value in row.items() if "cost" in name and isinstance(value, (int, float))]
    return dollars(row.get("input_cost_per_token")) == 0 and not any(costs)


def _rerank(row: Row, amounts: Amounts) -> Parts | str:
    rate = dollars(row.get("input_cost_per_query"))
    if not rate:
        return _tokens(row, amounts)
    if amounts.queries is None:
        return "it is priced by queries, and their number is not known"
    return amounts.queries * rate, 0.0


def _speech(row: Row, amounts: Amounts) -> Parts | str:
    rate = dollars(row.get("input_cost_per_character"))
    if rate is None:
        audio = "output_cost_per_audio_token"
        return _tokens(row, amounts, outward=audio if row.get(audio) is not None else "output_cost_per_token")
    if amounts.characters is None:
        return "it is priced by characters, and their number is not known"
    return amounts.characters * rate, 0.0


def _transcription(row: Row, amounts: Amounts) -> Parts | str:
    audio, rate = "input_cost_per_audio_token", per_second(row)
    inward = audio if row.get(audio) is not None else "input_cost_per_token"
    if rate is None or (_counted(amounts) and dollars(row.get(inward))):
        return _tokens(row, amounts, inward=inward)
    if amounts.seconds is None:
        return (0.0, 0.0) if rate == 0 else "it is priced by seconds, and the length of the audio is not known"
    return amounts.seconds * rate, 0.0


def _embedding(row: Row, amounts: Amounts) -> Parts | str:
    if amounts.images is not None:
        if row.get("input_cost_per_image_token") is not None:
            return _tokens(row, amounts, inward="input_cost_per_image_token")
        rate = dollars(row.get("input_cost_per_image"))
        if rate is not None:
            return amounts.images * rate, 0.0
    rate = dollars(row.get("input_cost_per_character"))
    counted = amounts.usage is not None and amounts.usage.input_tokens is not None
    if not counted and rate is not None and amounts.characters is not None:
        return amounts.characters * rate, 0.0
    return _tokens(row, amounts)


def _image(row: Row, amounts: Amounts) -> Parts | str:
    if _by_tokens(row, amounts):
        return _tokens(row, amounts, outward="output_cost_per_image_token")
    each = image_price(row, amounts.size)
    if each is not None and amounts.images is not None:
        return 0.0, amounts.images * each
    if each is not None:
        return "it is priced by images, and their number is not known"
    if row.get("input_cost_per_token") is None:
        return "its price depends on size and quality, and there is none for these" if _units(amounts) else ""
    return _tokens(row, amounts)


_LANES: dict[str, Callable[[Row, Amounts], Parts | str]] = {
    "audio_speech": _speech,
    "audio_transcription": _transcription,
    "embedding": _embedding,
    "image_edit": _image,
    "image_generation": _image,
    "rerank": _rerank,
}


def _rate(row: Row, name: str, tokens: int) -> float | None:
    """The price per token, of the highest tier that this many input tokens reach."""
    rate, reached = dollars(row.get(name)), -1
    for above, step in steps(row):
        if step.get(name) is not None and tokens > above > reached:
            rate, reached = dollars(step[name]), above
    for key, value in row.items():
        match = re.fullmatch(rf"{name}_above_(\d+)k_tokens", key)
        if match and value is not None and tokens > int(match[1]) * 1000 > reached:
            rate, reached = dollars(value), int(match[1]) * 1000
    return rate


def _input_cost(row: Row, usage: Usage, rate: float) -> float:
    tokens = usage.input_tokens or 0
    read, written = usage.cache_read_tokens or 0, usage.cache_write_tokens or 0
    read_rate = _rate(row, "cache_read_input_token_cost", tokens)
    write_rate = _rate(row, "cache_creation_input_token_cost", tokens)
    cost = max(tokens - read - written, 0) * rate
    return (
        cost
        + read * (rate if read_rate is None else read_rate)
        + written * (rate if write_rate is None else write_rate)
    )


def _output_cost(row: Row, usage: Usage, rate: float) -> float:
    tokens, thought = usage.output_tokens or 0, usage.reasoning_tokens or 0
    thought_rate = _rate(row, "output_cost_per_reasoning_token", usage.input_tokens or 0)
    if thought_rate is None:
        return tokens * rate
    return max(tokens - thought, 0) * rate + thought * thought_rate
