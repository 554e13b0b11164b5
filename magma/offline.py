"""The embedded provider `offline/…`: answers with no key, no network and no model, always the same.

`offline/echo` repeats the last user text. With tools it calls the first suitable one, with arguments that
fit its schema; with a schema it answers a valid instance (types, bounds, enums, formats and references are kept
to; `pattern`, `not`, `contains` and `if` are not). Vectors are made of a text's hash, sounds are a tone, images one
pixel, rankings count shared words. It is made for trying things out and for tests, and says so in the answer's
`model` and `system_fingerprint`. Usage is counted in words.
"""

from __future__ import annotations

import base64
import hashlib
import math
import struct
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from .errors import NotFoundError
from .instance import instance
from .media import File

MODELS = ("echo",)


def answer(
    model: str, inputs: Mapping[str, Any], params: Mapping[str, Any], operation: str = "completion"
) -> dict[str, Any] | None:
    """The body of the answer, in OpenAI's wire shape; None for a model of another provider.

    >>> answer("offline/echo", {"messages": [{"role": "user", "content": "Hi"}]}, {})["choices"][0]["message"]
    {'role': 'assistant', 'content': 'Hi'}

    Raises:
        NotFoundError: an offline model that does not exist.
    """
    provider, _, name = model.partition("/")
    if provider != "offline":
        return None
    if name not in MODELS:
        known = ", ".join("offline/" + model for model in MODELS)
        raise NotFoundError(f"{model} does not exist; use {known}", provider="offline", model=model)
    if operation == "completion":
        return _chat(model, inputs, params)
    body = _OPERATIONS[operation](inputs, params)
    return body if operation == "speech" else {"id": "offline-1", "model": model, **body}


def _chat(model: str, inputs: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    messages: list[dict[str, Any]] = inputs["messages"]
    message: dict[str, Any] = {"role": "assistant", "content": None}
    reason, text = "stop", _last_text(messages)
    tool = _wanted_tool(inputs, messages)
    schema = _wanted_schema(inputs.get("response_format") or params.get("response_format"))
    limit = params.get("max_tokens")
    if tool is not None:
        function = tool["function"]
        text = msgspec.json.encode(instance(function.get("parameters") or {"type": "object"}, text)).decode()
        called = {"name": function["name"], "arguments": text}
        message["tool_calls"], reason = [{"id": "call_offline_1", "type": "function", "function": called}], "tool_calls"
    elif schema is not None:
        message["content"] = text = msgspec.json.encode(_fitting(schema, text)).decode()
    elif limit is not None and text.count(" ") >= limit:
        message["content"] = text = " ".join(text.split(" ")[:limit])
        reason = "length"
    else:
        message["content"] = text
    read = sum(len(_text(message).split()) for message in messages)
    written = len(text.split())
    return {
        "id": "offline-1",
        "object": "chat.completion",
        "model": model,
        "system_fingerprint": "magma offline: no model was asked",
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written},
    }


def _fitting(schema: dict[str, Any], text: str) -> Any:
    """An instance of the schema; of a classifier's, the label that the text names."""
    label = (schema.get("properties") or {}).get("label")
    named = [one for one in (label or {}).get("enum") or () if str(one).lower() in text.lower()]
    return {"label": named[0]} if named and len(schema["properties"]) == 1 else instance(schema, text)


