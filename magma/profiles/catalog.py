"""models.dev's catalog: fetched when asked for, kept in a cache file, read back as rows like those of LiteLLM's table.

Nothing is fetched unless `refresh_profiles` is called. Where the file is: `MAGMA_PROFILES`, or `magma/profiles.json`
in the user's cache folder.
"""

from __future__ import annotations

import contextlib
import datetime
import logging
import os
import pathlib
import tempfile
from functools import lru_cache
from typing import Any

import msgspec

from ..errors import ConfigError
from .reading import dollars
from .table import Row

URL = "https://models.dev/api.json"
_NAMES = {
    "alibaba": "dashscope",
    "amazon-bedrock": "bedrock",
    "cloudflare-workers-ai": "cloudflare",
    "github-models": "github",
    "google": "gemini",
    "google-vertex": "vertex_ai",
    "google-vertex-anthropic": "vertex_ai",
    "moonshotai": "moonshot",
    "nvidia": "nvidia_nim",
    "togetherai": "together_ai",
    "vercel": "vercel_ai_gateway",
}
"""models.dev's providers -> LiteLLM's; the others differ in `-` and `_` at most."""
_FLAGS = {
    "tool_call": "supports_function_calling",
    "structured_output": "supports_response_schema",
    "reasoning": "supports_reasoning",
    "temperature": "supports_sampling_params",
    "attachment": "attachment",
}
_COSTS = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cache_read": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
    "reasoning": "output_cost_per_reasoning_token",
    "input_audio": "input_cost_per_audio_token",
    "output_audio": "output_cost_per_audio_token",
}


class _File(msgspec.Struct):
    """The cache file."""

    fetched: datetime.date
    models: dict[str, Row]


def refresh_profiles(url: str = URL, *, timeout: float = 20) -> int:
    """Fetches models.dev's catalog into the cache file; returns how many models it has.

    From then on, in every process, `get_model_profile` and `find` fill in from it what LiteLLM's table does not say.
    A row's prices are never mixed: models.dev's count only where LiteLLM's table has no token price at all. `price`
    uses them for models that LiteLLM does not know. The old file stays until a whole, sound new one is there.

    Args:
        url: a document in the shape of models.dev's `api.json`.
        timeout: seconds for all of it.

    Raises:
        ConfigError: `url` or `timeout` cannot work, MAGMA_ALLOW_REQUESTS=0 forbids requests, or the file cannot be written.
        ConnectionError, TimeoutError, ServerError: it could not be fetched, or is not such a document.
    """
    from . import download

    models = _models(download.fetch(url, timeout))
    if not models:
        raise download.refused(url, "it is not models.dev's catalog: no model in it has the right shape")
    _write(_File(fetched=datetime.datetime.now(datetime.UTC).date(), models=models))
    _loaded.cache_clear()
    return len(models)


def path() -> pathlib.Path:
    """Where the cache file is, or would be."""
    given = os.environ.get("MAGMA_PROFILES")
    if given:
        return pathlib.Path(given).expanduser()
    home = os.environ.get("XDG_CACHE_HOME")
    folder = pathlib.Path(home) if home else pathlib.Path("~/.cache").expanduser()
    return folder / "magma" / "profiles.json"


def rows() -> dict[str, Row]:
    """Id -> row of the cache file; empty without one."""
    return _file().models


def row(id: str) -> Row | None:
    """The row of one model."""
    return rows().get(id)


def source() -> str:
    """What the figures are from, e.g. "models.dev of 2026-11-20"."""
    return f"models.dev of {_file().fetched}"


def stamp() -> tuple[pathlib.Path, int, int] | None:
    """Where the cache file is, when it was written and its size; None without one. Another stamp is another file."""
    place = path()
    try:
        stat = place.stat()
    except (OSError, ValueError):
        return None
    return place, stat.st_mtime_ns, stat.st_size


def _file() -> _File:
    found = stamp()
    return _NOTHING if found is None else _loaded(*found)


_NOTHING = _File(fetched=datetime.date.min, models={})


@lru_cache(maxsize=4)
def _loaded(place: pathlib.Path, changed: int, size: int) -> _File:
    try:
        return msgspec.json.decode(place.read_bytes(), type=_File)
    except (OSError, msgspec.MsgspecError, RecursionError) as error:  # said once: the result is remembered
        logging.getLogger("magma").warning(
            "%s is ignored, it is not what refresh_profiles() writes (%s); call that again, or delete it", place, error
        )
        return _NOTHING


def _write(file: _File) -> None:
    place = path()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=place.parent, prefix=place.name)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(msgspec.json.encode(file))
            os.replace(name, place)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
    except OSError as error:
        raise ConfigError(f"{place} cannot be written ({error}); set MAGMA_PROFILES to a file that can") from None


def _models(document: Any) -> dict[str, Row]:
    found: dict[str, Row] = {}
    for provider, entry in document.items() if isinstance(document, dict) else ():
        models = entry.get("models") if isinstance(entry, dict) else None
        name = _NAMES.get(provider, provider.replace("-", "_"))
        for id, model in models.items() if isinstance(models, dict) else ():
            if isinstance(model, dict) and (made := _row(id, model)):
                found.setdefault(f"{name}/{id}", {"litellm_provider": name, **made})
    return found


def _row(id: str, model: dict[str, Any]) -> Row:
    """A model of models.dev in the words of LiteLLM's table; {} for what is no model."""
    kinds, limit, cost = (_dict(model.get(name)) for name in ("modalities", "limit", "cost"))
    takes, gives = _texts(kinds.get("input")), _texts(kinds.get("output"))
    if not (takes or gives or limit or cost):
        return {}
    made: Row = {"mode": _mode(id, takes, gives)}
    made |= {_FLAGS[name]: model[name] for name in _FLAGS if isinstance(model.get(name), bool)}
    if takes:
        made["supported_modalities"] = [kind for kind in takes if kind != "pdf"]  # a capability, as in LiteLLM's table
        made |= {"supports_vision": "image" in takes, "supports_pdf_input": "pdf" in takes}
        made |= {"supports_audio_input": "audio" in takes, "supports_video_input": "video" in takes}
    if gives:
        made |= {"supported_output_modalities": gives, "supports_audio_output": "audio" in gives}
    made |= {"max_input_tokens": limit.get("context"), "max_output_tokens": limit.get("output")}
    made |= _costs(cost)
    if isinstance(model.get("knowledge"), str):
        made["knowledge"] = model["knowledge"]
    return {name: value for name, value in made.items() if value is not None}


def _mode(id: str, takes: list[str], gives: list[str]) -> str | None:
    if "embed" in id.lower():
        return "embedding"
    if takes == ["audio"] and gives == ["text"]:
        return "audio_transcription"
    only = {"image": "image_generation", "audio": "audio_speech", "video": "video_generation"}
    return "chat" if "text" in gives else only.get(" ".join(gives))


def _costs(cost: dict[str, Any], ending: str = "") -> Row:
    made: Row = {}
    for name, field in _COSTS.items():
        price = dollars(cost.get(name))
        if price is not None:
            made[field + ending] = float(f"{price / 1e6:.12g}")
    if ending:
        return made
    tiers = cost.get("tiers")
    for tier in tiers if isinstance(tiers, list) else ():
        size = _dict(_dict(tier).get("tier")).get("size")
        if isinstance(size, int) and size % 1000 == 0:
            made |= _costs(tier, f"_above_{size // 1000}k_tokens")
    if not tiers:
        made |= _costs(_dict(cost.get("context_over_200k")), "_above_200k_tokens")
    return made


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
