"""Gemini's requests as its reference spells them.

LiteLLM writes `function_call` and `inline_data`, which Google's own servers take as well, but what stands in for them (a
gateway, a mock) often does not: https://ai.google.dev/api/caching#Part
"""

from __future__ import annotations

from typing import Any

import httpx
import msgspec

PROVIDERS = frozenset({"gemini", "vertex_ai", "vertex_ai_beta"})
_NAMES = {
    "function_call": "functionCall",
    "function_response": "functionResponse",
    "inline_data": "inlineData",
    "file_data": "fileData",
    "mime_type": "mimeType",
    "file_uri": "fileUri",
    "function_declarations": "functionDeclarations",
}
_MARKS = tuple(f'"{name}"'.encode() for name in _NAMES)


def respelt(request: httpx.Request) -> httpx.Request:
    """The request with the members of its parts and tools spelt so; itself where there is nothing to spell."""
    content = getattr(request, "_content", b"")
    if not any(mark in content for mark in _MARKS):
        return request
    try:
        body = msgspec.json.decode(content)
    except msgspec.DecodeError:
        return request
    if not isinstance(body, dict):
        return request
    for turn in body.get("contents") or ():
        if isinstance(turn, dict) and isinstance(turn.get("parts"), list):
            turn["parts"] = [_part(part) for part in turn["parts"]]
    if isinstance(body.get("tools"), list):
        body["tools"] = [_spelt(tool) for tool in body["tools"]]
    headers = [(name, value) for name, value in request.headers.raw if name.lower() != b"content-length"]
    return httpx.Request(
        request.method, request.url, headers=headers, content=msgspec.json.encode(body), extensions=request.extensions
    )


def _part(part: Any) -> Any:
    """A part, and the file in it; never the caller's own data, such as a function's arguments."""
    spelt = _spelt(part)
    for name in ("inlineData", "fileData"):
        if isinstance(spelt, dict) and name in spelt:
            spelt[name] = _spelt(spelt[name])
    return spelt


def _spelt(value: Any) -> Any:
    return {_NAMES.get(name, name): item for name, item in value.items()} if isinstance(value, dict) else value
