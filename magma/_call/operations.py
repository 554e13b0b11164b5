"""What each of LiteLLM's operations takes and answers, besides chat's `completion`.

`arguments` makes its keyword arguments, `body_of` the plain data of its answer: the provider's own JSON where that is in
OpenAI's shape already, else what LiteLLM made of it. What the data must hold is the model type's affair (`_parse`).
"""

from __future__ import annotations

import asyncio
import io
from typing import Any

import msgspec

from ..errors import UnsupportedParamsError
from ..media import File, fetch, load
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
    if request.operation != "moderation":
        return {}
    if request.params and request.on_unsupported != "drop":
        raise UnsupportedParamsError(
            f"{request.model}: LiteLLM's moderation takes no {', '.join(sorted(request.params))}; leave it out",
            provider=request.provider,
            model=request.model,
        )
    return {"model": request.model.partition("/")[2], "custom_llm_provider": request.provider}


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
    return isinstance(value, File) and value.url is not None and value.url.startswith(("http://", "https://"))


async def with_files(request: Request) -> Request:
    """The request with the files fetched that the caller named by URL."""
    inputs = dict(request.inputs)
    for name, value in request.inputs.items():
        if is_remote(value):
            kind = "audio" if name == "file" else "image"
            several = isinstance(value, (list, tuple))
            files = [await asyncio.to_thread(_fetched, one, kind) for one in (value if several else [value])]
            inputs[name] = files if several else files[0]
    return msgspec.structs.replace(request, inputs=type(request.inputs)(inputs))


def _fetched(file: File, kind: Any) -> File:
    if not is_remote(file):
        return file
    found = load(fetch(str(file.url)), what=kind)
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
    if isinstance(raw, dict) and _is_in_shape(request.operation, raw):
        return raw
    body: dict[str, Any] = answer.model_dump(warnings=False) if hasattr(answer, "model_dump") else {}
    if request.operation == "transcription" and body.get("text") is None and isinstance(raw, str):
        body["text"] = raw
    if body.get(name) is None:
        raise failure.malformed(exchange, request, f"the answer has no {name}")
    if isinstance(raw, dict) and not any(raw.get(one) is not None for one in _TELLS_USAGE):
        body["usage"] = None
    return body


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


def _is_in_shape(operation: str, raw: dict[str, Any]) -> bool:
    """Whether the provider's own words are in OpenAI's shape."""
    held = raw.get(_HOLDS[operation])
    if operation == "transcription":
        return isinstance(held, str)
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
