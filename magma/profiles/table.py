"""LiteLLM's table of models, read as a file: decoded once (20 ms), on first use."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any

from .names import folder

Row = dict[str, Any]

_NO_MODELS = frozenset({"sample_spec", "fallback_generalizations"})
_CLASS = re.compile(r"(^|/)(\d+|max)-x-(\d+|max)/|^(together|fireworks)-ai-")


@cache
def table() -> dict[str, Row]:
    """Key -> row, as LiteLLM has them; empty where LiteLLM or its table is missing."""
    import msgspec

    home = folder()
    try:
        data = (home / "model_prices_and_context_window_backup.json").read_bytes() if home else b"{}"
        return msgspec.json.decode(data, type=dict[str, Row])
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return {}


def rows() -> dict[str, Row]:
    """The rows that describe a model: no documentation, no size classes, no prices of one image size."""
    return {key: row for key, row in table().items() if is_model(key, row)}


def is_model(key: str, row: Row) -> bool:
    """Whether a row is about a model that can be asked.

    >>> is_model("gpt-4o", {"mode": "chat"}), is_model("low/1024-x-1024/gpt-image-1", {"mode": "image_generation"})
    (True, False)
    """
    return key not in _NO_MODELS and bool(row.get("mode")) and not _CLASS.search(key)


@cache
def source() -> str:
    """What the figures are from, e.g. "litellm 1.106.2"."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"litellm {version('litellm')}"
    except PackageNotFoundError:
        return "litellm (not installed)"


@lru_cache(maxsize=4096)
def entry(model: str) -> tuple[str, Row] | None:
    """The table's key and entry for a model id such as "openai/gpt-4o"; None for a model it does not know."""
    provider, _, name = model.partition("/")
    for key in (model, name):
        found = table().get(key)
        if found is not None and (key == model or is_of(found, provider)) and key not in _NO_MODELS:
            return key, found
    return None


def is_of(found: Row, provider: str) -> bool:
    """Whether an entry without a provider in its key is this provider's: a local model never costs OpenAI's price."""
    owner = str(found.get("litellm_provider") or "")
    return (
        owner in (provider, f"text-completion-{provider}")
        or owner.partition("-")[0] == provider
        or owner.startswith(provider + "_")
    )


def owner_of(row: Row) -> str:
    """A row's provider in the spelling of ids: LiteLLM's table tells families and routes apart.

    >>> owner_of({"litellm_provider": "vertex_ai-language-models"}), owner_of({"litellm_provider": "bedrock_converse"})
    ('vertex_ai', 'bedrock')
    """
    owner = str(row.get("litellm_provider") or "")
    family = re.match(r"(vertex_ai|fireworks_ai)-", owner)
    return family[1] if family else {"bedrock_converse": "bedrock", "cohere_chat": "cohere"}.get(owner, owner)
