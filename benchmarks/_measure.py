"""Figures, and how rounds of two sides become one: A B A B …, the median of the rounds' ratios, and its quartiles."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any, TypeVar

from ._work import Server, Worker

DRAIN = 0.05  # seconds after a round in which work left to threads ends; its CPU counts, its wall time does not

Round = dict[str, float]
T = TypeVar("T")


@dataclass(frozen=True)
class Figure:
    """A row of the table."""

    name: str
    measured: float
    unit: str = "x"
    bound: float | None = None
    """The largest good value; `least` turns it into the smallest."""
    spread: tuple[float, float] | None = None
    """Lower and upper quartile of the rounds."""
    note: str = ""
    least: bool = False
    wrong: str = ""
    """What must never be: makes the exit code 1."""

    @property
    def verdict(self) -> str:
        """ok, over, WRONG, or nothing where there is no bound."""
        if self.wrong:
            return "WRONG"
        if self.bound is None:
            return ""
        return "ok" if (self.measured >= self.bound if self.least else self.measured <= self.bound) else "over"


class Run:
    """What every benchmark is given: the server, how much to do, and in a quick run the two workers that all share."""

    def __init__(self, server: Server, *, quick: bool) -> None:
        self.server, self.url, self.quick = server, server.url, quick
        self._shared: dict[str, Worker] = {}

    def some(self, full: int, quick: int) -> int:
        """A count."""
        return quick if self.quick else full

    def compare(
        self, sides: dict[str, Callable[..., Round]], *, rounds: int, pairs: int = 1, **arguments: Any
    ) -> dict[str, list[Round]]:
        """Rounds of each side, interleaved, each side in a worker of its own; `pairs` times with fresh processes.

        The order within a round alternates. The first round of each process warms up and is not counted.
        """
        measured: dict[str, list[Round]] = {name: [] for name in sides}
        for _ in range(1 if self.quick else pairs):
            workers = {name: self._shared.get(name) or Worker() for name in sides}
            try:
                for name, worker in workers.items():  # together: both import, each on a core
                    worker.send(sides[name], **arguments, url=self.url)
                for worker in workers.values():
                    worker.receive()
                for number in range(rounds):
                    for name in list(sides)[:: 1 if number % 2 else -1]:
                        measured[name].append(workers[name].do(sides[name], **arguments, url=self.url))
            except BaseException:
                self._end(workers)
                raise
            if self.quick:
                self._shared = workers
            else:
                self._end(workers)
        return measured

    def close(self) -> None:
        """Ends the shared workers."""
        self._end(self._shared)

    def _end(self, workers: dict[str, Worker]) -> None:
        for worker in workers.values():
            worker.close()
        self._shared = {}


def ratio(measured: dict[str, list[Round]], key: str) -> tuple[float, tuple[float, float]]:
    """Median and quartiles of the rounds' ratios."""
    return middle([a[key] / b[key] for a, b in zip(measured["ours"], measured["naive"], strict=True)])


def middle(values: Sequence[float]) -> tuple[float, tuple[float, float]]:
    """Median and quartiles."""
    if len(values) < 2:
        return values[0], (values[0], values[0])
    low, _, high = quantiles(values, n=4)
    return median(values), (low, high)


def both(
    name: str, measured: dict[str, list[Round]], bound: float, unit: str = "ms", scale: float = 1e3
) -> list[Figure]:
    """Two rows: the ratio of wall time and of CPU time, with the absolute figures beside them."""
    figures = []
    for key, word in (("wall", "wall"), ("cpu", "CPU")):
        if key not in measured["ours"][0]:
            continue
        value, spread = ratio(measured, key)
        ours, naive = (median(one[key] for one in measured[side]) * scale for side in ("ours", "naive"))
        note = f"{ours:.3g} against {naive:.3g} {unit}"
        figures.append(Figure(f"{name}, {word}", value, "x", bound, spread, note))
    return figures


# --- in a worker ------------------------------------------------------------------------------------------


def timed(call: Callable[[], object], count: int) -> Round:
    """Median wall time of `count` calls and CPU time per call, of all threads, what they leave behind included."""
    walls = []
    cpu = time.process_time()
    for _ in range(count):
        began = time.perf_counter()
        call()
        walls.append(time.perf_counter() - began)
    time.sleep(DRAIN)
    return {"wall": median(walls), "cpu": (time.process_time() - cpu) / count}


async def atimed(call: Callable[[], Awaitable[object]], count: int) -> Round:
    """As `timed`."""
    walls = []
    cpu = time.process_time()
    for _ in range(count):
        began = time.perf_counter()
        await call()
        walls.append(time.perf_counter() - began)
    await asyncio.sleep(DRAIN)
    return {"wall": median(walls), "cpu": (time.process_time() - cpu) / count}


def tight(call: Callable[[], object], *, loops: int = 200, rounds: int = 25) -> tuple[float, tuple[float, float]]:
    """Seconds per call, for calls too short to be timed one by one: median and quartiles of the rounds' means."""
    means = []
    for _ in range(rounds):
        began = time.perf_counter()
        for _ in range(loops):
            call()
        means.append((time.perf_counter() - began) / loops)
    return middle(means)


_runner: list[asyncio.Runner] = []


def arun(main: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine on this worker's one loop, which stays between rounds."""
    if not _runner:
        _runner.append(asyncio.Runner())
    return _runner[0].run(main)


def expect(got: object, wanted: object) -> None:
    """Raises where an answer is not the right one."""
    if got != wanted:
        raise AssertionError(f"wrong answer: {got!r:.80} instead of {wanted!r:.80}")


# --- the process as the kernel sees it --------------------------------------------------------------------


def sockets(url: str) -> int:
    """How many connections of this process to the server are established."""
    port = f":{int(url.rsplit(':', 1)[1]):04X}"
    mine = set()
    for fd in os.listdir("/proc/self/fd"):
        try:
            mine.add(os.readlink(f"/proc/self/fd/{fd}"))
        except OSError:
            continue
    with open("/proc/self/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table][1:]
    return sum(row[3] == "01" and row[2].endswith(port) and f"socket:[{row[9]}]" in mine for row in rows)


def memory() -> float:
    """Resident megabytes."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
