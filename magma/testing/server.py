"""A scripted HTTP/1.1 server on 127.0.0.1, in its own thread, for tests that want real bytes on a real socket.

`Server` plays a `Reply` (see `magma.testing.wire`) for every request and keeps a record of what it saw; `FAULTS` is a
catalogue of what goes wrong (or merely looks odd) in the field. `python -m magma.testing.server` runs it alone.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import gzip
import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from email.utils import formatdate
from functools import partial
from time import monotonic, sleep, time
from types import TracebackType
from typing import Any, Literal, Self, Unpack

from .wire import (
    Answer,
    AnthropicFields,
    ChatFields,
    Close,
    Hang,
    Ping,
    Received,
    Reply,
    Reset,
    Step,
    Wait,
    anthropic_body,
    anthropic_events,
    chat_body,
    chat_chunks,
    encode,
    error_body,
    sse,
)

__all__ = [
    "FAULTS",
    "Answer",
    "Close",
    "Fault",
    "Hang",
    "Ping",
    "Received",
    "Reply",
    "Reset",
    "Server",
    "Step",
    "Wait",
    "anthropic_body",
    "anthropic_events",
    "chat_body",
    "chat_chunks",
    "default_answers",
    "error_body",
    "sse",
]


class Server:
    """The server; it runs inside `with`, or between `start()` and `stop()`, which also ends every open reply.

    The records may be read from any thread. A client can have its answer a moment before they say so: `wait_for`.

    >>> with Server() as server:
    ...     server.enqueue(Reply.error(503), Reply.stream("one two three"))
    ...     server.default = Reply.chat("Hello there!")
    ...     server.url.startswith("http://127.0.0.1:")
    True
    """

    def __init__(self, port: int = 0, *, delta_count: int | None = None, record: bool = True) -> None:
        """`port` 0 takes a free one; `delta_count` is the number of content chunks in a default stream."""
        self.default: Answer = default_answers(delta_count)
        """Answers what neither a route nor the queue does."""
        self.requests: list[Received] = []
        """Every request, in order of arrival; empty with `record=False`."""
        self.errors: list[BaseException] = []
        """What went wrong inside the server: a callable that raised, a request that is not HTTP."""
        self.connections = 0
        """How many were accepted."""
        self.disconnects = 0
        """How often the client went away before its reply was finished."""
        self.in_flight = 0
        """Requests being answered now."""
        self.max_in_flight = 0
        """The most there ever were at once."""
        self._port, self._record = port, record
        self._queue: deque[Answer] = deque()
        self._routes: dict[str, Answer] = {}
        self._open: set[_Connection] = set()
        self._address: str | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop
        self._stopping: asyncio.Event

    def __repr__(self) -> str:
        return f"<Server {self._address or 'stopped'}, {len(self.requests)} requests>"

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`; raises `RuntimeError` while it is not running."""
        if self._address is None:
            raise RuntimeError("The server is not running: use it in a `with` statement, or call start().")
        return self._address

    @property
    def open_connections(self) -> int:
        """How many are open now."""
        return len(self._open)

    def enqueue(self, *answers: Answer) -> None:
        """Answer the next requests with these, each one once."""
        self._queue.extend(answers)

    def on(self, prefix: str, answer: Answer) -> None:
        """Answer every request whose path starts so; it goes before the queue, the longest prefix first."""
        self._routes = {**self._routes, prefix: answer}

    def reset(self) -> None:
        """Forget queue, routes and records; what is going on goes on, and `default` stays."""
        self._queue.clear()
        self._routes = {}
        self.requests.clear()
        self.errors.clear()
        self.connections = self.disconnects = 0
        self.max_in_flight = self.in_flight

    def wait_for(self, predicate: Callable[[Server], object], timeout: float = 5) -> bool:
        """Poll until `predicate(server)` is true; False after `timeout` seconds. Blocks the calling thread."""
        end = monotonic() + timeout
        while not predicate(self):
            if monotonic() > end:
                return False
            sleep(0.002)
        return True

    def start(self) -> Self:
        """Listen; raises `OSError` if the port is taken."""
        if self._thread is not None:
            raise RuntimeError("The server is running already.")
        listener = socket.create_server(("127.0.0.1", self._port))
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(listener, ready)), name="magma-testing-server", daemon=True
        )
        self._thread.start()
        ready.wait()
        self._address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        return self

    def stop(self) -> None:
        """Drop every connection and end the thread; nothing happens if it is not running."""
        thread, self._thread, self._address = self._thread, None, None
        if thread is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
            thread.join(5)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def _serve(self, listener: socket.socket, ready: threading.Event) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        self._loop.set_exception_handler(lambda _, context: self._failed(context))
        serving = await self._loop.create_server(lambda: _Connection(self), sock=listener, backlog=1024)
        ready.set()
        await self._stopping.wait()
        serving.close()
        for connection in tuple(self._open):
            connection.end(Close())
        await asyncio.sleep(0)  # the transports close their sockets in the next turn of the loop

    def _failed(self, context: Mapping[str, Any]) -> None:
        self.errors.append(context.get("exception") or RuntimeError(context["message"]))

    def _script_for(self, received: Received) -> tuple[Step, ...]:
        """The reply to a request, which counts as in flight from here on."""
        if self._record:
            self.requests.append(received)
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        try:
            answer = self._choose(received)
            return (answer if isinstance(answer, Reply) else answer(received)).script
        except Exception as error:  # noqa: BLE001  # the test's own callable: it reads them in `errors`
            self.errors.append(error)
            return Reply.error(500, f"The scripted reply failed: {error!r}").script

    def _choose(self, received: Received) -> Answer:
        prefixes = [prefix for prefix in self._routes if received.path.startswith(prefix)]
        if prefixes:
            return self._routes[max(prefixes, key=len)]
        return self._queue.popleft() if self._queue else self.default


