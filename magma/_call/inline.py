"""An executor that runs LiteLLM's own preparation of a request in place.

`litellm.acompletion` sends its (pure, 0.3 ms) preparation through the loop's default executor; on our
private loop the two thread switches cost more than the work. Everything else (name resolution, boto3's
credentials, blocking streams) really goes to a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

OPENAI_LIKE = frozenset(
    {"openai", "hosted_vllm", "azure", "groq", "deepseek", "openrouter", "together_ai", "xai", "fireworks_ai"}
)
"""Providers that speak OpenAI's wire; preparing for them does no I/O: no credentials to fetch, no images to download."""

_ASYNC_MARKS = ("acompletion", "aembedding")
P = ParamSpec("P")
T = TypeVar("T")


class Once(Coroutine[Any, Any, Any]):
    """A coroutine that is closed when nobody awaits it (its task was cancelled before), instead of complaining."""

    def __init__(self, inner: Coroutine[Any, Any, Any]) -> None:
        self._inner = inner

    def send(self, value: Any) -> Any:
        """As a coroutine's."""
        return self._inner.send(value)

    def throw(self, *error: Any) -> Any:
        """As a coroutine's."""
        return self._inner.throw(*error)

    def close(self) -> None:
        """As a coroutine's."""
        self._inner.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._inner.__await__()

    def __del__(self) -> None:
        self._inner.close()


class InlineExecutor(ThreadPoolExecutor):
    """A thread pool that runs a prepared LiteLLM call at once, in the caller's thread."""

    def __init__(self) -> None:
        super().__init__(max_workers=64, thread_name_prefix="magma-blocking")

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """As `ThreadPoolExecutor.submit`."""
        if not _is_preparation(fn):
            return super().submit(fn, *args, **kwargs)
        future: Future[Any] = Future()
        try:
            result: Any = fn(*args, **kwargs)
            future.set_result(Once(result) if isinstance(result, Coroutine) else result)
        except Exception as error:
            future.set_exception(error)
        return future


def _is_preparation(fn: Any) -> bool:
    """Whether `fn` is `partial(context.run, partial(litellm.completion, acompletion=True, …))`, or an embedding's."""
    inner = fn.args[0] if isinstance(fn, partial) and len(fn.args) == 1 else None
    if not isinstance(inner, partial) or not any(inner.keywords.get(name) is True for name in _ASYNC_MARKS):
        return False
    return str(inner.keywords.get("model")).partition("/")[0] in OPENAI_LIKE
