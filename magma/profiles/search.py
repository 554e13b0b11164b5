"""Which models can do that, for how much."""

from __future__ import annotations

import datetime
import difflib
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..errors import ConfigError
from .lookup import all_profiles, fresh
from .names import ALIASES, is_provider
from .operations import MODEL_TYPES
from .profile import Capabilities, Profile

Test = Callable[[Profile], bool]

_MODALITIES = ("text", "image", "audio", "video", "pdf", "embedding", "score", "code")
_INPUT_ONLY = ("text_embedder", "moderation", "text_reranker")


def find(
    *,
    provider: str | None = None,
    model_type: str | None = None,
    max_input_cost: float | None = None,
    max_output_cost: float | None = None,
    min_context: int | None = None,
    min_output: int | None = None,
    input: str | Sequence[str] | None = None,
    output: str | Sequence[str] | None = None,
    deprecated: bool | None = None,
    name: str | None = None,
    **capabilities: bool,
) -> list[Profile]:
    """The models that fit, the cheapest first; those whose price is not known last, then by id.

    What is not known never fits: no price is below a bound, a capability of None is neither True nor False.

    Args:
        provider: its name, also in the spelling of other libraries.
        model_type: one of `MODEL_TYPES`: what can serve that, e.g. chat models with vision for "image_classifier".
        max_input_cost: dollars per million prompt tokens.
        max_output_cost: dollars per million answer tokens.
        min_context: tokens of the prompt.
        min_output: tokens of one answer.
        input: a modality, or several that are all needed, e.g. "image".
        output: as `input`.
        deprecated: True for models past their date today, False for the others (those without a date too).
        name: a part of the id, upper or lower case.
        **capabilities: the fields of `Capabilities`, e.g. `tool_call=True`.

    >>> cheap = find(provider="openai", tool_call=True, max_output_cost=5.0, deprecated=False)
    >>> all(profile.cost.output_per_million <= 5.0 for profile in cheap), len(cheap) > 3
    (True, True)

    Raises:
        ConfigError: a name that does not exist, or a bound that is no number.
    """
    tests = [
        *_who(provider, model_type, name),
        *_bounds(max_input_cost, max_output_cost, min_context, min_output),
        *_kinds(input, output),
        *_when(deprecated),
        *(_capability(wanted, value) for wanted, value in capabilities.items()),
    ]
    return [fresh(each) for each in sorted((p for p in all_profiles() if all(test(p) for test in tests)), key=_price)]


def select(predicate: Callable[[Profile], object]) -> list[Profile]:
    """The models for which `predicate` is true, in `find`'s order. Mind that figures may be None.

    >>> len(select(lambda profile: (profile.limits.context or 0) >= 1_000_000)) > 10
    True

    Raises:
        ConfigError: `predicate` cannot be called. What it raises itself goes through.
    """
    if not callable(predicate):
        raise ConfigError(f"predicate must be a function of a Profile, not {predicate!r:.80}")
    return [fresh(each) for each in sorted((p for p in all_profiles() if predicate(p)), key=_price)]


def serves(profile: Profile, model_type: str) -> bool:
    """Whether a handle of this type can use the model; what is not known counts as no."""
    if profile.model_type == model_type:
        return True
    if model_type == "text_classifier":
        return profile.model_type == "chat_completion"
    if model_type == "image_classifier":
        return profile.model_type == "chat_completion" and profile.capabilities.vision is True
    if model_type == "image_text_to_image":
        return profile.model_type == "text_to_image" and "image" in profile.modalities.input
    if model_type == "image_embedder":
        return profile.model_type == "text_embedder" and "image" in profile.modalities.input
    return False


