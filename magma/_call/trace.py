"""LangFuse: one generation `model:<id>` per call, made by hooks on the line.

The line calls `install()` on each call while both keys are in the environment; only then is this file
imported, and with the first call LangFuse and OpenTelemetry. Whatever LangFuse does, calls go on: nothing
here raises into the line, waits for a network, or becomes the process's OpenTelemetry provider.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from ..contents import Image
from ..errors import ModelError, is_secret_name, redact, shorten
from ..media import File
from ..responses import LEFT_EARLY
from . import exporter, hooks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..responses import Response, Usage
    from .request import Request

_ABANDONED = {"level": "WARNING", "status_message": "abandoned"}

_lock = threading.Lock()
_installed = False
_open: dict[int, Span | None] = {}  # calls under way, by `request.call`; who pops one ends its span


class Span(NamedTuple):
    """A generation under way."""

    generation: Any
    began: float  # seconds since 1970
    client: exporter.Client


def install() -> None:
    """Puts the tracing hooks on the line; does nothing the second time."""
    global _installed
    if _installed:
        return
    with _lock:
        if not _installed:
            hooks.add("before_call", _begin)
            hooks.add("after_call", _answer)
            hooks.add("on_error", _fail)
            hooks.add("closed", _close)
            _installed = True


# The hooks. The request is not final when a span opens, so all that a span says is said when it ends.


def _begin(request: Request) -> None:
    _open[request.call] = _start(request)


def _answer(request: Request, response: Response) -> None:
    left = _ABANDONED if LEFT_EARLY in response.warnings else {}
    _end(request, response, response.attempts, **left)


def _fail(request: Request, error: Exception) -> None:
    text = shorten(redact(f"{type(error).__name__}: {error}", *request.secrets()))
    told = error if isinstance(error, ModelError) else ModelError("")
    _end(request, told.response or told.partial, told.attempts, level="ERROR", status_message=text)


def _close(request: Request) -> None:
    if request.call in _open:  # neither answered nor failed: cancelled, or a stream that nobody reads any more
        _end(request, None, (), **_ABANDONED)


def _start(request: Request) -> Span | None:
    """Opens a span below the caller's current one, without becoming the current one itself."""
    try:
        client = exporter.current()
        if client is None or client.langfuse is None:
            return None
        generation = client.langfuse.start_observation(name=f"model:{request.model}", as_type="generation")
        return Span(generation, time.time(), client)
    except Exception as error:  # out of before_call it would veto the call
        exporter.complain(f"{type(error).__name__}: {error}")
        return None


def _end(request: Request, response: Response | None, attempts: Sequence[Any], **told: Any) -> None:
    begun = request.call in _open  # not where a hook before ours ended the call
    span = _open.pop(request.call) if begun else _start(request)
    if span is None:
        return
    me = threading.get_ident()
    if span.client.is_ours:
        exporter.ours.add(me)  # OpenTelemetry tells of a full queue in the thread that ends a span
    try:
        span.generation.update(**_described(span, request, response, attempts), **told)
    except Exception as error:
        exporter.complain(f"{type(error).__name__}: {error}")
    finally:
        span.generation.end()
        exporter.ours.discard(me)


# What a generation says.


