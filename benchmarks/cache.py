"""A hit of the cache, with making its key: in memory and in an sqlite file."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ._measure import Figure, Run, tight
from ._work import Worker


def hit(loops: int, path: str | None, whole: bool) -> list[float]:
    """Seconds for key and hit, or for a whole call that hits."""
    from magma import Cache, Model

    cache = Cache(path)
    model = Model("offline/echo", cache=cache)
    text = "Say hi! " * 20
    assert model(text).content == text
    request = model._request(
        model._inputs(text, system_prompt=None, tools=None, tool_choice=None, response_format=None)
    )

    def lookup() -> None:
        assert cache.get(request.fingerprint()) is not None

    def call() -> None:
        assert model(text).cached

    value, spread = tight(call if whole else lookup, loops=loops)
    return [value, *spread]


def measure(run: Run) -> list[Figure]:
    """Key and hit alone, then the whole call."""
    figures = []
    with tempfile.TemporaryDirectory() as folder, Worker() as worker:
        for where, path in (("memory", None), ("sqlite", str(Path(folder, "cache.db")))):
            for what, whole in (("key and hit", False), ("whole call", True)):
                worker.do(hit, loops=10, path=path, whole=whole)
                value, low, high = worker.do(hit, loops=run.some(200, 50), path=path, whole=whole)
                bound = 40.0 if where == "memory" and not whole else None
                figures.append(Figure(f"cache, {where}, {what}", value * 1e6, "µs", bound, (low * 1e6, high * 1e6)))
    return figures
