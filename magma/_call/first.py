"""The first outcome of several sources that were begun: how requests of one call run side by side in one caller."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence

from .engine import ERROR, RESULT, Item, Source
from .waiting import parking_place


class FirstOf:
    """A source whose item is `(place, item)` of whichever of these has one first; they are left as they are."""

    __slots__ = ("_sources",)

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources

    def take(self) -> Item:
        """The next item; blocks this thread, Ctrl-C interrupts it."""
        while (found := self._pop()) is None:
            parked = threading.Lock()
            parked.acquire()
            if (found := self._await(parked.release)) is not None:
                return found
            if not parked.acquire(timeout=self._patience()):
                return self._overdue()
        return found

    async def atake(self) -> Item:
        """The next item; suspends this task, on asyncio's or trio's loop."""
        while (found := self._pop()) is None:
            wait, wake = parking_place(self._patience())
            if (found := self._await(wake)) is not None:
                return found
            if not await wait():
                return self._overdue()
        return found

    def cancel(self) -> None:
        """Nothing to end: the sources belong to the walk."""

    def _pop(self) -> Item | None:
        for place, source in enumerate(self._sources):
            item = source._pop()
            if item is not None:
                return (RESULT, (place, item))
        return None

    def _await(self, wake: Callable[[], object]) -> Item | None:
        """Has every source call `wake`, which only its first call does; an item that came in between."""
        again = threading.Lock()

        def once() -> None:
            if again.acquire(blocking=False):
                with contextlib.suppress(RuntimeError):  # the caller's loop is closed
                    wake()

        for source in self._sources:
            source._wake = once
        return self._pop()

    def _patience(self) -> float:
        """Seconds to wait for a loop that should have ended one of the jobs long ago; -1 is for ever."""
        known = [patience for source in self._sources if (patience := source._patience()) >= 0]
        return min(known, default=-1)

    def _overdue(self) -> Item:
        patience = [source._patience() if source._patience() >= 0 else float("inf") for source in self._sources]
        place = patience.index(min(patience))
        late = self._sources[place]
        late.cancel()
        return (RESULT, (place, (ERROR, late.overdue())))
