"""A stream's chunks in OpenAI's wire shape, as plain data, from whatever LiteLLM hands back.

Where the provider speaks OpenAI's events, they are read from the wire as they are: nothing is invented
and a chunk costs a fraction of LiteLLM's way. Every other provider's events are converted by LiteLLM's
own iterator, one level below its `CustomStreamWrapper`, which makes facts up.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from . import facts, failure
from .request import Request
from .wire import Exchange, decode, event_data

Chunk = dict[str, Any]
_CARRIERS = (
    "content",
    "reasoning_content",
    "reasoning",
    "tool_calls",
    "thinking_blocks",
    "refusal",
    "audio",
    "function_call",
)


_COHERE = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR": "error",
}


def carries(chunk: Chunk) -> bool:
    """Whether a chunk brings something to the caller: text, thinking, a tool call."""
    for choice in chunk.get("choices") or ():
        delta = choice.get("delta")
        if delta and any(delta.get(name) for name in _CARRIERS):
            return True
    return False


def ends(chunk: Chunk) -> bool:
    """Whether a chunk tells that the answer is whole."""
    return any(choice.get("finish_reason") for choice in chunk.get("choices") or ())


def chunks_of(source: Any, exchange: Exchange, request: Request) -> AsyncIterator[Chunk]:
    """The chunks of a stream that LiteLLM opened."""
    response, inner = exchange.response, getattr(source, "completion_stream", None)
    parse = _openai_parser(inner)
    if response is None or parse is None:
        return _converted(source, exchange, request)
    if "json" in response.headers.get("content-type", ""):
        return _from_whole(exchange, request)
    return _from_events(exchange, request, parse)


def _openai_parser(inner: Any) -> Callable[[Chunk], Chunk] | None:
    """How to read an event if the wire speaks OpenAI's events; None if it does not.

    Judged by class name, as no class of LiteLLM may be imported here.
    """
    names = [f"{cls.__module__.partition('.')[0]}.{cls.__name__}" for cls in type(inner).__mro__]
    if "openai.AsyncStream" in names or names[0] == "litellm.OpenAIChatCompletionStreamingHandler":
        return lambda event: event
    if "litellm.OpenAIChatCompletionStreamingHandler" in names:

        def parse(event: Chunk) -> Chunk:
            theirs = [choice.get("finish_reason") for choice in event.get("choices") or ()]
            chunk = plain(inner.chunk_parser(event))
            for choice, reason in zip(chunk["choices"], theirs, strict=False):
                choice["finish_reason"] = reason
            return chunk

        return parse
    return None


async def _from_events(exchange: Exchange, request: Request, parse: Callable[[Chunk], Chunk]) -> AsyncIterator[Chunk]:
    response = exchange.response
    assert response is not None
    async for data in event_data(response):
        if data.startswith(b"[DONE]"):
            return
        if not data.strip():
            continue
        event = _event(data, exchange, request)
        if not isinstance(event, dict):
            raise failure.malformed(exchange, request, "an event of the stream is not an object", data)
        if event.get("error"):
            raise failure.reported(event, exchange, request)
        _check_choices(event, exchange, request)
        if wrong := facts.tidy(event, "delta"):
            raise failure.malformed(exchange, request, f"{wrong} in an event of the stream", data)
        yield parse(event)


def _check_choices(event: Chunk, exchange: Exchange, request: Request) -> None:
    choices = event.get("choices")
    if choices is None:
        event["choices"] = []
    elif not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
        raise failure.malformed(exchange, request, "choices is not a list of objects", str(choices).encode())


async def _from_whole(exchange: Exchange, request: Request) -> AsyncIterator[Chunk]:
    """A server that ignores `stream` and answers in one piece."""
    assert exchange.response is not None
    await exchange.response.aread()
    body = exchange.json()
    if isinstance(body, dict) and body.get("error"):
        raise failure.reported(body, exchange, request)
    if not isinstance(body, dict) or not body.get("choices"):
        raise failure.malformed(exchange, request, "the answer has no message")
    for chunk in split(body):
        yield chunk


_PIECE = 4096  # bytes


def split(body: Chunk) -> list[Chunk]:
    """A whole answer as chunks, its text word by word: how cached and local answers stream.

    >>> body = {"choices": [{"message": {"content": "one two"}, "finish_reason": "stop"}], "usage": None}
    >>> [chunk["choices"][0]["delta"].get("content") for chunk in split(body)]
    ['one ', 'two', None]
    """
    if "audio" in body:
        sound: bytes = body["audio"]
        return [{"audio": sound[at : at + _PIECE]} for at in range(0, len(sound), _PIECE)]
    head = {name: body.get(name) for name in ("id", "model")}
    chunks, last = [], []
    for index, choice in enumerate(body["choices"]):
        message = dict(choice.get("message") or {})
        text = message.pop("content", None) or ""
        pieces = text.split(" ") if isinstance(text, str) else [text]
        deltas: list[Chunk] = [{"content": piece + " "} for piece in pieces[:-1]] if isinstance(text, str) else []
        if pieces[-1]:
            deltas.append({"content": pieces[-1]})
        if calls := message.get("tool_calls"):
            message["tool_calls"] = [{**call, "index": number} for number, call in enumerate(calls)]
        rest = {name: value for name, value in message.items() if value is not None and name != "role"}
        if rest.get("reasoning_content") or rest.get("thinking_blocks"):
            deltas.insert(0, rest)
        elif rest:
            deltas.append(rest)
        chunks += [{**head, "choices": [{"index": index, "delta": delta, "finish_reason": None}]} for delta in deltas]
        end = {name: value for name, value in choice.items() if name not in ("message", "index")}
        last.append({"index": index, "delta": {}, **end})
    return [*chunks, {**head, "choices": last, "usage": body.get("usage")}]


async def _converted(source: Any, exchange: Exchange, request: Request) -> AsyncIterator[Chunk]:
    """Chunks that LiteLLM's iterator made from another provider's events."""
    if hasattr(source, "choices"):  # a whole answer: LiteLLM knows no stream of this provider
        for chunk in split(source.model_dump(warnings=False)):
            yield chunk
        return
    items, on_wire = await _items(source, exchange, request)
    ended = False
    async for item in items:
        known = item if _is_known(item) else _by_wrapper(source, item)
        if known is None:
            continue
        chunk = plain(known)
        if on_wire:
            _put_back(chunk, exchange)
        if wrong := facts.tidy(chunk, "delta"):
            raise failure.malformed(exchange, request, f"{wrong} in an event of the stream", b"")
        yield chunk
        ended = ended or ends(chunk)
        if ended and chunk.get("usage"):
            return  # whole: some servers keep the connection open


async def _items(source: Any, exchange: Exchange, request: Request) -> tuple[Any, bool]:
    """What LiteLLM's iterator reads, and whether it reads it from us, event by event."""
    inner: Any = getattr(source, "completion_stream", None)
    if inner is None and getattr(source, "make_call", None) is not None:
        inner = source.completion_stream = await source.make_call(client=None)  # not LiteLLM's global, unwatched client
    response = exchange.response
    kind = "" if response is None else str(response.headers.get("content-type", ""))
    if response is not None and kind.startswith("application/json"):
        await response.aread()  # no stream at all: an error that came with a good status, most likely
        body = exchange.json()
        if isinstance(body, dict) and body.get("error"):
            raise failure.reported(body, exchange, request)
    on_wire = hasattr(inner, "streaming_response") and kind.startswith("text/event-stream")
    if inner is not None and on_wire:  # its own reading stumbles over `event:` lines
        inner.streaming_response = _data_lines(exchange, request, "cohere" in type(inner).__module__)
    return (inner if hasattr(inner, "__aiter__") else source), on_wire


