"""The keyword arguments that LiteLLM is called with, out of a frozen request: copies, because it changes what it is given."""

from __future__ import annotations

from typing import Any

from ..media import File
from . import operations
from .inline import OPENAI_LIKE
from .request import Request

INNER_TIMEOUT = 86_400.0  # constant, as it is part of LiteLLM's client key; the real deadline is the engine's

# What LiteLLM holds back for ids that are not in its table: `user` in silence, `thinking` with an error.
_ALLOWED = dict.fromkeys(OPENAI_LIKE, frozenset({"user"}))


def arguments_of(request: Request, left_out: frozenset[str]) -> dict[str, Any]:
    """The keyword arguments for LiteLLM: copies, because it changes what it is given."""
    arguments = {name: copied(value, request) for name, value in request.inputs.items()}
    arguments |= {name: copied(value, request) for name, value in request.params.items() if name not in left_out}
    arguments |= {"model": request.model, "timeout": INNER_TIMEOUT, "max_retries": 0, "num_retries": 0}
    names = ("api_base", "api_key", "api_version", "organization")
    for name in names if request.operation == "completion" else names[:3]:  # elsewhere it is a header of ours
        if (value := getattr(request, name)) is not None:
            arguments[name] = value
    if request.operation == "image_generation" and request.provider in OPENAI_LIKE and "gpt-image" not in request.model:
        # 1.109 has forgotten what dall-e takes, as do the servers that stand in for it
        told = {name: arguments.pop(name) for name in ("response_format", "style") if name in arguments}
        arguments |= {"extra_body": {**(arguments.get("extra_body") or {}), **told}} if told else {}
    if request.operation != "completion":  # its headers are put on the wire: LiteLLM would send some in the body
        return {
            **arguments,
            **_allowances(request, arguments),
            **operations.arguments(request),
        }
    if request.extra_headers:
        arguments["extra_headers"] = dict(request.extra_headers)
    if request.stream:
        options = arguments.get("stream_options") or {}
        arguments |= {"stream": True, "stream_options": {**options, "include_usage": True}}
    arguments |= _allowances(request, arguments)
    arguments["_skip_mcp_handler"] = True  # 1.106 imports `mcp` for any `tools`; never reaches the wire
    return arguments


def _allowances(request: Request, arguments: dict[str, Any]) -> dict[str, Any]:
    allowed = _ALLOWED.get(request.provider, frozenset()) & arguments.keys()
    if "thinking" in arguments and "claude" in request.model:
        allowed |= {"thinking"}
    if request.operation == "embedding" and request.api_base and "dimensions" in arguments:
        allowed |= {"dimensions"}  # LiteLLM goes by the name of OpenAI's models, whoever serves this one
    if not allowed:
        return {}
    return {"allowed_openai_params": [*arguments.get("allowed_openai_params", ()), *sorted(allowed)]}


def copied(value: Any, request: Request) -> Any:
    """A deep copy of plain data, its files as this operation takes them."""
    if isinstance(value, dict):
        return {name: copied(item, request) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [copied(item, request) for item in value]
    return operations.on_wire(value, request) if isinstance(value, File) else value
