"""Bodies in the shapes of providers: OpenAI's and Anthropic's answers, chunks, events and errors. Pure functions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, TypedDict, Unpack

Json: TypeAlias = dict[str, Any]
Usage: TypeAlias = tuple[int, int] | Mapping[str, Any] | None
"""(tokens in, tokens out), or the provider's own object as it shall appear; None leaves the key out."""
Tool: TypeAlias = tuple[str, Mapping[str, Any]] | Mapping[str, Any]
"""A tool call: (name, arguments), or the provider's own object as it shall appear."""


class ChatFields(TypedDict, total=False):
    """What `chat_body`, `chat_chunks`, `Reply.chat` and `Reply.stream` take besides the content."""

    finish_reason: str | None
    usage: Usage
    model: str
    tool_calls: Sequence[Tool] | None
    reasoning: str | None
    id: str


class AnthropicFields(TypedDict, total=False):
    """What `anthropic_body`, `anthropic_events` and their replies take besides the content."""

    stop_reason: str | None
    usage: Usage
    model: str
    thinking: str | None
    tool_use: Sequence[Tool] | None
    id: str


def chat_body(
    content: str | None = "Hello there!",
    *,
    finish_reason: str | None = "stop",
    usage: Usage = (9, 3),
    model: str = "gpt-4o",
    tool_calls: Sequence[Tool] | None = None,
    reasoning: str | None = None,
    id: str = "chatcmpl-1",
) -> Json:
    """An OpenAI `chat.completion`.

    >>> chat_body("Hi", usage=(1, 2))["usage"]
    {'prompt_tokens': 1, 'completion_tokens': 2, 'total_tokens': 3}
    """
    message: Json = {"role": "assistant", "content": content}
    if reasoning is not None:
        message["reasoning_content"] = reasoning
    if tool_calls is not None:
        message["tool_calls"] = _tool_calls(tool_calls)
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    body: Json = {"id": id, "object": "chat.completion", "created": 1_700_000_000, "model": model, "choices": [choice]}
    return body | ({} if usage is None else {"usage": _usage(usage)})