def _by_wrapper(source: Any, item: Any) -> Any:
    """An item in a format that only LiteLLM's wrapper can read."""
    return None if item is None or item == "None" else source.chunk_creator(chunk=item)


def _put_back(chunk: Chunk, exchange: Exchange) -> None:
    """The provider's own id and reason instead of LiteLLM's, which says "stop" where nothing was said."""
    chunk["id"] = exchange.id or chunk.get("id")
    for choice in chunk["choices"]:
        exchange.calls_tools = exchange.calls_tools or choice["finish_reason"] == "tool_calls"
        if exchange.finish is None:
            choice["finish_reason"] = None
        elif choice["finish_reason"] and not facts.is_known(exchange.finish):
            choice["finish_reason"] = exchange.finish
        elif choice["finish_reason"] == "stop" and exchange.calls_tools:  # gemini ends both alike
            choice["finish_reason"] = "tool_calls"


async def _data_lines(exchange: Exchange, request: Request, cohere: bool) -> AsyncIterator[str]:
    """The events of a stream as `data:` lines, checked: what is not JSON, or is an error, LiteLLM would pass over."""
    async for data in event_data(exchange.response):  # type: ignore[arg-type]
        if data.startswith(b"[DONE]"):  # LiteLLM would make a "stop" of it
            return
        if not data.strip():
            continue
        event = _event(data, exchange, request)
        if isinstance(event, dict) and event.get("error"):
            raise failure.reported(event, exchange, request)
        if isinstance(event, dict):
            _note(event, exchange)
        if cohere and isinstance(event, dict):  # LiteLLM's parser wants an envelope that the API does not send
            yield msgspec.json.encode({**event, "event": event.get("type"), "data": event}).decode()
        else:
            yield "data: " + data.decode("utf-8", "replace").replace("\n", " ")


def _note(event: dict[str, Any], exchange: Exchange) -> None:
    """Keeps what the provider says of its answer, for `_put_back`."""
    message = event.get("message")
    named = message.get("id") if isinstance(message, dict) else event.get("responseId")
    exchange.id = exchange.id or (named if isinstance(named, str) else None)
    exchange.finish = facts.reason_of(event) or exchange.finish


def _event(data: bytes, exchange: Exchange, request: Request) -> Any:
    try:
        return decode(data)
    except ValueError:
        raise failure.malformed(exchange, request, "an event of the stream is not JSON", data) from None


def _is_known(item: Any) -> bool:
    return hasattr(item, "choices") or (isinstance(item, dict) and "is_finished" in item)


def plain(item: Any) -> Chunk:
    """A chunk object of LiteLLM as plain data."""
    if isinstance(item, dict):
        return _plain_generic(item)
    choices = [
        {
            "index": getattr(choice, "index", 0),
            "delta": choice.delta.model_dump(exclude_none=True, warnings=False),
            "finish_reason": choice.finish_reason,
        }
        for choice in item.choices
    ]
    usage: Any = getattr(item, "usage", None)
    return {
        "id": getattr(item, "id", None),
        "model": getattr(item, "model", None),
        "choices": choices,
        "usage": usage.model_dump(exclude_none=True, warnings=False) if hasattr(usage, "model_dump") else usage,
    }


def _plain_generic(item: dict[str, Any]) -> Chunk:
    """LiteLLM's older chunk: `text`, `tool_use`, `is_finished`, `finish_reason`, `usage`."""
    usage = item.get("usage")
    usage = dict(usage) if usage else None
    delta: Chunk = {"content": item.get("text") or None}
    if item.get("tool_use"):
        delta["tool_calls"] = [item["tool_use"]]
    reason = (item.get("finish_reason") or None) if item.get("is_finished") else None
    reason = _COHERE.get(reason, reason) if reason else None
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}], "usage": usage}
