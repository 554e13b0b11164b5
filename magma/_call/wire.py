"""What really happened on the wire, whatever LiteLLM makes of it.

LiteLLM invents facts (a finish_reason, zero tokens) and follows redirects. So its HTTP clients are
*watched*: every response of a dispatch is noted in its `Exchange`, a redirect is refused before it is
followed, and OpenAI-style event streams are read here, event by event. httpx in, plain data out.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextvars import ContextVar
from typing import Any

import httpx
import msgspec

from .spelling import respelt

_KEYS = ("authorization", "x-api-key", "api-key", "x-goog-api-key")  # headers in which keys travel


class Redirected(httpx.TransportError):
    """The provider answered with a redirect; following it would hand prompt and key to somebody else."""


class Broken(httpx.NetworkError):
    """No connection; not httpx's own class for it, on which LiteLLM's handler would ask a second time, uncounted."""


class Exchange:
    """The HTTP traffic of one dispatch."""

    __slots__ = (
        "calls_tools",
        "error",
        "fill",
        "finish",
        "headers",
        "id",
        "redirect",
        "respells",
        "response",
        "secrets",
        "sent",
        "tap",
    )

    def __init__(self, sent: list[int] | None = None) -> None:
        self.sent = [] if sent is None else sent
        self.response: httpx.Response | None = None
        self.error: Exception | None = None
        self.redirect: str | None = None
        self.fill: dict[str, Any] | None = None  # what LiteLLM cannot do without in an answer; see `Watched`
        self.id: str | None = None  # of a streamed answer, in the provider's words
        self.finish: str | None = None  # the same of its end
        self.calls_tools = False
        self.headers: dict[str, str] = {}  # to be sent where LiteLLM does not hand them on
        self.secrets: tuple[str, ...] = ()  # that a provider might echo
        self.respells = False  # whether the provider is Google, in whose name LiteLLM writes its own spelling
        self.tap: Callable[[bytes], Awaitable[None]] | None = None  # gets the pieces of a sound as they come

    @property
    def requests(self) -> int:
        """How many HTTP requests were made."""
        return len(self.sent)

    @property
    def status(self) -> int | None:
        """Status of the last response."""
        return None if self.response is None else self.response.status_code

    @property
    def content(self) -> bytes:
        """The body of the last response as far as it was read."""
        return getattr(self.response, "_content", b"")

    def json(self) -> Any:
        """The body of the last response, decoded; None when it is not JSON."""
        try:
            return decode(self.content)
        except ValueError:
            return None

    def header(self, *names: str) -> str | None:
        """The first of these headers that the last response has."""
        headers = {} if self.response is None else self.response.headers
        return next((headers[name] for name in names if name in headers), None)

    @property
    def request_id(self) -> str | None:
        """The provider's id of the request."""
        told = self.header("x-request-id", "request-id", "x-amzn-requestid", "apim-request-id", "cf-ray")
        if told is None:
            return None
        request = getattr(self.response, "_request", None)
        sent = [] if request is None else [request.headers.get(name, "").removeprefix("Bearer ") for name in _KEYS]
        echoed = any(secret and secret in told for secret in (*sent, *self.secrets))
        return "[redacted]" if echoed else told[:200]


def decode(data: bytes) -> Any:
    """The value of a JSON text; a lone surrogate escape in it becomes U+FFFD, as UTF-8 cannot carry it.

    Raises:
        ValueError: not JSON, or not UTF-8.
    """
    try:
        return msgspec.json.decode(data)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        if rb"\u" not in data:
            raise
        return mended(json.loads(data))


def mended(value: Any) -> Any:
    """Plain data whose texts UTF-8 can carry."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {mended(name): mended(item) for name, item in value.items()}
    return [mended(item) for item in value] if isinstance(value, list) else value


current: ContextVar[Exchange | None] = ContextVar("magma_exchange", default=None)


class Watched(httpx.AsyncBaseTransport):
    """A transport that notes what passes and refuses redirects."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """As httpx's."""
        exchange = current.get() or Exchange()
        exchange.sent.append(len(exchange.sent) + 1)
        exchange.response = None
        request.headers.update(exchange.headers)
        if exchange.respells:
            request = respelt(request)
        try:
            response = await self.inner.handle_async_request(request)
        except (httpx.ConnectError, httpx.RemoteProtocolError) as error:
            exchange.error = error
            raise Broken(str(error)) from error
        except Exception as error:
            exchange.error = error
            raise
        exchange.response = response
        if response.is_redirect:
            exchange.redirect = response.headers.get("location", "")
            await response.aclose()
            raise Redirected(f"redirected with status {response.status_code}")
        if exchange.tap is not None and _is_sound(response):
            response.stream = Tapped(response.stream, exchange.tap)  # type: ignore[arg-type]
        return response if exchange.fill is None else await _filled(response, exchange.fill)

    async def aclose(self) -> None:
        """As httpx's."""
        await self.inner.aclose()