class _Connection(asyncio.Protocol):
    """One client: takes its requests one after the other and plays a script for each.

    A protocol and not a pair of streams: the loop calls `connection_lost` while a script hangs or waits, and a reply
    that is a single write costs no task.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.buffer = bytearray()
        self.answering: Received | None = None
        self.task: asyncio.Task[None] | None = None
        self.unblocked: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        # The kernel must have taken the last byte before a reply counts as finished.
        transport.set_write_buffer_limits(0)
        self.server.connections += 1
        self.server._open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.server._open.discard(self)
        if self.answering is not None:
            self.server.disconnects += 1
            self.finished()
        if self.task is not None:
            self.task.cancel()

    def eof_received(self) -> None:
        # Without this a client that left is noticed only once the unsent bytes are gone: never.
        self.transport.abort()

    def pause_writing(self) -> None:
        self.unblocked = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        if self.unblocked is not None and not self.unblocked.done():
            self.unblocked.set_result(None)
        self.unblocked = None

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self.proceed()

    def proceed(self) -> None:
        """Answer what has arrived, unless a reply is still being played."""
        while self.answering is None and self.buffer and not self.transport.is_closing():
            try:
                received = _take_request(self.buffer)
            except ValueError as error:
                self.server.errors.append(error)
                return self.end(Close())
            if received is None:
                return None
            self.answering = received
            script = self.server._script_for(received)
            if len(script) == 1 and isinstance(script[0], bytes):
                self.transport.write(script[0])
                script = ()
            if script or self.unblocked:
                self.task = asyncio.get_running_loop().create_task(self.play(script))
            else:
                self.finished()
        return None

    async def play(self, script: Sequence[Step]) -> None:
        """Perform the steps; after the last one the connection is the next request's."""
        for step in script:
            if isinstance(step, bytes):
                await self.write(step)
            elif isinstance(step, Wait):
                await asyncio.sleep(step.seconds)
            elif isinstance(step, Ping):
                while True:
                    await self.write(step.data)
                    await asyncio.sleep(step.seconds)
            elif isinstance(step, Hang):
                await asyncio.get_running_loop().create_future()
            else:
                return self.end(step)
        await self.write(b"")
        self.task = None
        self.finished()
        return self.proceed()

    async def write(self, data: bytes) -> None:
        self.transport.write(data)
        if self.unblocked is not None:
            await self.unblocked

    def finished(self) -> None:
        """The reply to the request at hand is over, one way or another."""
        received, self.answering = self.answering, None
        if received is not None:
            self.server.in_flight -= 1
            if not received.keep_alive:
                self.transport.close()

    def end(self, how: Close | Reset) -> None:
        """Leave first, so that it does not count as a disconnect."""
        if isinstance(how, Reset):
            self.transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
        self.finished()
        self.transport.abort()


