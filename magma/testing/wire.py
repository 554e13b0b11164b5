"""What the scripted server writes: provider-shaped bodies, `Reply` (a frozen script of bytes and faults).

Nothing here does I/O: `Reply.script` is a tuple of steps, and `magma.testing.server` plays it on a socket.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from http import HTTPStatus
from typing import Any, Literal, TypeAlias, Unpack

from .bodies import (
    AnthropicFields,
    ChatFields,
    anthropic_body,
    anthropic_events,
    chat_body,
    chat_chunks,
    encode,
    error_body,
    sse,
)

Cut: TypeAlias = Literal["close", "fin", "reset", "hang"]


@dataclasses.dataclass(frozen=True, slots=True)
class Received:
    """One request as it arrived."""

    method: str
    path: str
    """Without the query."""
    query: str
    """What followed the `?`, undecoded."""
    headers: dict[str, str]
    """Names in lower case; of a repeated header the last one."""
    body: bytes
    at: float
    """`time.monotonic()` when its last byte had arrived."""
    version: str = "HTTP/1.1"

    def json(self) -> Any:
        """The decoded body; raises `ValueError` if it is not JSON."""
        return json.loads(self.body)

    @property
    def keep_alive(self) -> bool:
        """Whether the client wants the connection kept."""
        return self.version == "HTTP/1.1" and self.headers.get("connection", "").lower() != "close"


@dataclasses.dataclass(frozen=True, slots=True)
class Wait:
    """Say nothing for so many seconds (0: give the network a turn)."""

    seconds: float


@dataclasses.dataclass(frozen=True, slots=True)
class Ping:
    """Repeat `data` every so many seconds until the client leaves or the server stops."""

    data: bytes
    seconds: float


@dataclasses.dataclass(frozen=True, slots=True)
class Hang:
    """Say nothing until the client leaves or the server stops."""


@dataclasses.dataclass(frozen=True, slots=True)
class Close:
    """FIN now, whatever was promised."""


@dataclasses.dataclass(frozen=True, slots=True)
class Reset:
    """RST now: the client's next read or write fails with ECONNRESET."""


Step: TypeAlias = bytes | Wait | Ping | Hang | Close | Reset
"""Bytes are one write to the socket."""


