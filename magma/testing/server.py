"""A scripted HTTP/1.1 server on 127.0.0.1, in its own thread, for tests that want real bytes on a real socket.

`Server` plays a `Reply` (see `magma.testing.wire`) for every request and keeps a record of what it saw; `FAULTS` (see
`magma.testing.faults`) is a catalogue of what goes wrong, or merely looks odd, in the field. `python -m magma.testing.server` runs it alone.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Self

from .bodies import anthropic_body, anthropic_events, chat_body, chat_chunks, error_body, sse
from .defaults import default_answers
from .steps import Close, Hang, Ping, Received, Reset, Step, Wait
from .wire import AnyReply, Reply

__all__ = [
    "AnyReply",
    "Close",
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
        self.default: AnyReply = default_answers(delta_count)
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
        self._queue: deque[AnyReply] = deque()
        self._routes: dict[str, AnyReply] = {}
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

    def enqueue(self, *answers: AnyReply) -> None:
        """Answers the next requests with these, each one once."""
        self._queue.extend(answers)

    def on(self, prefix: str, answer: AnyReply) -> None:
        """Answers every request whose path starts so; it goes before the queue, the longest prefix first."""
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
        except Exception as error:  # the test's own callable: the test reads it in `errors`
            self.errors.append(error)
            return Reply.error(500, f"The scripted reply failed: {error!r}").script

    def _choose(self, received: Received) -> AnyReply:
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
            self.finished()
            self.server.disconnects += 1
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
        """Answers what has arrived, unless a reply is still being played."""
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
        if self.transport.is_closing():  # `connection_lost` is on its way, and cancels this
            await asyncio.get_running_loop().create_future()
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


def main() -> None:
    """Serve the default answers until killed; the first line on stdout is the URL."""
    parser = argparse.ArgumentParser(prog="python -m magma.testing.server", description=main.__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 (the default) takes a free one")
    parser.add_argument("--delta-count", type=int, default=None, help="content chunks in a streamed answer")
    options = parser.parse_args()
    with Server(options.port, delta_count=options.delta_count, record=False) as server:
        print(server.url, flush=True)  # noqa: T201  # its job is to print
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
