"""What `Stream.consume()` and `Stream.partial_objects()` give: a stream's text, or its growing object, for both loops."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from .stream import Stream

_OF_CALLS = ("get_calls", "insert_results", "get_messages")


P = TypeVar("P", str, bytes)


class Texts(Generic[P]):
    """The text of a stream, piece by piece, for `for` and `async for`.

    Where the model calls tools instead, `get_calls`, `insert_results` and `get_messages` are those of the finished
    `ToolCalls`; they read the stream to its end first.
    """

    def __init__(self, stream: Stream[Any]) -> None:
        self._stream = stream
        self._first: Any = None
        self._calls: Any = None

    def first_or_calls(self) -> Any:
        """Reads to the first piece that tells: the finished tool calls, or this with its first text."""
        for delta in self._stream:
            if delta.content:
                self._first = delta.content
                return self
            if delta.tool_calls:
                for _ in self._stream:
                    pass
                return self._stream.response.consume()
        return self

    def __iter__(self) -> Iterator[P]:
        return self

    def __next__(self) -> P:
        if self._first is not None:
            first, self._first = self._first, None
            return first  # type: ignore[no-any-return]
        for delta in self._stream:
            if delta.content:
                return delta.content  # type: ignore[no-any-return]
        raise StopIteration

    def __aiter__(self) -> AsyncIterator[P]:
        return self

    async def __anext__(self) -> P:
        if self._first is not None:
            first, self._first = self._first, None
            return first  # type: ignore[no-any-return]
        async for delta in self._stream:
            if delta.content:
                return delta.content  # type: ignore[no-any-return]
        raise StopAsyncIteration

    def __getattr__(self, name: str) -> Any:
        if name not in _OF_CALLS:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if self._calls is None:
            for _ in self._stream:
                pass
            self._calls = self._stream.response.consume()
        return getattr(self._calls, name)

    def close(self) -> None:
        """Ends the stream."""
        self._stream.close()

    async def aclose(self) -> None:
        """Ends the stream."""
        self._stream.close()


class Objects:
    """The object of a stream with a schema as it grows, for `for` and `async for`; each item is more than the last."""

    def __init__(self, stream: Stream[Any]) -> None:
        self._stream = stream
        self._text = ""
        self._last: Any = None

    def _grown(self, delta: Any) -> bool:
        self._text += str(delta.content)
        value = self._stream._request.reading.partial(self._text)
        if value is None or value == self._last:
            return False
        self._last = value
        return True

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        for delta in self._stream:
            if self._grown(delta):
                return self._last
        raise StopIteration

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        async for delta in self._stream:
            if self._grown(delta):
                return self._last
        raise StopAsyncIteration
