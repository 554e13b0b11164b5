"""20 000 calls over loopback and 20 000 offline: memory, threads, files and objects stay as they are."""

from __future__ import annotations

import gc
import os
import threading

from ._measure import Figure, Run, expect, memory
from ._server import TEXT
from ._work import Worker

GROWTH = 5.0  # megabytes, with garbage collected only when Python itself decides to
LEFT = 1_000  # objects of caches and pools that fill up
SLACK = 1.0  # extra threads or files that are no leak


def calls(url: str, count: int, model_id: str) -> dict[str, float]:
    """Makes calls and says what is held: memory as it is, the rest after a collection."""
    from magma import Model

    model = Model(model_id, api_base=f"{url}/v1")
    for _ in range(count):
        expect(model(TEXT).content, TEXT)
    resident = memory()
    gc.collect()
    files = len(os.listdir("/proc/self/fd"))
    return {"memory": resident, "threads": threading.active_count(), "files": files, "objects": len(gc.get_objects())}


def measure(run: Run) -> list[Figure]:
    """What grew after the warm-up; both kinds at the same time, each on a core."""
    warm, count = run.some(2_000, 500), run.some(20_000, 600)
    with Worker() as loopback, Worker() as offline:
        sides = {"loopback": (loopback, "openai/gpt-4o"), "offline": (offline, "offline/echo")}
        told: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
        for number in (warm, count):
            for worker, model_id in sides.values():
                worker.send(calls, url=run.url, count=number, model_id=model_id)
            for name, (worker, _) in sides.items():
                told[name].append(worker.receive())
    return [figure for name, pair in told.items() for figure in _figures(name, *pair, count=count)]


def _figures(name: str, before: dict[str, float], after: dict[str, float], *, count: int) -> list[Figure]:
    grown = {what: after[what] - before[what] for what in before}
    leaks = [f"{grown[what]:.0f} more {what}" for what in ("threads", "files") if grown[what] > SLACK]
    per_thousand = f"{grown['memory'] * 1_000 / count:+.2f} MB per 1 000 calls"
    others = ", ".join(f"{grown[what]:+.0f} {what}" for what in ("threads", "files"))
    return [
        Figure(f"soak, {name}, memory growth", grown["memory"], "MB", GROWTH, note=per_thousand),
        Figure(
            f"soak, {name}, objects that a collection leaves",
            grown["objects"],
            "",
            LEFT,
            note=others,
            wrong=", ".join(leaks),
        ),
    ]
