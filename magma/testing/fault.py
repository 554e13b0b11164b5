"""`Fault`: something that a provider or the network does to a call, and what magma shall make of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Unpack

from .bodies import ChatFields, chat_body, chat_chunks, encode, sse
from .wire import AnyReply, Received, Reply, Step, Wait


@dataclasses.dataclass(frozen=True)
class Fault:
    """Something a provider or the network does to a call, and what magma shall make of it.

    >>> from magma.testing import FAULTS, Server
    >>> with Server() as server:
    ...     server.default = FAULTS["status-503"].reply(stream=False)
    """

    name: str
    make: Reply | Callable[[bool], AnyReply | Sequence[AnyReply]] = dataclasses.field(repr=False)
    """What is answered, or what makes it knowing whether the call streams; of a sequence the last one repeats."""
    error: str | None = None
    """The magma error class, or None for a value."""
    streamed_error: str | None = "error"
    """The same for a streamed call (always filled in: equal to `error` unless it differs)."""
    retried: bool = False
    """Whether more than one request shall arrive; with a value: exactly two."""
    content: str | None = None
    """The text of the value (None: has no text), or what a stream gave before it broke."""
    finish_reason: str | None = None
    usage: tuple[int, int] | None = None
    """Tokens in and out; None if the provider does not tell."""
    tool_names: tuple[str, ...] = ()
    needs_timeout: bool = False
    """It never ends by itself: give the call a short timeout."""
    only: Literal["call", "stream"] | None = None
    wire: Literal["openai", "anthropic"] = "openai"
    """Whose API is spoken."""
    echoes_key: bool = False
    """The reply holds the API key it received, which nobody may see again."""

    def __post_init__(self) -> None:
        if self.streamed_error == "error":
            object.__setattr__(self, "streamed_error", self.error)

    def reply(self, stream: bool) -> AnyReply:
        """An answer for `Server.default`: the same every time, or one that works after it failed."""
        made = self.make if isinstance(self.make, Reply) else self.make(stream)
        if not isinstance(made, Sequence):
            return made
        turns = iter(made[:-1])

        def answer(received: Received) -> Reply:
            turn = next(turns, made[-1])
            return turn if isinstance(turn, Reply) else turn(received)

        return answer


def fails(name: str, make: Reply | Callable[[bool], AnyReply], error: str, **facts: Any) -> Fault:
    """A fault that ends in this error."""
    return Fault(name, make, error, **facts)


def works(name: str, make: Reply | Callable[[bool], AnyReply | Sequence[AnyReply]], **facts: Any) -> Fault:
    """An oddity that ends in a value, the usual one unless told otherwise."""
    usual: dict[str, Any] = {"content": "Hello there!", "finish_reason": "stop", "usage": (9, 3)}
    return Fault(name, make, **(usual | facts))


def ok(stream: bool, content: str | None = "Hello there!", **fields: Unpack[ChatFields]) -> Reply:
    """The usual good reply."""
    return Reply.stream(content, **fields) if stream else Reply.chat(content, **fields)


def ok_with(stream: bool, extra: Mapping[str, Any], **fields: Unpack[ChatFields]) -> Reply:
    """The usual answer with `extra` keys at the top of its body, or of every chunk."""
    if stream:
        return Reply.sse(*(sse(chunk | dict(extra)) for chunk in chat_chunks(**fields)), sse("[DONE]"))
    return Reply.json(chat_body(**fields) | dict(extra))


def mangled(reply: Reply, change: Callable[[bytes], bytes]) -> Reply:
    """The reply with the bytes of its body changed."""
    body = tuple(change(step) if isinstance(step, bytes) else step for step in reply.body)
    return dataclasses.replace(reply, body=body)


def split(reply: Reply, at: bytes) -> Reply:
    """In chunks and writes that end in the middle of every `at`."""
    data = b"".join(step for step in reply.body if isinstance(step, bytes))
    middle = len(at) // 2
    pieces = data.replace(at, at[:middle] + b"\0" + at[middle:]).split(b"\0")
    steps = [step for piece in pieces for step in (piece, Wait(0.01))]
    return dataclasses.replace(reply, body=tuple(steps[:-1]), framing="chunked")


def half(*end: Step) -> Reply:
    """The first half of an answer whose content-length promises all of it."""
    body = encode(chat_body())
    return Reply.text(body[: len(body) // 2], 200, "application/json", {"content-length": str(len(body))}).then(*end)


def same(answer: AnyReply) -> Callable[[bool], AnyReply]:
    """The same answer whether the call streams or not."""
    return lambda stream: answer
