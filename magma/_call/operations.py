"""What each of LiteLLM's operations takes and answers, besides chat's `completion`.

`arguments` makes its keyword arguments, `body_of` the plain data of its answer: the provider's own JSON where that is in
OpenAI's shape already, else what LiteLLM made of it. What the data must hold is the model type's affair (`_parse`).
"""

from __future__ import annotations

import asyncio
import io
import os
from typing import Any

import msgspec

from ..errors import AuthenticationError, ConfigError, UnsupportedParamsError
from ..media import LIMITS, File, fetch, load, shown
from . import failure
from .request import Request
from .wire import Exchange

PREPARERS = {
    "embedding": "get_optional_params_embeddings",
    "image_generation": "get_optional_params_image_gen",
    "transcription": "get_optional_params_transcription",
}
"""LiteLLM's functions that know which parameters a model takes, where they are not chat's."""

# Where the answer stands in a body of OpenAI's shape.
_HOLDS = {
    "embedding": "data",
    "image_generation": "data",
    "image_edit": "data",
    "moderation": "results",
    "rerank": "results",
    "transcription": "text",
}


def arguments(request: Request) -> dict[str, Any]:
    """Keyword arguments that only this operation needs.

    Raises:
        UnsupportedParamsError: a parameter that the operation has no way to send.
    """
    if request.operation == "speech" and request.provider == "gemini" and request.api_base:
        raise UnsupportedParamsError(  # LiteLLM would ask Google itself, with the key and the text
            f"{request.model}: speech cannot be asked for at another api_base; leave it out",
            provider=request.provider,
            model=request.model,
        )
    found = _found(request) if request.operation in ("moderation", "image_generation", "image_edit") else {}
    if request.operation != "moderation":
        return found
    if request.params and request.on_unsupported != "drop":
        raise UnsupportedParamsError(
            f"{request.model}: moderation takes no {', '.join(sorted(request.params))}; leave it out, or let it be left "
            'out with on_unsupported="drop"',
            provider=request.provider,
            model=request.model,
        )
    return {**found, "model": request.model.partition("/")[2], "custom_llm_provider": request.provider}


def _found(request: Request) -> dict[str, Any]:
    """OpenAI's key and address out of the environment of this moment: here LiteLLM would keep those of its first call."""
    if request.provider != "openai":
        return {}
    if not (request.api_key or os.environ.get("OPENAI_API_KEY")):  # LiteLLM would send "Bearer None"
        raise AuthenticationError(
            f"{request.model}: no API key: {failure.key_hint(request)}",
            provider=request.provider,
            model=request.model,
        )
    found = {"api_key": request.api_key or os.environ.get("OPENAI_API_KEY")}
    found["api_base"] = request.api_base or os.environ.get("OPENAI_BASE_URL") or os.environ.get("OPENAI_API_BASE")
    return {name: value for name, value in found.items() if value}


def on_wire(file: File, request: Request) -> Any:
    """A file as LiteLLM takes it: an upload, or the text of a data URL."""
    if request.operation == "embedding":
        return file.data_url()
    if request.operation == "image_edit":
        opened = io.BytesIO(file.data or b"")
        opened.name = file.name
        return opened
    return (file.name, file.data, file.media_type)


def is_remote(value: Any) -> bool:
    """Whether a file, or one of a list, is still a URL to fetch."""
    if isinstance(value, (list, tuple)):
        return any(is_remote(one) for one in value)
    return isinstance(value, File) and value.url is not None and value.url.lower().startswith(("http://", "https://"))


async def with_files(request: Request) -> Request:
    """The request with the files fetched that the caller named by URL."""
    inputs, bounds = dict(request.inputs), (60.0, request.timeout.total, request.timeout.attempt)
    seconds = min(bound for bound in bounds if bound is not None)  # the thread must not outlast the call
    for name, value in request.inputs.items():
        if is_remote(value):
            kind = "audio" if name == "file" else "image"
            several = isinstance(value, (list, tuple))
            files = [await asyncio.to_thread(_fetched, one, kind, seconds) for one in (value if several else [value])]
            inputs[name] = files if several else files[0]
    return msgspec.structs.replace(request, inputs=type(request.inputs)(inputs))


