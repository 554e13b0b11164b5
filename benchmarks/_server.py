"""An OpenAI-shaped server that costs next to nothing: `python -m benchmarks._server` prints its URL, ends with its stdin.

The first part of the path says how it answers: `/v1` at once, `/echo/v1` with the last message's text, `/slow-500/v1`
the same after 500 ms, `/burst-300/v1` (streamed) with 300 deltas in one piece, `/drip-300/v1` with one delta a
millisecond, `/vectors-100/v1` with 100 embeddings, as base64 where that is asked for. `GET /stats` tells connections and requests in flight, `GET /reset` forgets the peak. Every other POST is
a sink that answers `{}`.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
from array import array
from base64 import b64encode
from collections.abc import Iterator
from functools import cache, partial

TEXT = "Hello there!"
DIMENSIONS = 1536
STEP = 0.001  # seconds between two deltas of /drip
_CREATED = {"id": "chatcmpl-1", "created": 1_700_000_000, "model": "gpt-4o"}
_USAGE = {"prompt_tokens": 9, "completion_tokens": 300, "total_tokens": 309}


def http(body: bytes, kind: bytes = b"application/json") -> bytes:
    """A whole response."""
    return b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n%s" % (kind, len(body), body)


@cache
def answer(text: str) -> bytes:
    """A chat completion."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return http(json.dumps({**_CREATED, "object": "chat.completion", "choices": [choice], "usage": _USAGE}).encode())


@cache
def pieces(count: int) -> list[bytes]:
    """A streamed chat completion: head, `count` deltas, end, each in its own HTTP chunk."""

    def event(delta: dict[str, str], **others: object) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": None, **others}
        return _event({**_CREATED, "object": "chat.completion.chunk", "choices": [choice], "usage": None})

    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    first = head + event({"role": "assistant", "content": ""})
    deltas = [event({"content": f"word{number:04d} "}) for number in range(count)]
    usage = _event({**_CREATED, "object": "chat.completion.chunk", "choices": [], "usage": _USAGE})
    end = event({}, finish_reason="stop") + usage + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
    return [first, *deltas, end]


@cache
def burst(count: int) -> bytes:
    """The same in one piece."""
    return b"".join(pieces(count))


@cache
def vectors(count: int, base64: bool) -> bytes:
    """Embeddings with as many digits as OpenAI writes."""
    numbers = [
        array("f", [math.sin(place * DIMENSIONS + at) / 40 for at in range(DIMENSIONS)]) for place in range(count)
    ]
    told: list[object] = [
        b64encode(vector).decode() if base64 else [float(f"{number:.8g}") for number in vector] for vector in numbers
    ]
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(told)]
    usage = {"prompt_tokens": count, "total_tokens": count}
    return http(
        json.dumps({"object": "list", "data": data, "model": "text-embedding-3-small", "usage": usage}).encode()
    )


def _event(data: dict[str, object]) -> bytes:
    return _chunk(b"data: " + json.dumps(data, separators=(",", ":")).encode() + b"\n\n")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class Connection(asyncio.Protocol):
    """One client: requests one after the other."""

    open = in_flight = peak = requests = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.rest = transport, b""
        self.later: asyncio.TimerHandle | None = None
        Connection.open += 1

    def connection_lost(self, error: Exception | None) -> None:
        Connection.open -= 1
        if self.later is not None:
            self.later.cancel()

    def data_received(self, data: bytes) -> None:
        self.rest += data
        head, mark, body = self.rest.partition(b"\r\n\r\n")
        if not mark:
            return
        lower = head.lower()
        if b"transfer-encoding: chunked" in lower:
            if not body.endswith(b"0\r\n\r\n"):
                return
        else:
            _, found, length = lower.partition(b"content-length:")
            if found and len(body) < int(length.split(b"\r\n", 1)[0]):
                return
        self.rest = b""
        self.reply(head.split(b" ", 2)[1].split(b"/")[1].decode(), head.startswith(b"GET "), body)

    def reply(self, place: str, get: bool, body: bytes) -> None:
        kind, _, count = place.partition("-")
        write = self.transport.write
        if get:
            write(self.state(reset=kind == "reset"))
            return
        Connection.requests += 1
        if kind == "v1":
            write(burst(3) if b'"stream":true' in body.replace(b" ", b"") else answer(TEXT))
        elif kind == "echo":
            write(answer(_prompt(body)))
        elif kind == "slow":
            Connection.in_flight += 1
            Connection.peak = max(Connection.peak, Connection.in_flight)
            asyncio.get_running_loop().call_later(int(count) / 1e3, self.end, answer(_prompt(body)))
        elif kind == "vectors":
            write(vectors(int(count), b'"base64"' in body))
        elif kind == "burst":
            write(burst(int(count)))
        elif kind == "drip":
            self.drip(iter(pieces(int(count))))
        else:
            write(http(b"{}"))

    def end(self, response: bytes) -> None:
        Connection.in_flight -= 1
        if not self.transport.is_closing():
            self.transport.write(response)

    def drip(self, left: Iterator[bytes]) -> None:
        piece = next(left, None)
        if piece is not None and not self.transport.is_closing():
            self.transport.write(piece)
            self.later = asyncio.get_running_loop().call_later(STEP, partial(self.drip, left))

    @staticmethod
    def state(*, reset: bool) -> bytes:
        names = ("open", "in_flight", "peak", "requests")
        told = {name: getattr(Connection, name) for name in names}
        if reset:
            Connection.peak = Connection.in_flight
        return http(json.dumps(told).encode())


def _prompt(body: bytes) -> str:
    messages = json.loads(body[body.find(b"{") : body.rfind(b"}") + 1])["messages"]
    return str(messages[-1]["content"])


async def main() -> None:
    """Serves until stdin ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=2048)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