@dataclasses.dataclass(frozen=True, repr=False)
class Reply:
    """What the server says to one request; make one with the constructors below, change it with the methods.

    >>> Reply.error(503, retry_after=2).after(0.5).script[0]
    Wait(seconds=0.5)
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: tuple[Step, ...] = ()
    """Unframed: bytes, and what happens between and after them."""
    framing: Literal["length", "chunked", "raw"] = "length"
    """`raw`: `body` is all there is, status line and headers included."""
    delay: float = 0.0
    """Seconds before the first byte."""
    drip: tuple[float, Literal["body", "headers"]] | None = None
    """Seconds between any two bytes of one part."""

    def __repr__(self) -> str:
        size = sum(len(step) for step in self.body if isinstance(step, bytes))
        faults = "".join(f" {step!r}" for step in self.body if not isinstance(step, bytes | Wait))
        return f"<Reply {'raw' if self.framing == 'raw' else self.status} {size} bytes{faults}>"

    @classmethod
    def text(
        cls,
        body: str | bytes,
        status: int = 200,
        content_type: str = "text/plain; charset=utf-8",
        headers: Mapping[str, str] | None = None,
        delay: float = 0.0,
    ) -> Reply:
        """Any body with a content-length."""
        data = body.encode() if isinstance(body, str) else body
        return cls(status, (("content-type", content_type),), (data,), delay=delay).with_headers(headers)

    @classmethod
    def json(cls, obj: Any, status: int = 200, headers: Mapping[str, str] | None = None, delay: float = 0.0) -> Reply:
        """`obj` as a JSON body."""
        return cls.text(encode(obj), status, "application/json", headers, delay)

    @classmethod
    def raw(cls, *steps: Step) -> Reply:
        """Exactly these steps, nothing added; the connection is kept unless one of them ends it."""
        return cls(body=steps, framing="raw")

    @classmethod
    def sse(cls, *steps: Step, headers: Mapping[str, str] | None = None) -> Reply:
        """An event stream; each `bytes` is one chunk of the body and one write, not necessarily one event."""
        return cls(200, (("content-type", "text/event-stream"),), steps, "chunked").with_headers(headers)

    @classmethod
    def chat(
        cls,
        content: str | None = "Hello there!",
        *,
        headers: Mapping[str, str] | None = None,
        delay: float = 0.0,
        **fields: Unpack[ChatFields],
    ) -> Reply:
        """An OpenAI answer; the fields are those of `chat_body`."""
        return cls.json(chat_body(content, **fields), 200, headers, delay)

    @classmethod
    def stream(
        cls,
        content: str | Sequence[str] | None = "Hello there!",
        *,
        done: bool = True,
        gap: float = 0.0,
        first_gap: float = 0.0,
        ping: float | None = None,
        cut_after: int | None = None,
        cut: Cut = "close",
        headers: Mapping[str, str] | None = None,
        **fields: Unpack[ChatFields],
    ) -> Reply:
        """An OpenAI stream, everything at once by default; the other fields are those of `chat_chunks`.

        `first_gap` seconds pass between the headers and the first event, `gap` between two events. With `cut_after=n`
        it breaks off after n content chunks as `cut` says: "close" ends the body cleanly, "fin" and "reset" end the
        connection inside it, "hang" says nothing more. With `ping=s` a comment every s seconds follows for ever.
        """
        chunks = chat_chunks(content, **fields)
        frames = [(sse(chunk), any(choice["delta"].get("content") for choice in chunk["choices"])) for chunk in chunks]
        if done:
            frames.append((sse("[DONE]"), False))
        steps = _paced(frames, gap=gap, first_gap=first_gap, ping=ping, cut_after=cut_after, cut=cut)
        return cls.sse(*steps, headers=headers)

    @classmethod
    def anthropic(
        cls,
        content: str | None = "Hello there!",
        *,
        headers: Mapping[str, str] | None = None,
        delay: float = 0.0,
        **fields: Unpack[AnthropicFields],
    ) -> Reply:
        """An Anthropic answer; the fields are those of `anthropic_body`."""
        return cls.json(anthropic_body(content, **fields), 200, headers, delay)

    @classmethod
    def anthropic_stream(
        cls,
        content: str | Sequence[str] | None = "Hello there!",
        *,
        pings: bool = False,
        gap: float = 0.0,
        first_gap: float = 0.0,
        ping: float | None = None,
        cut_after: int | None = None,
        cut: Cut = "close",
        headers: Mapping[str, str] | None = None,
        **fields: Unpack[AnthropicFields],
    ) -> Reply:
        """An Anthropic stream, as `stream` is an OpenAI one; `pings` puts an `event: ping` before every delta."""
        frames: list[tuple[bytes, bool]] = []
        for event in anthropic_events(content, **fields):
            is_delta = event["type"] == "content_block_delta"
            if pings and is_delta:
                frames.append((sse({"type": "ping"}, event="ping"), False))
            frames.append((sse(event, event=event["type"]), is_delta and event["delta"]["type"] == "text_delta"))
        steps = _paced(frames, gap=gap, first_gap=first_gap, ping=ping, cut_after=cut_after, cut=cut)
        return cls.sse(*steps, headers=headers)

    @classmethod
    def error(
        cls,
        status: int,
        message: str = "",
        *,
        type: str | None = None,
        code: str | int | None = None,
        headers: Mapping[str, str] | None = None,
        anthropic: bool = False,
        retry_after: float | str | None = None,
    ) -> Reply:
        """A provider's JSON error; `retry_after` becomes the header, as it is written."""
        body = error_body(status, message, type=type, code=code, anthropic=anthropic)
        reply = cls.json(body, status, headers)
        return reply if retry_after is None else reply.with_headers(retry_after=str(retry_after))

    @classmethod
    def redirect(cls, location: str, status: int = 307) -> Reply:
        """Go elsewhere."""
        return cls.text(b"", status, headers={"location": location})

    def with_headers(self, headers: Mapping[str, str] | None = None, /, **more: str) -> Reply:
        """With these headers set (`retry_after="1"` is `retry-after: 1`); one that is there already is replaced."""
        new = {name.lower(): value for name, value in (headers or {}).items()}
        new |= {name.lower().replace("_", "-"): value for name, value in more.items()}
        if new and self.framing == "raw":
            raise ValueError("A raw reply is sent as it is: write the headers into its bytes.")
        kept = tuple((name, value) for name, value in self.headers if name not in new)
        return dataclasses.replace(self, headers=kept + tuple(new.items()))

    def after(self, seconds: float) -> Reply:
        """The same, so many seconds later."""
        return dataclasses.replace(self, delay=seconds)

    def then(self, *steps: Step) -> Reply:
        """With these steps after the body, e.g. `reply.with_headers(content_length="999").then(Close())`."""
        return dataclasses.replace(self, body=self.body + steps)

    def dripping(self, seconds_per_byte: float, part: Literal["body", "headers"] = "body") -> Reply:
        """With one part in writes of one byte each."""
        return dataclasses.replace(self, drip=(seconds_per_byte, part))

    def packed(self) -> Reply:
        """The same bytes on the wire, neighbouring ones in one write."""
        steps: list[Step] = []
        for step in self.script:
            if steps and isinstance(step, bytes) and isinstance(last := steps[-1], bytes):
                steps[-1] = last + step
            else:
                steps.append(step)
        return Reply.raw(*steps)

    @cached_property
    def script(self) -> tuple[Step, ...]:
        """All of it: what the server plays, step by step."""
        steps = list(self.body if self.framing == "raw" else self._framed())
        if self.drip is not None:
            steps = list(_dripped(steps, *self.drip))
        return (Wait(self.delay), *steps) if self.delay else tuple(steps)

    def _framed(self) -> Iterator[Step]:
        head, body = self._head(), list(self.body)
        if self.framing == "chunked":
            yield head
            for step in body:
                yield _chunk(step) if isinstance(step, bytes) else _pinging(step) if isinstance(step, Ping) else step
            if not (body and isinstance(body[-1], Ping | Hang | Close | Reset)):
                yield b"0\r\n\r\n"
            return
        if body and isinstance(body[0], bytes):
            head += body.pop(0)  # type: ignore[operator]  # one write for the usual reply
        yield head
        yield from body

    def _head(self) -> bytes:
        phrase = HTTPStatus(self.status).phrase if self.status in HTTPStatus._value2member_map_ else "Odd"
        size = sum(len(step) for step in self.body if isinstance(step, bytes))
        framing = {"content-length": str(size)} if self.framing == "length" else {"transfer-encoding": "chunked"}
        lines = [f"{name}: {value}\r\n" for name, value in (framing | dict(self.headers)).items()]
        return f"HTTP/1.1 {self.status} {phrase}\r\n{''.join(lines)}\r\n".encode("latin-1", "replace")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _pinging(ping: Ping) -> Ping:
    return dataclasses.replace(ping, data=_chunk(ping.data))