def _wanted_tool(inputs: Mapping[str, Any], messages: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The tool to call: the one that `tool_choice` names, else the first; none once a result is there."""
    tools: list[dict[str, Any]] = [tool for tool in inputs.get("tools") or () if "function" in tool]
    choice = inputs.get("tool_choice")
    if not tools or choice == "none" or messages[-1]["role"] in ("tool", "function"):
        return None
    wanted = choice.get("function") if isinstance(choice, dict) else None
    named = wanted.get("name") if isinstance(wanted, dict) else choice
    return next((tool for tool in tools if tool["function"].get("name") == named), tools[0])


def _wanted_schema(response_format: Any) -> dict[str, Any] | None:
    if not isinstance(response_format, dict):
        return None
    if response_format.get("type") == "json_object":
        return {"type": "object"}
    wrapped = response_format.get("json_schema")
    schema = wrapped.get("schema") if isinstance(wrapped, dict) else None
    return schema if isinstance(schema, dict) else None


def _last_text(messages: list[dict[str, Any]]) -> str:
    texts = (_text(message) for message in reversed(messages) if message["role"] in ("user", "tool", "function"))
    return next((text for text in texts if text), "")


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "\n".join(str(block.get("text") or f"[{block.get('type')}]") for block in blocks)


# --- the other operations -------------------------------------------------------------------------------


def _usage(*texts: Any) -> dict[str, int]:
    count = sum(len(str(text).split()) for text in texts)
    return {"prompt_tokens": count, "total_tokens": count}


def _embed(inputs: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    given = inputs["input"]
    items = given if isinstance(given, list) else [given]
    size = params.get("dimensions") or 64
    data = [
        {"object": "embedding", "index": index, "embedding": _vector(item, size)} for index, item in enumerate(items)
    ]
    return {"object": "list", "data": data, "usage": _usage(*items)}


def _vector(item: Any, size: int) -> list[float]:
    """A unit vector out of the words: texts that share words lie near to each other."""
    words = [item.data or str(item.url).encode()] if isinstance(item, File) else str(item).lower().encode().split()
    sums = [0.0] * size
    for word in words:
        digest = hashlib.shake_128(word).digest(size * 2)
        sums = [a + b / 65535 - 0.5 for a, b in zip(sums, struct.unpack(f"<{size}H", digest), strict=True)]
    length = math.sqrt(sum(value * value for value in sums)) or 1.0
    return [value / length for value in sums]


def _transcribe(inputs: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    file: File = inputs["file"]
    told = str(file.url) if file.data is None else f"{len(file.data)} bytes of sound"
    text = f"{file.name}: {told}"
    words = [{"word": word, "start": float(place), "end": place + 1.0} for place, word in enumerate(text.split())]
    segment = {"id": 0, "start": 0.0, "end": float(len(words)), "text": text}
    wanted = params.get("timestamp_granularities") or ()
    return {
        "text": text,
        "words": words if "word" in wanted else None,
        "segments": [segment] if "segment" in wanted else None,
        "language": params.get("language"),
        "usage": None,
    }


def _speak(inputs: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """A second of a quiet tone as WAV: 8 000 samples of 16 bits, whatever format was wanted."""
    samples = [int(2000 * math.sin(place * math.tau * 440 / 8000)) for place in range(8000)]
    sound = struct.pack("<8000h", *samples)
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        36 + len(sound),
        b"WAVE",
        b"fmt ",
        16,
        1,
        1,
        8000,
        16000,
        2,
        16,
        b"data",
        len(sound),
    )
    return {"audio": head + sound, "media_type": "audio/wav"}


def _draw(inputs: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """One pixel as PNG, its colour out of the prompt."""
    colour = hashlib.sha256(str(inputs["prompt"]).encode()).digest()[:3]
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0" + colour)),
        (b"IEND", b""),
    )
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    ]
    encoded = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(chunks)).decode()
    return {"created": 0, "data": [{"b64_json": encoded}] * (params.get("n") or 1), "usage": None}


def _moderate(inputs: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    given = inputs["input"]
    safe = {"flagged": False, "categories": {"violence": False}, "category_scores": {"violence": 0.0}}
    return {"results": [safe for _ in (given if isinstance(given, list) else [given])], "usage": _usage(given)}


def _rerank(inputs: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    query = set(str(inputs["query"]).lower().split())
    scores = [
        len(query & set(str(document).lower().split())) / len(query) if query else 0.0
        for document in inputs["documents"]
    ]
    ranked = sorted(range(len(scores)), key=lambda index: (-scores[index], index))[: params.get("top_n")]
    results = [{"index": index, "relevance_score": scores[index]} for index in ranked]
    return {"results": results, "usage": _usage(inputs["query"], *inputs["documents"])}


_OPERATIONS: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any]]] = {
    "embedding": _embed,
    "transcription": _transcribe,
    "speech": _speak,
    "image_generation": _draw,
    "image_edit": _draw,
    "moderation": _moderate,
    "rerank": _rerank,
}
