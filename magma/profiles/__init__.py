"""What a model can do, holds and costs, and which providers there are: LiteLLM's tables, read as files.

>>> from magma import profiles
>>> profile = profiles.get_model_profile("gpt-4o", provider_id="openai")
>>> profile.modalities.input, profile.limits.context, profile.capabilities.tool_call
(['text', 'image'], 128000, True)

LiteLLM is not imported for this. Making a handle imports this package, so only the names of providers are loaded at
once; the rest comes on first use (PEP 562). Whether a call would fit is `magma.profiles.fit`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .names import ALIASES, COMPATIBLE, is_provider, providers

if TYPE_CHECKING:
    from .catalog import refresh_profiles
    from .lookup import get_model_profile
    from .operations import MODEL_TYPES, is_provider_of, providers_by_type
    from .prices import price
    from .profile import Capabilities, Limits, Modalities, Profile, Rates
    from .search import find, select
    from .table import entry

# No file bears the name of something here: importing it would replace that by the module.
_HOMES = {
    "Capabilities": "profile",
    "Limits": "profile",
    "MODEL_TYPES": "operations",
    "Modalities": "profile",
    "Profile": "profile",
    "Rates": "profile",
    "entry": "table",
    "find": "search",
    "get_model_profile": "lookup",
    "is_provider_of": "operations",
    "price": "prices",
    "providers_by_type": "operations",
    "refresh_profiles": "catalog",
    "select": "search",
}

__all__ = [
    "ALIASES",
    "COMPATIBLE",
    "Capabilities",
    "Limits",
    "MODEL_TYPES",
    "Modalities",
    "Profile",
    "Rates",
    "entry",
    "find",
    "get_model_profile",
    "is_provider",
    "is_provider_of",
    "price",
    "providers",
    "providers_by_type",
    "refresh_profiles",
    "select",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'magma.profiles' has no attribute {name!r}")
    value = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
