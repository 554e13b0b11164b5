"""What the scripted server writes: provider-shaped bodies, `Reply` (a frozen script of bytes and faults).

Nothing here does I/O: `Reply.script` is a tuple of steps, and `magma.testing.server` plays it on a socket.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from http import HTTPStatus
from typing import Any, Literal, TypeAlias, Unpack

from .bodies import (
    AnthropicFields,
    ChatFields,
    Usage,
    anthropic_body,
    anthropic_events,
    chat_body,
    chat_chunks,
    encode,
    error_body,
    sse,
)
from .others import (
    SOUND,
    TRANSCRIPT,
    TranscriptFields,
    Vectors,
    embedding_body,
    image_body,
    moderation_body,
    rerank_body,
    transcription_body,
)
from .steps import Close, Cut, Hang, Ping, Received, Reset, Step, Wait, chunk, dripped, paced, pinging

__all__ = ["AnyReply", "Close", "Cut", "Hang", "Ping", "Received", "Reply", "Reset", "Step", "Wait", "chat_body"]


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
        steps = paced(frames, gap=gap, first_gap=first_gap, ping=ping, cut_after=cut_after, cut=cut)
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
        steps = paced(frames, gap=gap, first_gap=first_gap, ping=ping, cut_after=cut_after, cut=cut)
        return cls.sse(*steps, headers=headers)

    @classmethod
    def embedding(cls, vectors: Vectors = (0.25, -0.5, 0.75), *, base64: bool = False, usage: Usage = (2, 0)) -> Reply:
        """OpenAI's embeddings: one vector or several, as floats or packed."""
        return cls.json(embedding_body(vectors, base64=base64, usage=usage))

    @classmethod
    def transcription(cls, text: str = TRANSCRIPT, **parts: Unpack[TranscriptFields]) -> Reply:
        """OpenAI's transcription; `parts` are those of `transcription_body`: words, segments, language, duration."""
        return cls.json(transcription_body(text, **parts))

    @classmethod
    def speech(
        cls,
        data: bytes | Sequence[bytes] = SOUND,
        *,
        content_type: str = "audio/mpeg",
        gap: float = 0.0,
        first_gap: float = 0.0,
        cut_after: int | None = None,
        cut: Cut = "close",
    ) -> Reply:
        """A sound: bytes at once, or a sequence of pieces, chunked; pauses and cuts are those of `stream`.

        >>> Reply.speech([b"one", b"two"], gap=0.5).body
        (b'one', Wait(seconds=0.5), b'two')
        """
        pieces = [data] if isinstance(data, bytes) else data
        frames = [(piece, True) for piece in pieces]
        steps = paced(frames, gap=gap, first_gap=first_gap, ping=None, cut_after=cut_after, cut=cut)
        return cls(200, (("content-type", content_type),), steps, "length" if isinstance(data, bytes) else "chunked")

    @classmethod
    def image(
        cls, url: str | None = None, *, b64: str | bytes | None = None, n: int = 1, revised_prompt: str | None = None
    ) -> Reply:
        """OpenAI's answer of `n` images: at a URL, or with `b64` (bytes, or base64 text) inside."""
        return cls.json(image_body(url, b64=b64, n=n, revised_prompt=revised_prompt))

    @classmethod
    def moderation(cls, flagged: bool | Sequence[bool | Mapping[str, Any]] = False, *, n: int = 1) -> Reply:
        """OpenAI's verdicts on `n` texts, or on as many as `flagged` has; see `moderation_body`."""
        return cls.json(moderation_body(flagged, n=n))

    @classmethod
    def rerank(cls, scores: Sequence[float] = (0.1, 0.9), *, top_n: int | None = None) -> Reply:
        """Cohere's ranking, best first; `scores` are in the order of the documents."""
        return cls.json(rerank_body(scores, top_n=top_n))

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
            steps = list(dripped(steps, *self.drip))
        return (Wait(self.delay), *steps) if self.delay else tuple(steps)

    def _framed(self) -> Iterator[Step]:
        head, body = self._head(), list(self.body)
        if self.framing == "chunked":
            yield head
            for step in body:
                yield chunk(step) if isinstance(step, bytes) else pinging(step) if isinstance(step, Ping) else step
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


AnyReply: TypeAlias = Reply | Callable[[Received], Reply]
"""What the server can be given as a reply. A callable runs in the server's thread and must not block."""