def chat_chunks(
    content: str | Sequence[str] | None = "Hello there!",
    *,
    finish_reason: str | None = "stop",
    usage: Usage = (9, 3),
    model: str = "gpt-4o",
    tool_calls: Sequence[Tool] | None = None,
    reasoning: str | None = None,
    id: str = "chatcmpl-1",
) -> list[Json]:
    """The `chat.completion.chunk`s of a stream: role, reasoning, content by word, tool calls, finish reason, usage.

    >>> [chunk["choices"][0]["delta"] for chunk in chat_chunks("Hi you", usage=None)]
    [{'role': 'assistant', 'content': ''}, {'content': 'Hi'}, {'content': ' you'}, {}]
    """
    head = {"id": id, "object": "chat.completion.chunk", "created": 1_700_000_000, "model": model}
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_content": piece} for piece in _pieces(reasoning)]
    deltas += [{"content": piece} for piece in _pieces(content)]
    for index, call in enumerate(_tool_calls(tool_calls or ())):
        function = call["function"]
        deltas.append({"tool_calls": [{"index": index} | call | {"function": function | {"arguments": ""}}]})
        deltas.append({"tool_calls": [{"index": index, "function": {"arguments": function["arguments"]}}]})
    chunks = [head | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    if finish_reason is not None:
        chunks.append(head | {"choices": [{"index": 0, "delta": {}, "finish_reason": finish_reason}]})
    if usage is not None:
        chunks.append(head | {"choices": [], "usage": _usage(usage)})
    return chunks


def anthropic_body(
    content: str | None = "Hello there!",
    *,
    stop_reason: str | None = "end_turn",
    usage: Usage = (9, 3),
    model: str = "claude-sonnet-4-5",
    thinking: str | None = None,
    tool_use: Sequence[Tool] | None = None,
    id: str = "msg_1",
) -> Json:
    """An Anthropic `message`.

    >>> anthropic_body("Hi")["content"]
    [{'type': 'text', 'text': 'Hi'}]
    """
    blocks: list[Json] = []
    if thinking is not None:
        blocks.append({"type": "thinking", "thinking": thinking, "signature": "c2lnbmF0dXJl"})
    if content is not None:
        blocks.append({"type": "text", "text": content})
    blocks += _tool_use(tool_use or ())
    body: Json = {"id": id, "type": "message", "role": "assistant", "model": model, "content": blocks}
    body |= {"stop_reason": stop_reason, "stop_sequence": None}
    return body | ({} if usage is None else {"usage": _usage(usage, "input_tokens", "output_tokens")})


def anthropic_events(
    content: str | Sequence[str] | None = "Hello there!", **fields: Unpack[AnthropicFields]
) -> list[Json]:
    """The events of an Anthropic stream, `message_start` to `message_stop`; each one's name is its `type`.

    >>> [event["type"] for event in anthropic_events("Hi")][:3]
    ['message_start', 'content_block_start', 'content_block_delta']
    """
    pieces = _pieces(content)
    body = anthropic_body(None if content is None else "".join(pieces), **fields)
    usage = body.pop("usage", None)
    start = body | {"content": [], "stop_reason": None} | ({"usage": usage | {"output_tokens": 1}} if usage else {})
    events: list[Json] = [{"type": "message_start", "message": start}]
    for index, block in enumerate(body["content"]):
        empty, deltas = _block_deltas(block, pieces)
        events.append({"type": "content_block_start", "index": index, "content_block": empty})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    end: Json = {"type": "message_delta", "delta": {"stop_reason": body["stop_reason"], "stop_sequence": None}}
    events.append(end | ({"usage": {"output_tokens": usage["output_tokens"]}} if usage else {}))
    return [*events, {"type": "message_stop"}]


def _block_deltas(block: Json, pieces: list[str]) -> tuple[Json, list[Json]]:
    """A content block as it starts (empty), and the deltas that fill it."""
    if block["type"] == "text":
        return block | {"text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces]
    if block["type"] == "thinking":
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in _pieces(block["thinking"])]
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
        return block | {"thinking": "", "signature": ""}, deltas
    partial = json.dumps(block["input"])
    return block | {"input": {}}, [{"type": "input_json_delta", "partial_json": partial}]


def _pieces(content: str | Sequence[str] | None) -> list[str]:
    if isinstance(content, str):
        return re.findall(r"\s*\S+|\s+$", content)
    return list(content or ())


def _usage(usage: tuple[int, int] | Mapping[str, Any], *names: str) -> Json:
    if isinstance(usage, Mapping):
        return dict(usage)
    if names:
        return dict(zip(names, usage, strict=True))
    return {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}


def _tool_calls(tools: Sequence[Tool]) -> list[Json]:
    def one(number: int, tool: Tool) -> Json:
        if isinstance(tool, Mapping):
            return dict(tool)
        function = {"name": tool[0], "arguments": json.dumps(tool[1])}
        return {"id": f"call_{number}", "type": "function", "function": function}

    return [one(number, tool) for number, tool in enumerate(tools, 1)]


def _tool_use(tools: Sequence[Tool]) -> list[Json]:
    def one(number: int, tool: Tool) -> Json:
        if isinstance(tool, Mapping):
            return dict(tool)
        return {"type": "tool_use", "id": f"toolu_{number}", "name": tool[0], "input": dict(tool[1])}

    return [one(number, tool) for number, tool in enumerate(tools, 1)]


def error_body(
    status: int, message: str = "", *, type: str | None = None, code: str | int | None = None, anthropic: bool = False
) -> Json:
    """The JSON that OpenAI-like providers, or Anthropic, send with an error status.

    >>> error_body(429, "Slow down.", anthropic=True)
    {'type': 'error', 'error': {'type': 'rate_limit_error', 'message': 'Slow down.'}}
    """
    type = type or _ERROR_TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    message = message or f"The scripted server answers {status}."
    if anthropic:
        return {"type": "error", "error": {"type": type, "message": message}}
    return {"error": {"message": message, "type": type, "param": None, "code": code}}


# https://docs.anthropic.com/en/api/errors; OpenAI's differ from these only where its clients do not look.
_ERROR_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


def sse(data: Json | str, *, event: str | None = None) -> bytes:
    r"""One server-sent event.

    >>> sse("[DONE]")
    b'data: [DONE]\n\n'
    """
    name = f"event: {event}\n".encode() if event else b""
    return name + b"data: " + (data.encode() if isinstance(data, str) else encode(data)) + b"\n\n"


def encode(obj: Any) -> bytes:
    """`obj` as compact JSON, not ASCII-escaped, as providers send it."""
    return json.dumps(obj, ensure_ascii=False, separators=(",", ":")).encode()