def _described(span: Span, request: Request, response: Response | None, attempts: Sequence[Any]) -> dict[str, Any]:
    """The arguments of LangFuse's `update`."""
    secrets = [secret for secret in request.secrets() if len(secret) >= 8]  # shorter ones are placeholders
    metadata: dict[str, Any] = {"provider": request.provider, "magma": _version(), "attempts": len(attempts)}
    told: dict[str, Any] = {
        "name": f"model:{request.model}",
        "model": request.model,
        "input": _shown(_input(request), secrets, span),
        "model_parameters": {
            name: _without(value, secrets) if isinstance(value, str) else value
            for name, value in request.params.items()
            if isinstance(value, (str, int, float)) and not is_secret_name(name)
        },
        "metadata": metadata,
    }
    if attempts:
        names = ("status_code", "error", "seconds")
        metadata["attempt_list"] = [{name: getattr(one, name) for name in names} for one in attempts]
    if response is not None:
        told["model"] = response.model or request.model
        told["output"] = _shown(_output(response), secrets, span)
        told["usage_details"] = usage_details(response.usage) or None
        if response.cost is not None:
            parts = {"input": response.cost.input, "output": response.cost.output, "total": float(response.cost)}
            told["cost_details"] = {name: dollars for name, dollars in parts.items() if dollars is not None}
        if response.first_token is not None:
            told["completion_start_time"] = datetime.fromtimestamp(span.began + response.first_token, UTC)
        metadata |= {name: getattr(response, name) for name in ("cached", "latency", "request_id")}
        metadata |= {"finish_reason": getattr(response, "finish_reason", None), "warnings": response.warnings or None}
    return told


def _version() -> str:
    return str(sys.modules["magma"].__version__)  # importing the top from here would go upward


def _input(request: Request) -> Any:
    inputs = dict(request.inputs)
    if request.operation != "completion":
        return _slim(inputs)
    return inputs["messages"] if list(inputs) == ["messages"] else inputs


def _output(response: Response) -> Any:
    calls = [call.to_message() for call in getattr(response, "tool_calls", ())]
    if calls:
        return {"role": "assistant", "content": response.content or None, "tool_calls": calls}
    return _slim(response.content)


def _slim(value: Any) -> Any:
    """`value` with bytes, files and vectors told by their size."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"<{len(value)} bytes>"
    if isinstance(value, File) or (isinstance(value, Image) and value.startswith("data:")):
        return repr(value)
    if isinstance(value, dict):
        return {name: _slim(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        is_vector = len(value) > 16 and isinstance(value[0], float)
        return f"<{len(value)} numbers>" if is_vector else [_slim(item) for item in value]
    return value


def usage_details(usage: Usage | None) -> dict[str, int]:
    """LangFuse's buckets: disjoint, since it adds up those named `input…` and `output…`; `Usage` has totals.

    >>> from magma import Usage
    >>> usage_details(Usage(input_tokens=10, cache_read_tokens=4, output_tokens=3, reasoning_tokens=1))
    {'input': 6, 'input_cached_tokens': 4, 'output': 2, 'output_reasoning_tokens': 1, 'total': 13}
    """
    if usage is None:
        return {}
    read, written, thought = usage.cache_read_tokens or 0, usage.cache_write_tokens or 0, usage.reasoning_tokens or 0
    whole_in, whole_out, total = usage.input_tokens, usage.output_tokens, usage.total_tokens
    buckets = {
        "input": None if whole_in is None else max(0, whole_in - read - written),
        "input_cached_tokens": read or None,
        "input_cache_creation": written or None,
        "output": None if whole_out is None else max(0, whole_out - thought),
        "output_reasoning_tokens": thought or None,
        "total": whole_in + whole_out if total is None and whole_in is not None and whole_out is not None else total,
    }
    return {name: tokens for name, tokens in buckets.items() if tokens is not None}


def _shown(value: Any, secrets: Sequence[str], span: Span) -> Any:
    """`value` as JSON, so that LangFuse's thread, not the caller's, decodes images; data where a host's mask may look."""
    if isinstance(value, str):
        return _without(value, secrets)
    try:
        text = msgspec.json.encode(value, enc_hook=_plain).decode()
    except (TypeError, ValueError, RecursionError):
        text = json.dumps(value, default=repr, skipkeys=True)
    text = _without(text, secrets)
    return text if span.client.is_ours else json.loads(text)


def _plain(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)
    return dump(mode="json") if dump else repr(value)


def _without(text: str, secrets: Sequence[str]) -> str:
    """`text` without the secrets and as valid UTF-8: one lone surrogate would cost a whole batch of spans."""
    for secret in secrets:
        text = text.replace(secret, "[redacted]")
    return text.encode("utf-8", "backslashreplace").decode()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_open.clear)  # calls under way in the parent are not the child's