def _fetched(file: File, kind: Any, seconds: float) -> File:
    if not is_remote(file):
        return file
    data = fetch(str(file.url), most=LIMITS[kind], timeout=seconds)
    if data[:200].lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
        raise ConfigError(f"{shown(file.url)} is a web page, not {kind}: give the link of the file itself")
    found = load(data, what=kind)
    return msgspec.structs.replace(found, name=file.name if "." in file.name else found.name)


def body_of(request: Request, answer: Any, exchange: Exchange) -> dict[str, Any]:
    """The answer as plain data.

    Raises:
        ModelError: a good status that hides an error, or something that is no answer.
    """
    if request.operation == "speech":
        return _sound(request, answer, exchange)
    raw = exchange.json() if exchange.response is not None else None
    if isinstance(raw, dict) and raw.get("error"):
        raise failure.reported(raw, exchange, request)
    name = _HOLDS[request.operation]
    if isinstance(raw, dict) and is_in_shape(request.operation, raw):
        return raw
    body: dict[str, Any] = answer.model_dump(warnings=False) if hasattr(answer, "model_dump") else {}
    if request.operation == "transcription":
        _mend_transcript(body, raw, exchange)
    if body.get(name) is None:
        raise failure.malformed(exchange, request, f"the answer has no {name}")
    if isinstance(raw, dict) and not any(raw.get(one) is not None for one in _TELLS_USAGE):
        body["usage"] = body["meta"] = None
    return body


def _mend_transcript(body: dict[str, Any], raw: Any, exchange: Exchange) -> None:
    """Takes out of LiteLLM's transcript what it made up: an empty text, a web page as text, a language."""
    if body.get("text") is None and isinstance(raw, str):
        body["text"] = raw
    told = isinstance(raw, dict) and (isinstance(raw.get("text"), str) or isinstance(raw.get("results"), dict))
    if (isinstance(raw, dict) and not told and not body.get("text")) or (
        raw is None and "html" in (exchange.header("content-type") or "")
    ):
        body["text"] = None
    if f'"{body.get("language")}"'.encode() not in exchange.content:
        body["language"] = None


_TELLS_USAGE = (
    "usage",
    "meta",
    "usageMetadata",
    "inputTextTokenCount",
    "prompt_eval_count",
    "metadata",
    "tokens",
    "token_usage",
)


def is_in_shape(operation: str, raw: dict[str, Any]) -> bool:
    """Whether the provider's own words are in OpenAI's shape."""
    held = raw.get(_HOLDS.get(operation, ""))
    if operation == "transcription":
        words = raw.get("words")
        theirs = isinstance(words, list) and words and isinstance(words[0], dict) and "word" not in words[0]
        return isinstance(held, str) and not theirs
    if not isinstance(held, list):
        return False
    first = held[0] if held else {}
    marks = {
        "embedding": "embedding",
        "rerank": "relevance_score",
        "moderation": "categories",
        "image_generation": "",
        "image_edit": "",
    }
    return isinstance(first, dict) and (not held or not marks[operation] or marks[operation] in first)


def _sound(request: Request, answer: Any, exchange: Exchange) -> dict[str, Any]:
    """The bytes of a speech answer, and their media type."""
    kind = (exchange.header("content-type") or "").partition(";")[0].strip().lower()
    data = getattr(answer, "content", None)
    if not isinstance(data, bytes):
        raise failure.malformed(exchange, request, "the answer is no sound")
    if kind in ("application/json", "text/html", "text/plain", "application/problem+json") and data == exchange.content:
        raw = exchange.json()
        if isinstance(raw, dict) and raw.get("error"):
            raise failure.reported(raw, exchange, request)
        raise failure.malformed(exchange, request, f"the answer is {kind}, not sound")
    if not data:
        raise failure.malformed(exchange, request, "the answer holds no sound: 0 bytes")
    return {"audio": data, "media_type": kind if kind.startswith("audio/") else ""}
