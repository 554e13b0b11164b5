"""How a task waits for another thread, on asyncio's loop and on trio's; nothing else here differs between the two."""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

Wait: TypeAlias = Callable[[], Coroutine[Any, Any, bool]]


def parking_place(patience: float) -> tuple[Wait, Callable[[], object]]:
    """How the running task waits (False: in vain, after `patience` seconds), and how another thread wakes it."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return _trio_parking_place(patience)
    future: asyncio.Future[bool] = loop.create_future()

    async def wait() -> bool:
        timer = None if patience < 0 else loop.call_later(patience, _settle, future, False)
        try:
            return await future
        finally:
            if timer is not None:
                timer.cancel()

    def wake() -> None:
        try:
            loop.call_soon_threadsafe(_settle, future, True)
        except RuntimeError:  # the caller's loop was closed meanwhile: nobody waits any more
            pass

    return wait, wake


def _settle(future: asyncio.Future[bool], woken: bool) -> None:
    if not future.done():
        future.set_result(woken)


def _trio_parking_place(patience: float) -> tuple[Wait, Callable[[], object]]:
    trio: Any = sys.modules.get("trio")
    if trio is None:
        raise RuntimeError("an async call needs a running event loop, asyncio's or trio's")
    event, token = trio.Event(), trio.lowlevel.current_trio_token()

    async def wait() -> bool:
        with trio.move_on_after(math.inf if patience < 0 else patience):
            await event.wait()
        return bool(event.is_set())

    def wake() -> None:
        try:
            token.run_sync_soon(event.set)
        except trio.RunFinishedError:
            pass

    return wait, wake


def in_async() -> bool:
    """Whether this thread runs an event loop, which a waiting sync call would block."""
    if asyncio._get_running_loop() is not None:
        return True
    trio: Any = sys.modules.get("trio")
    try:
        return trio is not None and trio.lowlevel.current_task() is not None
    except RuntimeError:
        return False