AnyReply: TypeAlias = Reply | Callable[[Received], Reply]
"""What the server can be given as a reply. A callable runs in the server's thread and must not block."""


def _paced(
    frames: list[tuple[bytes, bool]],
    *,
    gap: float,
    first_gap: float,
    ping: float | None,
    cut_after: int | None,
    cut: Cut,
) -> tuple[Step, ...]:
    """The steps of a stream made of (event, whether it carries content)."""
    content = [index for index, (_, carries) in enumerate(frames) if carries]
    end: tuple[Step, ...] = ()
    if cut_after is not None or ping is not None:
        kept = content[:cut_after]
        frames = frames[: kept[-1] + 1 if kept else (content or [len(frames)])[0]]
        end = _CUTS[cut] if ping is None else (Wait(ping), Ping(b": keep-alive\n\n", ping))
    steps: list[Step] = [Wait(first_gap)] if first_gap else []
    for index, (event, _) in enumerate(frames):
        steps += [Wait(gap), event] if gap and index else [event]
    return (*steps, *end)


# The pause lets the client read what came before: some stacks drop unread bytes when the RST arrives.
_CUTS: dict[Cut, tuple[Step, ...]] = {
    "close": (),
    "fin": (Close(),),
    "reset": (Wait(0.1), Reset()),
    "hang": (Hang(),),
}


def _dripped(steps: Sequence[Step], seconds: float, part: Literal["body", "headers"]) -> Iterator[Step]:
    in_head = True
    for step in steps:
        if not isinstance(step, bytes):
            yield step
            continue
        head, blank, rest = step.partition(b"\r\n\r\n") if in_head else (b"", b"", step)
        in_head = in_head and not blank
        for data, slow in ((head + blank, part == "headers"), (rest, part == "body")):
            if data and not slow:
                yield data
            elif data:
                for byte in data:
                    yield bytes((byte,))
                    yield Wait(seconds)