def _take_request(buffer: bytearray) -> Received | None:
    """Cut a complete request off the front of `buffer`; None while a part of it is still to come."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    first, *lines = buffer[:end].decode("latin-1").split("\r\n")
    method, target, version = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = _dechunk(buffer, end + 4)
        if body is None:
            return None
    else:
        stop = end + 4 + int(headers.get("content-length", 0))
        if len(buffer) < stop:
            return None
        body = bytes(buffer[end + 4 : stop])
        del buffer[:stop]
    path, _, query = target.partition("?")
    return Received(method, path, query, headers, body, monotonic(), version)


def _dechunk(buffer: bytearray, at: int) -> bytes | None:
    """Decode the chunked body that starts at `at` and cut everything up to its end off; None while incomplete."""
    body = b""
    while (line := buffer.find(b"\r\n", at)) >= 0:
        size = int(buffer[at:line].partition(b";")[0], 16)
        at = line + 2 + size + 2
        if len(buffer) < at:
            return None
        if size == 0:
            del buffer[:at]
            return body
        body += buffer[line + 2 : at - 2]
    return None


def default_answers(delta_count: int | None = None) -> Callable[[Received], Reply]:
    """Answer by path: chat completions and messages (streamed if asked), a list of models, 404 for the rest.

    Every reply is made once and is one write, so that a benchmark measures its client.
    """
    pieces = None if delta_count is None else ["word "] * delta_count
    content = "Hello there!" if pieces is None else pieces
    models = {"object": "list", "data": [{"id": "gpt-4o", "object": "model", "created": 1, "owned_by": "magma"}]}
    chat, chat_stream = Reply.chat().packed(), Reply.stream(content).packed()
    message, message_stream = Reply.anthropic().packed(), Reply.anthropic_stream(content).packed()
    others = {True: Reply.json(models).packed(), False: Reply.error(404).packed()}

    def answer(received: Received) -> Reply:
        streamed = b'"stream"' in received.body and json.loads(received.body).get("stream") is True
        if received.path.endswith("/chat/completions"):
            return chat_stream if streamed else chat
        if received.path.endswith("/messages"):
            return message_stream if streamed else message
        return others[received.path.endswith("/models")]

    return answer


@dataclasses.dataclass(frozen=True)
class Fault:
    """Something a provider or the network does to a call, and what magma shall make of it.

    >>> with Server() as server:
    ...     server.default = FAULTS["status-503"].reply(stream=False)
    """

    name: str
    make: Reply | Callable[[bool], Answer | Sequence[Answer]] = dataclasses.field(repr=False)
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

    def reply(self, stream: bool) -> Answer:
        """An answer for `Server.default`: the same every time, or one that works after it failed."""
        made = self.make if isinstance(self.make, Reply) else self.make(stream)
        if not isinstance(made, Sequence):
            return made
        turns = iter(made[:-1])

        def answer(received: Received) -> Reply:
            turn = next(turns, made[-1])
            return turn if isinstance(turn, Reply) else turn(received)

        return answer


def _fails(name: str, make: Reply | Callable[[bool], Answer], error: str, **facts: Any) -> Fault:
    return Fault(name, make, error, **facts)


def _works(name: str, make: Reply | Callable[[bool], Answer | Sequence[Answer]], **facts: Any) -> Fault:
    usual: dict[str, Any] = {"content": "Hello there!", "finish_reason": "stop", "usage": (9, 3)}
    return Fault(name, make, **(usual | facts))


def _ok(stream: bool, content: str | None = "Hello there!", **fields: Unpack[ChatFields]) -> Reply:
    return Reply.stream(content, **fields) if stream else Reply.chat(content, **fields)


def _ok_with(stream: bool, extra: Mapping[str, Any], **fields: Unpack[ChatFields]) -> Reply:
    """The usual answer with `extra` keys at the top of its body, or of every chunk."""
    if stream:
        return Reply.sse(*(sse(chunk | dict(extra)) for chunk in chat_chunks(**fields)), sse("[DONE]"))
    return Reply.json(chat_body(**fields) | dict(extra))


def _mangled(reply: Reply, change: Callable[[bytes], bytes]) -> Reply:
    body = tuple(change(step) if isinstance(step, bytes) else step for step in reply.body)
    return dataclasses.replace(reply, body=body)


def _split(reply: Reply, at: bytes) -> Reply:
    """In chunks and writes that end in the middle of every `at`."""
    data = b"".join(step for step in reply.body if isinstance(step, bytes))
    middle = len(at) // 2
    pieces = data.replace(at, at[:middle] + b"\0" + at[middle:]).split(b"\0")
    steps = [step for piece in pieces for step in (piece, Wait(0.01))]
    return dataclasses.replace(reply, body=tuple(steps[:-1]), framing="chunked")


def _half(*end: Step) -> Reply:
    """The first half of an answer whose content-length promises all of it."""
    body = encode(chat_body())
    return Reply.text(body[: len(body) // 2], 200, "application/json", {"content-length": str(len(body))}).then(*end)


def _same(answer: Answer) -> Callable[[bool], Answer]:
    return lambda stream: answer


def _status_faults() -> list[Fault]:
    refused = {401: "AuthenticationError", 403: "PermissionDeniedError", 404: "NotFoundError"}
    refused |= dict.fromkeys((400, 402, 405, 406, 410, 411, 413, 414, 415, 418, 422, 425, 451), "BadRequestError")
    passing = {408: "TimeoutError", 409: "BadRequestError", 429: "RateLimitError", 504: "TimeoutError"}
    passing |= dict.fromkeys((500, 502, 503, *range(520, 530), 599), "ServerError")
    faults = [_fails(f"status-{status}", Reply.error(status), error) for status, error in refused.items()]
    faults += [
        _fails(f"status-{status}", Reply.error(status), error, retried=True) for status, error in passing.items()
    ]

    def moved(status: int) -> Answer:
        return lambda received: Reply.redirect(f"http://{received.headers['host']}/elsewhere", status)

    no, yes = {"x-should-retry": "false"}, {"x-should-retry": "true"}
    return [
        *faults,
        _fails("503-do-not-retry", Reply.error(503, headers=no), "ServerError"),
        _fails("429-do-not-retry", Reply.error(429, headers=no), "RateLimitError"),
        _fails("400-do-retry", Reply.error(400, headers=yes), "BadRequestError", retried=True),
        *(
            _fails(f"redirect-{status}", _same(moved(status)), "ConnectionError")
            for status in (301, 302, 303, 307, 308)
        ),
    ]


def _error_body_faults() -> list[Fault]:
    def coded(status: int, code: str, type: str = "invalid_request_error") -> Reply:
        return Reply.error(status, f"Refused: {code}.", type=type, code=code)

    llama = {"code": 400, "message": "the request exceeds the available context size", "n_prompt_tokens": 9000}
    llama |= {"type": "exceed_context_size_error", "n_ctx": 8192}
    html = "<html><body><h1>502 Bad Gateway</h1></body></html>"
    bodies: dict[str, Reply] = {
        "500-html": Reply.text(html, 500, "text/html"),
        "500-empty": Reply.text(b"", 500),
        "500-not-utf8": Reply.text(b"\xff\xfe\xfa boom", 500, "application/json"),
        "500-json-list": Reply.json(["boom", 1], 500),
        "500-json-string": Reply.json("boom", 500),
        "500-json-null": Reply.json(None, 500),
        "500-error-is-string": Reply.json({"error": "boom"}, 500),
        "500-error-is-null": Reply.json({"error": None}, 500),
        "500-detail-only": Reply.json({"detail": [{"msg": "boom"}]}, 500),
        "500-huge": Reply.error(500, "x" * 200_000),
        "500-closed-in-body": Reply.error(500).with_headers(content_length="9999").then(Close()),
    }
    return [
        _fails("400-context-length", coded(400, "context_length_exceeded"), "ContextWindowError"),
        _fails("400-context-llama", Reply.json({"error": llama}, 400), "ContextWindowError"),
        _fails("400-content-filter", coded(400, "content_filter"), "ContentFilterError"),
        _fails("400-content-policy", coded(400, "content_policy_violation"), "ContentFilterError"),
        _fails("401-html", Reply.text(html, 401, "text/html"), "AuthenticationError"),
        _fails("401-empty", Reply.text(b"", 401), "AuthenticationError"),
        _fails("404-plain", Reply.text("404 page not found\n", 404), "NotFoundError"),
        _fails("429-quota", coded(429, "insufficient_quota", "insufficient_quota"), "RateLimitError"),
        *(_fails(name, reply, "ServerError", retried=True) for name, reply in bodies.items()),
    ]


def _retry_after_faults() -> list[Fault]:
    def then_works(name: str, first: Answer) -> Fault:
        return _works(name, lambda stream: [first, _ok(stream)], retried=True)

    def dated(seconds: float) -> Answer:
        return lambda received: Reply.error(429, retry_after=formatdate(time() + seconds, usegmt=True))

    return [
        then_works("retry-after-integer", Reply.error(429, retry_after=1)),
        then_works("retry-after-float", Reply.error(429, retry_after=0.05)),
        then_works("retry-after-ms", Reply.error(429, headers={"retry-after-ms": "50"})),
        then_works("retry-after-date-past", dated(-3600)),
        then_works("retry-after-date-ahead", dated(1)),
        then_works("retry-after-nonsense", Reply.error(429, retry_after="soon")),
        then_works("retry-after-negative", Reply.error(429, retry_after=-5)),
        then_works("503-then-works", Reply.error(503)),
        then_works("reset-then-works", Reply.raw(Reset())),
    ]


def _connection_faults() -> list[Fault]:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    broken = {
        "close-before-any-byte": Reply.raw(Close()),
        "reset-before-any-byte": Reply.raw(Reset()),
        "close-in-headers": Reply.raw(head, Close()),
        "reset-in-headers": Reply.raw(head, Wait(0.02), Reset()),
        "garbage": Reply.raw(b"\x00\xffgarbage, not HTTP\r\n\r\n", Close()),
        "tls-bytes": Reply.raw(b"\x15\x03\x03\x00\x02\x02\x28", Close()),
        "bad-status-line": Reply.raw(b"HTTP/1.1 OK 200\r\n\r\n", Close()),
        "bad-chunk-size": Reply.raw(head + b"transfer-encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n", Close()),
    }
    endless = {
        "hang-before-headers": Reply.raw(Hang()),
        "hang-in-headers": Reply.raw(head, Hang()),
    }
    word = "word " * 2_000
    # h11 lets 100 KB pass if they come at once, aiohttp 8 KB: this is too much for both.
    long, pad = {"x-long": "h" * 300_000}, {"x-pad": "p" * 5_000}
    timeout: dict[str, Any] = {"error": "TimeoutError", "needs_timeout": True}
    return [
        *(_fails(name, reply, "ConnectionError", retried=True) for name, reply in broken.items()),
        *(_fails(name, reply, **timeout) for name, reply in endless.items()),
        _fails("close-in-body", _half(Close()), "ConnectionError", retried=True, only="call"),
        _fails("reset-in-body", _half(Wait(0.02), Reset()), "ConnectionError", retried=True, only="call"),
        _fails("hang-in-body", lambda stream: Reply.sse(Hang()) if stream else _half(Hang()), **timeout),
        _fails("header-line-huge", lambda stream: _ok(stream).with_headers(long), "ConnectionError", retried=True),
        _fails("drip-headers", lambda stream: _ok(stream).with_headers(pad).dripping(0.05, "headers"), **timeout),
        _fails("drip-body", lambda stream: _ok(stream, word).dripping(0.05), **timeout),
    ]


def _malformed_faults() -> list[Fault]:
    empty_choice = {"index": 0, "finish_reason": "stop"}
    bodies = {
        "invalid-json": b'{"id": "chatcmpl-1", "choi',
        "not-utf8": b'{"choices": "\xff\xfe"}',
        "json-list": b"[]",
        "json-object-empty": b"{}",
        "json-string": b'"Hello there!"',
        "json-null": b"null",
        "json-number": b"42",
        "choices-empty": encode(chat_body(usage=None) | {"choices": []}),
        "choices-null": encode(chat_body() | {"choices": None}),
        "choices-wrong-type": encode(chat_body() | {"choices": "Hello there!"}),
        "message-missing": encode(chat_body() | {"choices": [empty_choice]}),
        "message-null": encode(chat_body() | {"choices": [empty_choice | {"message": None}]}),
    }
    errors: dict[str, tuple[Any, str, bool]] = {
        "rate-limit": (error_body(429, type="rate_limit_error", code="rate_limit_exceeded"), "RateLimitError", True),
        "code-401": (error_body(401, type="error", code=401), "AuthenticationError", False),
        "code-503": (error_body(503, type="error", code=503), "ServerError", True),
        "content-filter": (error_body(400, code="content_filter"), "ContentFilterError", False),
        "string": ({"error": "boom"}, "ServerError", False),
    }

    def body_or_event(body: bytes) -> Callable[[bool], Answer]:
        event = Reply.sse(b"data: " + body + b"\n\n", sse("[DONE]"))
        return lambda stream: event if stream else Reply.text(body, 200, "application/json")

    html = Reply.text("<html><body>Log in, please.</body></html>", 200, "text/html")
    # A streamed choice without a delta may be followed by one with: only its absence to the end is malformed.
    calls_only = {name: "call" for name in ("message-missing", "message-null")}
    return [
        *(
            _fails(f"200-{name}", body_or_event(body), "ServerError", only=calls_only.get(name))
            for name, body in bodies.items()
        ),
        *(
            _fails(f"200-error-{name}", body_or_event(encode(body)), error, retried=retried)
            for name, (body, error, retried) in errors.items()
        ),
        _fails("200-html", html, "ServerError"),
        _fails("200-empty", Reply.text(b"", 200, "application/json"), "ServerError"),
        _fails("204-no-content", Reply.raw(b"HTTP/1.1 204 No Content\r\n\r\n"), "ServerError"),
    ]


def _stream_faults() -> list[Fault]:
    def broken(name: str, reply: Reply, error: str = "StreamInterruptedError", **facts: Any) -> Fault:
        return _fails(name, reply, error, content="Hello", only="stream", **facts)

    def early(name: str, reply: Reply, error: str, **facts: Any) -> Fault:
        return _fails(name, reply, error, only="stream", **facts)

    role, hello = Reply.stream(cut_after=0).body, Reply.stream(cut_after=1).body
    overloaded = sse(error_body(503, "Overloaded.", code="overloaded"))
    again: dict[str, Any] = {"error": "ConnectionError", "retried": True}
    return [
        broken("stream-reset", Reply.stream(cut_after=1, cut="reset")),
        broken("stream-fin", Reply.stream(cut_after=1, cut="fin")),
        broken("stream-clean-end", Reply.stream(cut_after=1)),
        broken("stream-done-without-finish-reason", Reply.sse(*hello, sse("[DONE]"))),
        broken("stream-bad-chunk-size", Reply.raw(*Reply.sse(*hello, Hang()).script[:-1], b"ZZ\r\n", Close())),
        broken("stream-half-event", Reply.sse(*hello, b'data: {"id": "chatcmpl-1", "choi')),
        broken("stream-invalid-json", Reply.sse(*hello, sse("{not json"), sse("[DONE]"))),
        broken("stream-not-utf8", Reply.sse(*hello, b'data: {"choices": "\xff\xfe"}\n\n', sse("[DONE]"))),
        broken("stream-error-event", Reply.sse(*hello, overloaded, sse("[DONE]"))),
        broken("stream-error-event-named", Reply.sse(*hello, b"event: error\n" + overloaded)),
        broken("stream-hang", Reply.stream(cut_after=1, cut="hang"), "TimeoutError", needs_timeout=True),
        broken("stream-pings-for-ever", Reply.stream("Hello", ping=0.02), "TimeoutError", needs_timeout=True),
        early("stream-reset-after-headers", Reply.sse(Wait(0.02), Reset()), **again),
        early("stream-fin-after-headers", Reply.sse(Close()), **again),
        early("stream-reset-after-role", Reply.sse(*role, Wait(0.02), Reset()), **again),
        early("stream-fin-after-role", Reply.sse(*role, Close()), **again),
        early("stream-empty", Reply.sse(), "ServerError"),
        early("stream-done-only", Reply.sse(sse("[DONE]")), "ServerError"),
        early("stream-role-only", Reply.sse(*role), "ServerError"),
        early("stream-comments-only", Reply.sse(b": hello\n\n", b": bye\n\n"), "ServerError"),
        early("stream-error-first", Reply.sse(overloaded), "ServerError", retried=True),
        early("stream-hang-after-role", Reply.sse(*role, Hang()), "TimeoutError", needs_timeout=True),
        early("stream-only-pings", Reply.sse(Ping(b": hi\n\n", 0.02)), "TimeoutError", needs_timeout=True),
    ]


def _odd_answers() -> list[Fault]:
    weather: ChatFields = {"tool_calls": [("get_weather", {"city": "Oslo"})], "finish_reason": "tool_calls"}
    tools: dict[str, Any] = {"content": None, "finish_reason": "tool_calls", "tool_names": ("get_weather",)}
    news = {"x_new": {"a": [1]}, "service_tier": None, "system_fingerprint": "fp_1", "provider": "Somebody"}
    whole = "Hello there!"
    big = "x" * 2_000_000
    return [
        _works("plain", _ok),
        _works("usage-missing", lambda stream: _ok(stream, usage=None), usage=None),
        _works("usage-null", lambda stream: _ok_with(stream, {"usage": None}, usage=None), usage=None),
        _works(
            "finish-reason-null",
            lambda stream: _ok(stream, finish_reason=None),
            finish_reason=None,
            streamed_error="StreamInterruptedError",
        ),
        *(
            _works(f"finish-reason-{reason}", partial(_ok, finish_reason=reason), finish_reason=reason)
            for reason in ("weird_reason", "length", "content_filter")
        ),
        _works("unknown-fields", lambda stream: _ok_with(stream, news)),
        _works("tool-calls", lambda stream: _ok(stream, None, **weather), **tools),
        _works("tool-calls-and-text", lambda stream: _ok(stream, **weather), **(tools | {"content": whole})),
        _works("reasoning", lambda stream: _ok(stream, reasoning="Let me think.")),
        _works("content-empty", lambda stream: _ok(stream, ""), content=""),
        _works("content-blank", lambda stream: _ok(stream, " \n "), content=" \n "),
        _works("unicode", lambda stream: _ok(stream, "Grüße, 世界! 👋🏽"), content="Grüße, 世界! 👋🏽"),
        _works("emoji-split", lambda stream: _split(_ok(stream, "Hi 🙂 you"), "🙂".encode()), content="Hi 🙂 you"),
        _works("line-separator", lambda stream: _ok(stream, "a\u2028b\u0085c"), content="a\u2028b\u0085c"),
        _works(
            "lone-surrogate",
            lambda stream: _mangled(
                _ok(stream, "Hello SURROGATE!"), lambda data: data.replace(b"SURROGATE", b"\\ud83d")
            ),
            content="Hello \ud83d!",
        ),
        _works("huge", lambda stream: _ok(stream, big), content=big),
        _works("huge-id", lambda stream: _ok(stream, id="i" * 100_000)),
    ]


def _odd_bytes() -> list[Fault]:
    def zipped(stream: bool) -> Reply:
        plain = _ok(stream)
        data = gzip.compress(b"".join(step for step in plain.body if isinstance(step, bytes)), mtime=0)
        return dataclasses.replace(plain, body=(data[:40], data[40:]), framing="chunked").with_headers(
            content_encoding="gzip"
        )

    def until_close(stream: bool) -> Reply:
        plain = _ok(stream)
        kind = dict(plain.headers)["content-type"].encode()
        return Reply.raw(b"HTTP/1.0 200 OK\r\ncontent-type: " + kind + b"\r\n\r\n", *plain.body, Close())

    def extended(stream: bool) -> Reply:
        # Some chunk extensions have a value, some have none (RFC 9112, 7.1.1).
        framed = dataclasses.replace(_ok(stream), framing="chunked").script
        return Reply.raw(framed[0], *(step.replace(b"\r\n", b';a="b";c\r\n', 1) for step in framed[1:] if step))  # type: ignore[union-attr]

    early_hints = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n"
    return [
        _works("tiny-writes", lambda stream: _ok(stream).dripping(0)),
        _works("one-write", lambda stream: _ok(stream).packed()),
        _works("chunked-json", lambda stream: dataclasses.replace(_ok(stream), framing="chunked")),
        _works("gzip", zipped),
        _works("http-1.0-until-close", until_close),
        _works("chunk-extensions", extended),
        _works("100-continue-first", lambda stream: Reply.raw(b"HTTP/1.1 100 Continue\r\n\r\n", *_ok(stream).script)),
        _works("103-early-hints-first", lambda stream: Reply.raw(early_hints, *_ok(stream).script)),
        _works("content-type-plain", lambda stream: _ok(stream).with_headers(content_type="text/plain")),
        _works("content-type-octets", lambda stream: _ok(stream).with_headers(content_type="application/octet-stream")),
        _works(
            "connection-close", lambda stream: _ok(stream).with_headers(connection="close").then(Close()), only="call"
        ),
        _works("slow-headers", lambda stream: _ok(stream).dripping(0.0005, "headers")),
    ]


def _odd_streams() -> list[Fault]:
    plain = Reply.stream()
    chunks, bare = chat_chunks(), chat_chunks(usage=None)
    usages = [chunk | {"usage": {"prompt_tokens": 9, "completion_tokens": 0, "total_tokens": 9}} for chunk in bare[:-1]]
    counted = bare[-1] | {"usage": chunks[-1]["usage"]}
    void = sse(chunks[0] | {"choices": [{"index": 0, "delta": {}, "finish_reason": None}]})
    azure = sse(chunks[0] | {"choices": [], "prompt_filter_results": [{"prompt_index": 0}]})
    done = sse("[DONE]")
    fields = b"event: message\nid: 7\nretry: 100\n"
    replies = {
        "sse-crlf": _mangled(plain, lambda data: data.replace(b"\n", b"\r\n")),
        "sse-cr": _mangled(plain, lambda data: data.replace(b"\n", b"\r")),
        "sse-no-space": _mangled(plain, lambda data: data.replace(b"data: ", b"data:")),
        "sse-data-in-lines": _mangled(plain, lambda data: data.replace(b',"choices"', b',\ndata: "choices"')),
        "sse-comments": _mangled(plain, lambda data: b": keep-alive\n\n" + data),
        "sse-comment-inside-event": _mangled(plain, lambda data: b": keep-alive\n" + data),
        "sse-fields": _mangled(plain, lambda data: fields + data),
        "sse-fields-after-data": _mangled(plain, lambda data: data[:-1] + b"id: 7\nunknown: x\n\n"),
        "sse-blank-lines": _mangled(plain, lambda data: b"\n\n" + data + b"\n"),
        "sse-bom": Reply.sse(b"\xef\xbb\xbf", *plain.body),
        "sse-no-done": Reply.stream(done=False),
        "sse-done-then-garbage": Reply.sse(*plain.body, sse("garbage"), b"\xff\xfe{{{"),
        "sse-done-without-blank-line": Reply.sse(*plain.body[:-1], b"data: [DONE]"),
        "sse-events-joined": Reply.sse(b"".join(step for step in plain.body if isinstance(step, bytes))),
        "sse-events-split": _split(plain, b'"choices"'),
        "sse-charset": plain.with_headers(content_type="text/event-stream; charset=utf-8"),
        "stream-empty-deltas": Reply.sse(plain.body[0], void, plain.body[1], void, *plain.body[2:]),
        "stream-empty-pieces": Reply.stream(["", "Hello", "", " there!", ""]),
        "stream-null-content": _mangled(plain, lambda data: data.replace(b'"content":""', b'"content":null')),
        "stream-role-only-first": _mangled(plain, lambda data: data.replace(b',"content":""', b"")),
        "stream-no-choices-first": Reply.sse(azure, *plain.body),
        "stream-usage-with-finish": Reply.sse(*map(sse, [*bare[:-1], counted]), done),
        "stream-usage-in-each": Reply.sse(*map(sse, [*usages, counted]), done),
        "stream-slow": Reply.stream(gap=0.01, first_gap=0.05),
    }
    return [_works(name, reply, only="stream") for name, reply in replies.items()]


def _anthropic_faults() -> list[Fault]:
    def ok(stream: bool, **fields: Unpack[AnthropicFields]) -> Reply:
        return Reply.anthropic_stream(**fields) if stream else Reply.anthropic(**fields)

    def refused(status: int, error: str, message: str = "", retried: bool = False, name: str = "") -> Fault:
        reply = Reply.error(status, message, anthropic=True)
        name = f"anthropic-{name or status}"
        return _fails(name, reply, error, retried=retried, wire="anthropic")

    streamed: dict[str, Any] = {"only": "stream", "wire": "anthropic"}
    broken: dict[str, Any] = streamed | {"error": "StreamInterruptedError", "content": "Hello"}
    hello, whole = Reply.anthropic_stream(cut_after=1).body, Reply.anthropic_stream().body
    overloaded = sse(error_body(529, "Overloaded", anthropic=True), event="error")
    hang = Reply.anthropic_stream(cut_after=1, cut="hang")
    return [
        _works("anthropic-plain", ok, wire="anthropic"),
        _works(
            "anthropic-max-tokens", lambda s: ok(s, stop_reason="max_tokens"), finish_reason="length", wire="anthropic"
        ),
        _works("anthropic-thinking", lambda stream: ok(stream, thinking="Let me think."), wire="anthropic"),
        _works("anthropic-pings", Reply.anthropic_stream(pings=True), **streamed),
        _works("anthropic-no-message-stop", Reply.sse(*whole[:-1]), **streamed),
        refused(400, "ContextWindowError", "prompt is too long: 250000 tokens > 200000 maximum", name="too-long"),
        refused(401, "AuthenticationError"),
        refused(429, "RateLimitError", retried=True),
        refused(529, "ServerError", retried=True),
        _fails("anthropic-error-event", Reply.sse(*hello, overloaded), **broken),
        _fails("anthropic-clean-end", Reply.anthropic_stream(cut_after=1), **broken),
        _fails("anthropic-reset", Reply.anthropic_stream(cut_after=1, cut="reset"), **broken),
        _fails("anthropic-fin", Reply.anthropic_stream(cut_after=1, cut="fin"), **broken),
        _fails("anthropic-hang", hang, **(broken | {"error": "TimeoutError", "needs_timeout": True})),
        _fails("anthropic-error-first", Reply.sse(overloaded), "ServerError", retried=True, **streamed),
    ]


def _echo_faults() -> list[Fault]:
    """The reply holds what the request authenticated with."""

    def key(received: Received) -> str:
        return received.headers.get("authorization") or received.headers.get("x-api-key", "")

    def bare(received: Received) -> str:
        return key(received).removeprefix("Bearer ")

    def page(received: Received) -> str:
        return f"<html><pre>authorization: {key(received)}</pre></html>"

    def interrupted(received: Received) -> Reply:
        return Reply.sse(*Reply.stream(cut_after=1).body, sse(error_body(500, f"Lost {key(received)}.")))

    shown: dict[str, tuple[Answer, str, bool]] = {
        "body": (lambda r: Reply.error(401, f"Incorrect API key provided: {bare(r)}."), "AuthenticationError", False),
        "body-200": (lambda r: Reply.text(page(r), 200, "text/html"), "ServerError", False),
        "html": (lambda r: Reply.text(page(r), 500, "text/html"), "ServerError", True),
        "header": (lambda r: Reply.error(403, headers={"x-echo": key(r)}), "PermissionDeniedError", False),
        "code": (lambda r: Reply.error(400, code=bare(r), type=key(r)), "BadRequestError", False),
    }
    faults = [
        _fails(f"key-in-{where}", _same(answer), error, retried=retried, echoes_key=True)
        for where, (answer, error, retried) in shown.items()
    ]
    mid: dict[str, Any] = {"content": "Hello", "only": "stream", "echoes_key": True}
    return [*faults, _fails("key-in-stream", _same(interrupted), "StreamInterruptedError", **mid)]


FAULTS: dict[str, Fault] = {
    fault.name: fault
    for group in (
        _status_faults,
        _error_body_faults,
        _retry_after_faults,
        _connection_faults,
        _malformed_faults,
        _stream_faults,
        _odd_answers,
        _odd_bytes,
        _odd_streams,
        _anthropic_faults,
        _echo_faults,
    )
    for fault in group()
}
"""Every fault by name."""


def main() -> None:
    """Serve the default answers until killed; the first line on stdout is the URL."""
    parser = argparse.ArgumentParser(prog="python -m magma.testing.server", description=main.__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 (the default) takes a free one")
    parser.add_argument("--delta-count", type=int, default=None, help="content chunks in a streamed answer")
    options = parser.parse_args()
    with Server(options.port, delta_count=options.delta_count, record=False) as server:
        print(server.url, flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
