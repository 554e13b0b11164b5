"""A response arriving in pieces, for sync and async loops alike."""

from __future__ import annotations

import atexit
import contextlib
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from types import TracebackType
from typing import Any, Generic, TypeVar, overload

from ..errors import ConfigError, ModelError
from ..responses import Generation, Response
from . import flow
from . import walk as walking
from .chunks import split
from .pieces import Objects, Texts
from .request import Request
from .waiting import in_async

R = TypeVar("R", bound=Response)
Emit = Callable[[dict[str, Any]], "R | None"]


class Stream(Generic[R]):
    """The deltas of one answer, in order: `for delta in stream` or `async for delta in stream`.

    Nothing is asked before the first delta is wanted. After the end `.response` is the whole answer with
    usage and cost. Leaving early by `close()`, a `with` block, an exception or garbage collection closes the
    connection; what had arrived is then `.response`, except after garbage collection.

    Raises, while iterating:
        StreamInterruptedError: the stream broke after its first delta; `.partial` holds what had arrived.
        TimeoutError: no (further) delta in time, with `.partial` likewise.
        ModelError: as for an unstreamed call, before the first delta.
    """

    def __init__(self, request: Request, parse: walking.Parse[R], emit: Emit[R]) -> None:
        self._request = request
        self._count = 0
        self._emit = emit
        self._replay: list[R] = []
        self._response: R | None = None
        self._source: Any = None
        self._walk: Any = walking.walk(flow.line(request, parse), emit, parse)
        self._done = False
        self._reading = threading.Lock()
        _unfinished.add(self)

    @property
    def response(self) -> R:
        """The whole answer, once the stream has ended.

        Raises:
            RuntimeError: the stream has not ended, or not well.
        """
        if self._response is None:
            state = "ended with an error" if self._done else "has not ended"
            raise RuntimeError(f"the stream {state}: there is no response; read all deltas first")
        return self._response

    @overload
    def consume(self: Stream[Generation[Any]]) -> Texts[str]: ...  # type: ignore[overload-overlap]
    @overload
    def consume(self) -> Texts[bytes]: ...
    def consume(self) -> Any:
        """The text alone, piece by piece; for sync and async loops and FastAPI's `StreamingResponse`.

        Of a call with tools that the model uses: the finished `ToolCalls`, after reading the stream to its end. On an
        event loop nothing is read before it is iterated or its `get_calls()` is called. Speech gives its bytes.
        """
        texts: Texts[Any] = Texts(self)
        if self._request.inputs.get("tools") and not in_async():
            return texts.first_or_calls()
        return texts

    def partial_objects(self) -> Objects:
        """The object of a schema as it grows: plain data, one item whenever more of it is there; for both kinds of loop.

        Raises:
            ConfigError: the call has no schema.
        """
        if getattr(self._request.reading, "kind", None) is None:
            raise ConfigError("partial_objects() needs a call with schema=…")
        return Objects(self)

    # The two drivers: they differ in one word.

    def __iter__(self) -> Iterator[R]:
        return self

    def __next__(self) -> R:
        self._begin_reading()
        try:
            out = self._move(None)
            while not isinstance(out, Response):
                out = self._move(out.take())
            return out  # type: ignore[return-value]
        except StopIteration:
            raise
        except BaseException:
            self._fail()
            raise
        finally:
            self._reading.release()

    def __await__(self) -> Generator[Any, None, Stream[R]]:
        yield from ()  # ready at once: `await model(x, stream=True)` gives the stream itself
        return self

    def __aiter__(self) -> AsyncIterator[R]:
        return self

    async def __anext__(self) -> R:
        self._begin_reading()
        try:
            out = self._move(None)
            while not isinstance(out, Response):
                out = self._move(await out.atake())
            return out  # type: ignore[return-value]
        except StopIteration:
            raise StopAsyncIteration from None
        except BaseException:
            self._fail()
            raise
        finally:
            self._reading.release()

    def _begin_reading(self) -> None:
        if not self._reading.acquire(blocking=False):
            raise RuntimeError("another thread or task is reading this stream: each delta can go to one reader only")

    def _move(self, item: Any) -> Any:
        """One step of the walk: a source to wait on, or a delta; StopIteration after the last."""
        if self._done:
            return self._next_replayed()
        try:
            out = self._walk.send(item)
        except StopIteration as stop:
            self._finish(stop.value)
            return self._next_replayed()
        if isinstance(out, Response):
            self._count += 1
        else:
            self._source = out
        return out

    def _finish(self, response: R) -> None:
        self._done = True
        self._response = response
        _unfinished.discard(self)
        if not self._count:  # a cache hit or a hook's own response: it streams too
            whole = response.raw.get("choices") or response.raw.get("audio")
            body = response.raw if whole else _body_of(response)
            made: list[Any] = [self._emit(chunk) for chunk in split(body)]
            deltas = [one for delta in made for one in (delta if isinstance(delta, list) else [delta])]
            self._replay = [delta for delta in deltas if delta is not None][::-1]

    def _next_replayed(self) -> R:
        if not self._replay:
            raise StopIteration
        return self._replay.pop()

    def _fail(self) -> None:
        self._done = True
        self._walk.close()

    # Leaving.

    def close(self) -> None:
        """Ends the stream now and closes its connection; a second time does nothing."""
        if self._done:
            self._replay.clear()
            return
        try:
            self._walk.throw(walking.Abandoned())
        except StopIteration as stop:
            self._finish(stop.value)
            self._replay.clear()
        except (walking.Abandoned, ModelError, TypeError):
            pass
        self._done = True
        self._walk.close()

    async def aclose(self) -> None:
        """As `close`, for async code."""
        self.close()

    def __enter__(self) -> Stream[R]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Stream[R]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        source = getattr(self, "_source", None)
        if source is not None and not self._done:
            walking.forsake(self._walk, source)  # hooks and locks have no place in a finaliser

    def __repr__(self) -> str:
        state = "ended" if self._done else f"{self._count} deltas so far"
        return f"<Stream {self._request.model} {state}>"


_unfinished: weakref.WeakSet[Stream[Any]] = weakref.WeakSet()


def _leave() -> None:
    """At exit, ends the streams that are still open: later, finalisers would find the modules gone."""
    for stream in tuple(_unfinished):
        stream._done = True
        with contextlib.suppress(ValueError):  # a daemon thread is reading it
            stream._walk.close()


atexit.register(_leave)


def _body_of(response: Response) -> dict[str, Any]:
    return {"choices": [{"message": {"content": str(response.content)}, "finish_reason": "stop"}], "usage": None}
