"""Scripted answers: a test double for code that calls magma models, without a network.

A `Script` stands in `flow.LOCAL`, where `offline/` stands too: a scripted call walks the real line (hooks, cache,
parsing, streaming), only nothing is sent. `enqueue` says what is answered, `requests` tells what was asked.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, overload

from ..errors import ModelError
from .answers import answered, checked, structured
from .recorded import Recorded, plain

if TYPE_CHECKING:
    from .._call.request import Request

__all__ = [
    "NoScriptedAnswer",
    "Recorded",
    "Script",
    "current",
    "enqueue",
    "environment",
    "no_requests",
    "requests",
    "scripted",
    "structured",
]


class NoScriptedAnswer(AssertionError):
    """A scripted model was asked more often than it has answers; no `ModelError`, so that no fallback hides it."""


class Script:
    """Answers to come and the requests that came; made by `scripted()`."""

    def __init__(self, default: Any = None) -> None:
        self.requests: list[Recorded] = []
        """Every request that was answered here, in order; a cache hit is none."""
        self._default = None if default is None else checked(default)
        self._queue: deque[Any] = deque()
        self._lock = threading.Lock()

    def enqueue(self, *answers: Any) -> None:
        """The next calls are answered with these, each one once, whatever the model.

        Args:
            answers: in order, each one of
                a str: the text, a transcript, a classifier's label, an image's URL;
                a dict `{"name", "arguments"}`: a tool call; a list of them: parallel calls;
                a list of floats: a vector (a list of them: several), or the scores of documents;
                bytes: a sound, or an image (a list of them, or of URLs: several);
                a bool: whether a text is flagged; a dict `{"flagged", "categories"}` says more (a list: several texts);
                a dict with `choices` (or `data`, `results`, `text`): the whole answer in OpenAI's shape;
                a response: that answer;
                `structured(…)`, a pydantic or msgspec object: its JSON;
                an exception or its class: raised, without retries;
                a function of the `Recorded` request that returns any of these.

        >>> from magma import Model, testing
        >>> with testing.scripted() as script:
        ...     script.enqueue({"name": "get_weather", "arguments": {"location": "Oslo"}}, "Rain.")
        ...     Model("openai/gpt-4o")("Weather in Oslo?").tool_calls[0].arguments, Model("groq/any")("So?").content
        ({'location': 'Oslo'}, 'Rain.')

        Raises:
            ConfigError: something that cannot be an answer.
        """
        self._queue.extend([checked(answer) for answer in answers])

    @property
    def left(self) -> int:
        """How many answers nobody has asked for yet."""
        return len(self._queue)

    def __enter__(self) -> Script:
        from .._call import flow

        with _changing:
            _active.append(self)
            flow.LOCAL.insert(0, self._answer)
        return self

    def __exit__(self, *_: object) -> None:
        from .._call import flow

        with _changing:
            _active.remove(self)
            flow.LOCAL.remove(self._answer)

    def __repr__(self) -> str:
        return f"<Script {len(self.requests)} asked, {self.left} left>"

    def _answer(self, asked: Request) -> dict[str, Any]:
        model = asked.model
        request = Recorded(model, plain(asked.inputs), plain(asked.params), asked.operation, asked.stream)
        with self._lock:
            self.requests.append(request)
            number = len(self.requests)
            answer = self._queue.popleft() if self._queue else self._default
        if answer is None:
            raise NoScriptedAnswer(
                f"{model} was asked {request.text[:200]!r}, but the script has no answer left after {number - 1}: "
                'script.enqueue("…") one more, or use scripted(default="…")'
            )
        while callable(answer):
            answer = checked(answer(request))
        if isinstance(answer, ModelError):
            answer.provider, answer.model = answer.provider or model.partition("/")[0], answer.model or model
        if isinstance(answer, BaseException):
            raise answer
        return answered(answer, request, asked, number)


_active: list[Script] = []
_changing = threading.Lock()


def scripted(*, default: Any = None) -> Script:
    """A script that answers every call of every model, `offline/` too, while its `with` block runs.

    It holds for the whole process: all threads and tasks. Of nested scripts the innermost answers.

    Args:
        default: the answer once nothing is enqueued any more; None makes that a `NoScriptedAnswer`.

    >>> from magma import Model, testing
    >>> with testing.scripted(default="Hello there!") as script:
    ...     Model("openai/gpt-4o", temperature=0.7)("Hi").content
    'Hello there!'
    >>> script.requests[0].messages, script.requests[0].params
    ([{'role': 'user', 'content': 'Hi'}], {'temperature': 0.7})
    """
    return Script(default)


def current() -> Script:
    """The innermost active script.

    Raises:
        RuntimeError: there is none.
    """
    if not _active:
        raise RuntimeError("no script is active: use `with magma.testing.scripted():` or the fixture magma_script")
    return _active[-1]


def enqueue(*answers: Any) -> None:
    """As `Script.enqueue`, for the script that is active."""
    current().enqueue(*answers)


class _Requests(Sequence[Recorded]):
    """The requests of the script that is active, looked up anew each time."""

    @overload
    def __getitem__(self, index: int) -> Recorded: ...
    @overload
    def __getitem__(self, index: slice) -> list[Recorded]: ...
    def __getitem__(self, index: int | slice) -> Recorded | list[Recorded]:
        return current().requests[index]

    def __len__(self) -> int:
        return len(current().requests)

    def __repr__(self) -> str:
        return repr(_active[-1].requests) if _active else "<requests of no script>"


requests: Sequence[Recorded] = _Requests()
"""The requests of the script that is active."""


@contextmanager
def no_requests() -> Iterator[None]:
    """Forbids every call that would need a network: they raise `ConfigError`; scripts, `offline/` and cassettes answer.

    It sets `MAGMA_ALLOW_REQUESTS=0`, so it holds for the whole process and the processes that it starts.

    >>> from magma import Model
    >>> with no_requests():
    ...     Model("openai/gpt-4o")("Hi")
    Traceback (most recent call last):
    magma.errors.ConfigError: MAGMA_ALLOW_REQUESTS=0 forbids asking openai/gpt-4o; ...
    """
    with environment("MAGMA_ALLOW_REQUESTS", "0"):
        yield


@contextmanager
def environment(name: str, value: str) -> Iterator[None]:
    """Sets an environment variable for a while."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before
