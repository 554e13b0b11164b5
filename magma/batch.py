"""One handle over many inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

from .errors import ConfigError

T = TypeVar("T")


def map_gather(
    handle: Callable[..., T],
    args_list: Sequence[Sequence[Any]] | None = None,
    kwargs_list: Sequence[Mapping[str, Any]] | None = None,
    *,
    concurrency: int = 16,
) -> list[T]:
    """Calls a handle (any callable) once per entry, several at once; the results in the order of the entries.

    Args:
        handle: what to call.
        args_list: positional arguments of each call, e.g. `[("Hello",), ("World",)]`.
        kwargs_list: keyword arguments of each call; with `args_list`, as many.
        concurrency: how many calls run at once.

    >>> from magma import Embedder
    >>> embedder = Embedder("offline/echo", dimensions=2)
    >>> [len(response.consume()) for response in map_gather(embedder, args_list=[("Hello",), ("World",)])]
    [2, 2]

    Raises:
        ConfigError: nothing to call, lists of different lengths, entries that are no arguments.
        Exception: the first error, in the order of the entries; calls that have not begun are not made.
    """
    if not callable(handle):
        raise ConfigError(f"handle must be callable, such as a Model; not {handle!r:.80}")
    if isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 1:
        raise ConfigError(f"concurrency must be a whole number above 0, not {concurrency!r:.40}")
    entries = _entries(args_list, kwargs_list)
    if not entries:
        return []
    pool = ThreadPoolExecutor(max_workers=min(concurrency, len(entries)), thread_name_prefix="map-gather")
    try:
        futures = [pool.submit(copy_context().run, handle, *args, **kwargs) for args, kwargs in entries]
        return [future.result() for future in futures]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _entries(args_list: Any, kwargs_list: Any) -> list[tuple[Sequence[Any], Mapping[str, Any]]]:
    if args_list is None and kwargs_list is None:
        raise ConfigError("give args_list=[(…,), …] or kwargs_list=[{…}, …]")
    for name, given in (("args_list", args_list), ("kwargs_list", kwargs_list)):
        if given is not None and (isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Sequence)):
            raise ConfigError(f"{name} must be a list with one entry a call, not {type(given).__name__}")
    count = len(kwargs_list if args_list is None else args_list)
    args_list = [()] * count if args_list is None else args_list
    kwargs_list = [{}] * count if kwargs_list is None else kwargs_list
    if len(args_list) != len(kwargs_list):
        raise ConfigError(
            f"args_list has {len(args_list)} entries, kwargs_list {len(kwargs_list)}: give as many of both"
        )
    for place, (args, kwargs) in enumerate(zip(args_list, kwargs_list, strict=True)):
        if isinstance(args, (str, bytes, Mapping)) or not isinstance(args, Sequence):
            raise ConfigError(f"args_list[{place}] must be a tuple of arguments such as ('Hello',), not {args!r:.40}")
        if not isinstance(kwargs, Mapping):
            raise ConfigError(f"kwargs_list[{place}] must be a dict of arguments, not {kwargs!r:.40}")
    return list(zip(args_list, kwargs_list, strict=True))
