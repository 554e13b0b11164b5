"""From a model's id to its `Profile`."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from ..errors import ConfigError
from . import catalog
from .names import ALIASES, is_provider
from .profile import Modalities, Profile
from .reading import FLAGS, profile_of
from .table import Row, entry, owner_of, rows

_KINDS = {"image": FLAGS["vision"], "audio": FLAGS["audio_input"], "video": FLAGS["video_input"]}


def get_model_profile(id: str, provider_id: str | None = None) -> Profile | None:
    """What is known about a model; None for one that nobody knows. At once, and offline.

    The figures are those of LiteLLM's table. After `refresh_profiles()`, models.dev fills in what that does not say,
    models that it does not have included; `profile.source` tells.

    Args:
        id: "provider/name" as handles take it, or the name alone; upper and lower case differ.
        provider_id: the provider, also in the spelling of other libraries ("google", "together").

    >>> get_model_profile("gpt-4o", provider_id="openai").cost.output_per_million
    10.0
    >>> get_model_profile("openai/gpt-4o") == get_model_profile("gpt-4o")
    True
    >>> get_model_profile("openai/no-such-model") is None
    True

    Raises:
        ConfigError: `id` or `provider_id` is no str.
    """
    for name, value in (("id", id), ("provider_id", provider_id)):
        if not isinstance(value, str) and not (name == "provider_id" and value is None):
            raise ConfigError(f'{name} must be a str such as "{_EXAMPLES[name]}", not {value!r:.80}')
    for candidate in _candidates(id, provider_id):
        found = _profile(candidate)
        if found is not None:
            return found
    return None


_EXAMPLES = {"id": "openai/gpt-4o", "provider_id": "openai"}


def _candidates(id: str, provider: str | None) -> list[str]:
    if provider:
        provider = ALIASES.get(provider, provider)
        head, _, name = id.partition("/")
        repeated = [f"{provider}/{name}"] if ALIASES.get(head, head) == provider and name else []
        return [f"{provider}/{id}", *repeated]
    head, slash, name = id.partition("/")
    return [id, f"{ALIASES[head]}/{name}"] if slash and head in ALIASES else [id]


def _profile(id: str) -> Profile | None:
    head, slash, _ = id.partition("/")
    provider = head if slash and is_provider(head) else None
    found = entry(id)
    if found is None:
        more = catalog.row(id)
        return None if more is None else _from_catalog(id, more)
    key, row = found
    return filled(key, row, provider)


def filled(key: str, row: Row, provider: str | None = None) -> Profile:
    """The profile of a row of LiteLLM's table, what it leaves open filled in from models.dev's."""
    if not catalog.rows():
        return profile_of(key, row, provider)
    owner = provider or owner_of(row)
    more = catalog.row(key if key.startswith(f"{owner}/") else f"{owner}/{key}")
    return profile_of(key, row, provider) if more is None else _merged(key, row, more, provider)


def _merged(key: str, row: Row, more: Row, provider: str | None) -> Profile:
    known = {name: value for name, value in row.items() if value is not None}
    refused = {kind for kind, flags in _KINDS.items() if any(known.get(flag) is False for flag in flags)}
    extra = dict(more)
    extra["supported_modalities"] = [kind for kind in more.get("supported_modalities", []) if kind not in refused]
    if "input_cost_per_token" in known or "tiered_pricing" in known:  # one table's prices, not a mix of two
        extra = {name: value for name, value in extra.items() if "_cost" not in name}
    alone, both = profile_of(key, known, provider), profile_of(key, {**extra, **known}, provider)
    return alone if both == alone else msgspec.structs.replace(both, source=f"{alone.source}, {catalog.source()}")


def _from_catalog(id: str, row: Row) -> Profile:
    return msgspec.structs.replace(profile_of(id, row, id.partition("/")[0]), source=catalog.source())


def all_profiles() -> tuple[Profile, ...]:
    """The profile of every model that LiteLLM's table or models.dev has, one for each id."""
    return _all(catalog.stamp())


@lru_cache(maxsize=1)
def _all(stamp: object) -> tuple[Profile, ...]:
    found: dict[str, Profile] = {}
    for key, row in rows().items():
        profile = filled(key, row)
        if profile.id not in found or key == profile.id:  # the row that spells the provider out is the route's own
            found[profile.id] = profile
    for id, row in catalog.rows().items():
        if id not in found:
            found[id] = _from_catalog(id, row)
    return tuple(found.values())


def fresh(profile: Profile) -> Profile:
    """The profile with lists of its own: whoever changes them changes no one else's."""
    kinds = profile.modalities
    own = Modalities(input=list(kinds.input), output=list(kinds.output))
    return msgspec.structs.replace(profile, modalities=own)
