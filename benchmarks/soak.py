"""20 000 calls over loopback and 20 000 offline: memory, threads, files and objects stay as they are."""

from __future__ import annotations

import gc
import os
import threading

from ._measure import Figure, Run, expect, memory
from ._server import TEXT
from ._work import Worker

GROWTH = 5.0  # megabytes; LiteLLM's own pools and caches fill up in the first thousands
SLACK = 1.0  # extra threads or files that are no leak


def calls(url: str, count: int, model_id: str) -> dict[str, float]:
    """Makes calls, collecting garbage now and then (LiteLLM's HTTP objects are cycles), and says what is held."""
    from magma import Model

    model = Model(model_id, api_base=f"{url}/v1")
    for number in range(count):
        expect(model(TEXT).content, TEXT)
        if number % 1_000 == 0:
            gc.collect()
    gc.collect()
    files = len(os.listdir("/proc/self/fd"))
    return {"memory": memory(), "threads": threading.active_count(), "files": files, "objects": len(gc.get_objects())}


def measure(run: Run) -> list[Figure]:
    """What grew after the warm-up."""
    figures = []
    warm, count = run.some(2_000, 500), run.some(20_000, 1_000)
    for where, model_id in (("loopback", "openai/gpt-4o"), ("offline", "offline/echo")):
        with Worker() as worker:
            before = worker.do(calls, url=run.url, count=warm, model_id=model_id)
            after = worker.do(calls, url=run.url, count=count, model_id=model_id)
        grown = {name: after[name] - before[name] for name in before}
        leaks = [f"{grown[name]:.0f} more {name}" for name in ("threads", "files") if grown[name] > SLACK]
        note = ", ".join(f"{grown[name]:+.0f} {name}" for name in ("threads", "files", "objects"))
        note = f"{grown['memory'] * 1_000 / count:+.2f} MB per 1 000 calls; {note}"
        figures.append(
            Figure(f"soak, {where}, growth", grown["memory"], "MB", GROWTH, note=note, wrong=", ".join(leaks))
        )
    return figures