class Tapped(httpx.AsyncByteStream):
    """A body whose pieces are handed on while it is read."""

    def __init__(self, inner: httpx.AsyncByteStream, tap: Callable[[bytes], Awaitable[None]]) -> None:
        self.inner, self.tap = inner, tap

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self.inner:
            await self.tap(chunk)
            yield chunk

    async def aclose(self) -> None:
        """As httpx's."""
        await self.inner.aclose()


def _is_sound(response: httpx.Response) -> bool:
    kind = response.headers.get("content-type", "")
    whole = response.status_code == 200 and "content-encoding" not in response.headers
    return whole and kind.startswith(("audio/", "application/octet-stream"))


async def _filled(response: httpx.Response, fill: dict[str, Any]) -> httpx.Response:
    """The answer with the members that LiteLLM stumbles over when the provider leaves them out."""
    if response.status_code != 200 or "json" not in response.headers.get("content-type", ""):
        return response
    try:
        raw = decode(await response.aread())
    except ValueError:
        return response
    if not isinstance(raw, dict) or all(raw.get(name) is not None for name in fill):
        return response
    kept = {
        name: value for name, value in response.headers.items() if name not in ("content-length", "content-encoding")
    }
    content = msgspec.json.encode({**raw, **{name: value for name, value in fill.items() if raw.get(name) is None}})
    return httpx.Response(200, headers=kept, content=content, request=response.request)


def watch(client: httpx.AsyncClient) -> None:
    """Makes the client's transports watched ones."""
    if not isinstance(client._transport, Watched):
        client._transport = Watched(client._transport)
    for pattern, transport in client._mounts.items():
        if transport is not None and not isinstance(transport, Watched):
            client._mounts[pattern] = Watched(transport)


class Events:
    """A decoder of server-sent events: `feed` bytes, get the data of each event that is complete.

    Comments (keep-alives), ids and event names are left out; lines may end in LF, CRLF or CR.
    https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream

    >>> events = Events()
    >>> list(events.feed(b": ping\\n\\ndata: {}\\r\\n\\r\\nda")), list(events.feed(b"ta: [DONE]\\n\\n"))
    ([b'{}'], [b'[DONE]'])
    """

    __slots__ = ("_data", "_rest", "_started")

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._started = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The data of the events that `chunk` completes."""
        text = self._rest + chunk if self._rest else chunk
        if not self._started:
            if len(text) < 3 and b"\xef\xbb\xbf".startswith(text):
                self._rest = text
                return
            text, self._started = text.removeprefix(b"\xef\xbb\xbf"), True
        cut = max(text.rfind(b"\n"), text.rfind(b"\r", 0, len(text) - 1)) + 1  # a last CR may be half a CRLF
        self._rest = text[cut:]
        for line in text[:cut].splitlines():
            if not line:
                yield from self._event()
            elif line.startswith(b"data:"):
                self._data.append(line[6:] if line[5:6] == b" " else line[5:])

    def end(self) -> Iterator[bytes]:
        """The data of an event that the end of the stream completes."""
        yield from self.feed(b"\n\n" if not self._rest.endswith(b"\r") else b"\n\r\n")
        yield from self._event()

    def _event(self) -> Iterator[bytes]:
        if self._data:
            data = b"\n".join(self._data)
            self._data.clear()
            yield data


async def event_data(response: httpx.Response) -> AsyncIterator[bytes]:
    """The data of each server-sent event of a response, as it comes."""
    events = Events()
    async for chunk in response.aiter_bytes():
        for data in events.feed(chunk):
            yield data
    for data in events.end():
        yield data
