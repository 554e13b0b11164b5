"""Magma's own share of a call and of a delta, shown by the offline provider, and the hop to the engine and back."""

from __future__ import annotations

from typing import Any

from ._measure import Figure, Run, arun, middle, tight
from ._work import Worker

WORDS = 2_000


def call(loops: int) -> list[float]:
    """Seconds a call."""
    from magma import Model

    model = Model("offline/echo")
    return _told(tight(lambda: model("Say hi!"), loops=loops))


def acall(loops: int) -> list[float]:
    """Seconds an awaited call."""
    from magma import Model

    model = Model("offline/echo")

    async def many() -> None:
        for _ in range(loops):
            await model.acall("Say hi!")

    value, spread = tight(lambda: arun(many()), loops=1)
    return [value / loops, spread[0] / loops, spread[1] / loops]


def delta(loops: int) -> list[float]:
    """Seconds a delta of a long answer."""
    from magma import Model

    model, text = Model("offline/echo"), " ".join(["word"] * WORDS)

    def stream() -> None:
        assert sum(1 for _ in model(text, stream=True)) == WORDS

    value, spread = tight(stream, loops=max(loops // 100, 1))
    return [value / WORDS, spread[0] / WORDS, spread[1] / WORDS]


def hop(loops: int) -> list[float]:
    """Seconds for a coroutine that does nothing, there and back, blocking."""
    from magma._call.engine import RESULT, engine

    async def nothing(job: Any) -> None: ...

    def there_and_back() -> None:
        assert engine().start(nothing).take()[0] == RESULT

    return _told(tight(there_and_back, loops=loops))


def ahop(loops: int) -> list[float]:
    """The same awaited."""
    from magma._call.engine import engine

    async def nothing(job: Any) -> None: ...

    async def many() -> None:
        for _ in range(loops):
            await engine().start(nothing).atake()

    value, spread = tight(lambda: arun(many()), loops=1)
    return [value / loops, spread[0] / loops, spread[1] / loops]


def _told(found: tuple[float, tuple[float, float]]) -> list[float]:
    return [found[0], *found[1]]


def measure(run: Run) -> list[Figure]:
    """In fresh processes; the middle one of three (one process's memory layout moves such figures by a tenth)."""
    figures = []
    wanted = (
        ("own, call", call, 60.0),
        ("own, acall", acall, 60.0),
        ("own, delta", delta, 8.0),
        ("own, engine hop, sync", hop, None),
        ("own, engine hop, async", ahop, None),
    )
    found: dict[str, list[list[float]]] = {}
    for _ in range(run.some(3, 1)):
        with Worker() as worker:
            for name, function, _bound in wanted:
                worker.do(function, loops=20)
                found.setdefault(name, []).append(worker.do(function, loops=200))
    for name, _function, bound in wanted:
        value, low, high = (middle([one[column] for one in found[name]])[0] * 1e6 for column in range(3))
        figures.append(Figure(name, value, "µs", bound, (low, high)))
    return figures
