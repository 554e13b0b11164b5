"""Where all I/O happens: one private event loop in a daemon thread, which owns every socket.

A `Job` is one coroutine on that loop and the items that come out of it, in order: any number of
deltas, then one result or one error. Callers wait for items in their own thread (`take`) or task
(`atake`, asyncio or trio). Nothing here knows requests or LiteLLM. The engine starts with the first
call and is made anew after a fork: a child never touches its parent's loop or sockets.
"""

from __future__ import annotations

import asyncio
import atexit
import gc
import os
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any, TypeAlias

from ..errors import ConnectionError, ModelError, TimeoutError
from .inline import InlineExecutor
from .waiting import parking_place

Item: TypeAlias = tuple[str, Any]
Work: TypeAlias = "Callable[[Job], Coroutine[Any, Any, Any]]"

DELTA, RESULT, ERROR = "delta", "result", "error"
PATIENCE = 0.25  # share of its time by which a call may outlast its deadline when the loop itself is stuck
LAST_STEP = 2.0  # seconds that the interpreter's end waits for the loop to finish what it is in the middle of
HIGH_WATER = 1024  # deltas waiting for their consumer before the provider is read no further


class Job:
    """A coroutine on the engine's loop, and the items that came out of it."""

    __slots__ = (
        "__weakref__",
        "_drained",
        "_items",
        "_loop",
        "_task",
        "_timer",
        "_wake",
        "bound",
        "closed",
        "fallback",
        "overdue",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, bound: float | None, overdue: Callable[[], Exception]) -> None:
        self._loop = loop
        self._items: deque[Item] = deque()
        self._wake: Callable[[], object] | None = None
        self._task: asyncio.Task[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._drained: asyncio.Event | None = None
        self.bound = bound
        self.overdue = overdue
        self.fallback: Any = None  # the result when the bound passes, where that is no error
        self.closed = False

    # Called in the engine's thread.

    def _start(self, work: Work) -> None:
        if self.closed:
            return
        self._task = self._loop.create_task(self._run(work))
        self._watch()

    async def _run(self, work: Work) -> None:
        try:
            result = await work(self)
        except ModelError as error:
            self._end((ERROR, error.with_traceback(None)))  # the frames below hold what the provider echoed
        except Exception as error:
            self._end((ERROR, error))
        except asyncio.CancelledError:
            self._end((ERROR, ConnectionError("the call was cancelled inside the engine")))
            raise
        else:
            self._end((RESULT, result))

    def _watch(self) -> None:
        """Keeps one timer on `bound`; who moves `bound` later pays nothing, the timer looks again when it fires."""
        if self.closed or self.bound is None:
            self._timer = None
        elif self.bound <= self._loop.time():
            task, self._timer = self._task, None
            self._end((ERROR, self.overdue()) if self.fallback is None else (RESULT, self.fallback))
            if task is not None:
                task.cancel()
        else:
            self._timer = self._loop.call_at(self.bound, self._watch)

    def expect(self, bound: float | None) -> None:
        """The next item must come before `bound` (monotonic clock), else the job ends with `overdue()`."""
        earlier = bound is not None and (self._timer is None or bound < self._timer.when())
        self.bound = bound
        if earlier:
            if self._timer is not None:
                self._timer.cancel()
            self._watch()

    async def give(self, delta: Any) -> None:
        """Hands a delta to the caller; waits while the caller is far behind, with the clock stopped."""
        self._put((DELTA, delta))
        if len(self._items) >= HIGH_WATER and not self.closed:
            bound, self.bound = self.bound, None
            self._drained = asyncio.Event()
            if len(self._items) >= HIGH_WATER:
                await self._drained.wait()
            self._drained = None
            self.expect(bound and max(bound, self._loop.time() + 1.0))

    def _put(self, item: Item) -> None:
        if self.closed:
            return
        self._items.append(item)
        wake, self._wake = self._wake, None
        if wake is not None:
            wake()

    def _end(self, item: Item) -> None:
        self._put(item)
        self.closed = True
        self._task = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # Called in the caller's thread or task.

    def _pop(self) -> Item | None:
        try:
            item = self._items.popleft()
        except IndexError:
            return None
        drained = self._drained
        if drained is not None and len(self._items) < HIGH_WATER // 2:
            self._loop.call_soon_threadsafe(drained.set)
        return item

    def take(self) -> Item:
        """The next item; blocks this thread, Ctrl-C interrupts it."""
        while (item := self._pop()) is None:
            parked = threading.Lock()
            parked.acquire()
            self._wake = parked.release
            if self._items:  # it came between the look and the parking
                self._wake = None
                continue
            if not parked.acquire(timeout=self._patience()):
                self.cancel()
                return (ERROR, self.overdue())
        return item

    async def atake(self) -> Item:
        """The next item; suspends this task, on asyncio's or trio's loop."""
        while (item := self._pop()) is None:
            wait, wake = parking_place(self._patience())
            self._wake = wake
            if self._items:
                self._wake = None
                continue
            if not await wait():
                self.cancel()
                return (ERROR, self.overdue())
        return item

    def _patience(self) -> float:
        """Seconds to wait for a loop that should have ended the job long ago; -1 is for ever."""
        if self.bound is None:
            return -1
        left = max(self.bound - self._loop.time(), 0.0)
        return min(left * (1 + PATIENCE) + 1.0, threading.TIMEOUT_MAX)

    def cancel(self) -> None:
        """Ends the job from any thread, even from a finaliser: only hands the task to the loop, takes no lock."""
        if not self.closed:
            self.later(self._cancel)

    def later(self, action: Callable[[], object]) -> None:
        """Has the loop do this soon."""
        try:
            self._loop.call_soon_threadsafe(action)
        except RuntimeError:  # the loop is closed: the interpreter is going down
            pass

    def _cancel(self) -> None:
        task = self._task
        self._end((ERROR, ConnectionError("the call was cancelled")))
        if task is not None:
            task.cancel()


class Ready:
    """Items that are there already: what a `Job` is to the network, this is to the cache and `offline/`."""

    __slots__ = ("_items", "_wake")

    def __init__(self, *items: Item) -> None:
        self._items = deque(items)
        self._wake: Callable[[], object] | None = None  # nobody has to wait for it

    def _pop(self) -> Item | None:
        return self._items.popleft() if self._items else None

    def _patience(self) -> float:
        return -1

    def overdue(self) -> Exception:
        """Never asked for: what is there is never late."""
        return _late()

    def take(self) -> Item:
        """The next item."""
        return self._items.popleft()

    async def atake(self) -> Item:
        """The next item."""
        return self._items.popleft()

    def cancel(self) -> None:
        """Nothing to end."""


Source: TypeAlias = Job | Ready


def _late() -> Exception:
    return TimeoutError("not done in time")


class Engine:
    """The private loop and its thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.loop.set_debug(False)  # under -X dev too: what is slow on it is LiteLLM's, not the host's to see
        self.loop.set_default_executor(InlineExecutor())
        self.loop.set_exception_handler(lambda loop, context: None)  # what nobody waits for any more is nobody's error
        self.thread = threading.Thread(target=self.loop.run_forever, name="magma-engine", daemon=True)
        self.thread.start()

    def start(self, work: Work, *, bound: float | None = None, overdue: Callable[[], Exception] | None = None) -> Job:
        """Runs `work(job)` on the loop, in a copy of the caller's context; it must end before `bound`."""
        job = Job(self.loop, bound, overdue or _late)
        self.loop.call_soon_threadsafe(job._start, work, context=copy_context())
        return job


_engine: Engine | None = None
_starting = threading.Lock()
_left_behind: list[Engine] = []  # parents' engines: never collected, so that no finaliser closes a parent's sockets


def engine() -> Engine:
    """The engine of this process, started on first use."""
    global _engine
    if _engine is None:
        with _starting:
            if _engine is None:
                _engine = Engine()
    return _engine


def _after_fork() -> None:
    global _engine, _starting
    if _engine is not None:
        _left_behind.append(_engine)
    _engine, _starting = None, threading.Lock()


def _at_exit() -> None:
    gc.freeze()  # LiteLLM's million objects need no last collection: exiting takes 0.05 s instead of 0.75 s
    if _engine is not None:
        # A thread that still runs when the interpreter is torn down is unwound by force, which aborts the process
        # where it stands in native code (an SSL or JSON extension): let it come to its end first.
        _engine.loop.call_soon_threadsafe(_engine.loop.stop)
        _engine.thread.join(LAST_STEP)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
