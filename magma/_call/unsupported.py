"""Parameters that a model does not take: which may be left out, and remembering what was found out."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ..errors import UnsupportedParamsError, masked
from . import failure
from .request import Request

_remembered: dict[bytes, frozenset[str]] = {}
_MOST = 1000


def known(request: Request) -> frozenset[str]:
    """What is left out without asking LiteLLM: because it said so before, or for a rule that it does not know."""
    thinking = request.params.get("thinking")
    if (
        isinstance(thinking, dict)
        and thinking.get("type") != "disabled"
        and "claude" in request.model
        and request.params.get("temperature") == 0.0
    ):
        return frozenset({"temperature"})  # Anthropic takes no temperature but 1 with thinking
    if request.operation == "moderation" and request.on_unsupported == "drop":
        return frozenset(request.params)  # LiteLLM has no way to send them
    return _remembered.get(_question(request), frozenset()) if _remembered else frozenset()


def _question(request: Request) -> bytes:
    return msgspec.json.encode((request.model, request.on_unsupported, dict(request.params)))


# Blocks that LiteLLM leaves out in silence: the model would answer about something that it never got.
_DROPPED = {
    "anthropic": frozenset({"input_audio", "audio_url", "video_url"}),
    "gemini": frozenset({"audio_url", "video_url"}),
}


def check_blocks(request: Request) -> None:
    """Raises for a message block that would not reach the model."""
    dropped = _DROPPED.get(request.provider)
    if dropped is None:
        return
    for message in request.messages:
        if message.get("content").__class__ is not list:
            continue
        for block in message["content"]:
            if block.get("type") in dropped:
                raise UnsupportedParamsError(
                    f"{request.model} does not take {block['type']} blocks; leave it out, or ask another model",
                    provider=request.provider,
                    model=request.model,
                )


_CLASS_DEFAULTS = {"temperature": 0.0}


def may_leave_out(request: Request, error: Exception, takes: Callable[[str], bool]) -> frozenset[str]:
    """The parameters that LiteLLM says the model does not take, if they may be left out; else raises."""
    unsupported = frozenset(name for name in request.params if not takes(name))
    explicit = {name for name in unsupported if request.params[name] != _CLASS_DEFAULTS.get(name)}
    if not unsupported or (explicit and request.on_unsupported != "drop"):
        names = ", ".join(shown(request, name) for name in sorted(explicit)) or failure.words(error)
        raise UnsupportedParamsError(
            f"{request.model} does not take {names}; leave it out, or set on_unsupported='drop' to have it left out",
            provider=request.provider,
            model=request.model,
        )
    return unsupported


def remember(request: Request, names: frozenset[str]) -> None:
    """The next request like this one is sent without these at once."""
    if len(_remembered) < _MOST:
        _remembered[_question(request)] = names


def shown(request: Request, name: str) -> str:
    return f"{name}={masked(name, request.params[name])[:80]}"