def _who(provider: str | None, model_type: str | None, name: str | None) -> Iterable[Test]:
    if provider is not None:
        wanted = ALIASES.get(_text("provider", provider), provider)
        if not is_provider(wanted) and wanted not in (owners := {each.provider for each in all_profiles()}):
            raise ConfigError(f"there is no provider {provider!r}{_hint(provider, [*owners, *ALIASES])}")
        yield lambda each: each.provider == wanted
    if model_type is not None:
        if model_type not in MODEL_TYPES:
            hint = _hint(_text("model_type", model_type), MODEL_TYPES)
            raise ConfigError(f"there is no model_type {model_type!r}{hint}: use one of {', '.join(MODEL_TYPES)}")
        yield lambda each: serves(each, model_type)
    if name is not None:
        part = _text("name", name).lower()
        yield lambda each: part in each.id.lower()


def _bounds(
    max_input: float | None, max_output: float | None, min_context: int | None, min_output: int | None
) -> Iterable[Test]:
    if max_input is not None:
        yield _at_most("input_per_million", _number("max_input_cost", max_input))
    if max_output is not None:
        yield _at_most("output_per_million", _number("max_output_cost", max_output))
    if min_context is not None:
        yield _at_least("context", _number("min_context", min_context))
    if min_output is not None:
        yield _at_least("output", _number("min_output", min_output))


def _at_most(rate: str, bound: float) -> Test:
    def test(each: Profile) -> bool:
        value = getattr(each.cost, rate)
        return value is not None and value <= bound

    return test


def _at_least(limit: str, bound: float) -> Test:
    def test(each: Profile) -> bool:
        value = getattr(each.limits, limit)
        return value is not None and value >= bound

    return test


def _kinds(inward: str | Sequence[str] | None, outward: str | Sequence[str] | None) -> Iterable[Test]:
    if inward is not None:
        needed = _modalities("input", inward)
        yield lambda each: needed <= {*each.modalities.input, *(["pdf"] if each.capabilities.pdf_input else [])}
    if outward is not None:
        wanted = _modalities("output", outward)
        yield lambda each: wanted <= set(each.modalities.output)


def _modalities(name: str, given: str | Sequence[str]) -> set[str]:
    kinds = [given] if isinstance(given, str) else given
    if not isinstance(kinds, (list, tuple, set, frozenset)):
        raise ConfigError(f"{name} must be a modality or a list of them, not {given!r:.80}")
    for kind in kinds:
        if kind not in _MODALITIES:
            raise ConfigError(
                f"there is no modality {kind!r}{_hint(str(kind), _MODALITIES)}: use {', '.join(_MODALITIES)}"
            )
    return set(kinds)


def _when(deprecated: bool | None) -> Iterable[Test]:
    if deprecated is None:
        return
    if not isinstance(deprecated, bool):
        raise ConfigError(f"deprecated must be True, False or None, not {deprecated!r:.80}")
    today = datetime.datetime.now(datetime.UTC).date()
    yield lambda each: (each.deprecation_date is not None and each.deprecation_date <= today) is deprecated


def _capability(name: str, value: Any) -> Test:
    names = Capabilities.__struct_fields__
    if name not in names:
        arguments = [argument for argument in inspect.signature(find).parameters if argument != "capabilities"]
        hint = _hint(name, [*names, *arguments])
        raise ConfigError(f"find() knows no {name!r}{hint}; the capabilities are {', '.join(names)}")
    if not isinstance(value, bool):
        raise ConfigError(f"{name} must be True or False, not {value!r:.80}")
    return lambda each: getattr(each.capabilities, name) is value


def _price(each: Profile) -> tuple[int, float, str]:
    cost = each.cost
    inward, outward = cost.input_per_million, cost.output_per_million
    if each.model_type in _INPUT_ONLY:
        outward = outward or 0.0
    unit = cost.per_query or cost.per_output_image or cost.per_second or cost.per_character
    if unit and not (inward and outward):
        return 1, unit, each.id
    return (2, 0.0, each.id) if inward is None or outward is None else (0, inward + outward, each.id)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise ConfigError(f"{name} must be a number of 0 or more, not {value!r:.80}")
    return float(value)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{name} must be a str, not {value!r:.80}")
    return value


def _hint(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""
