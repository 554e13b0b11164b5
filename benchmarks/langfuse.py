"""A LangFuse span for a call, and what the mere possibility costs where the variables are not set.

Spans go to the loopback server, which takes anything. A span is the difference between offline calls of two
processes, one with the variables. The check is the difference, in one process, to a line whose environment is an
empty dict.
"""

from __future__ import annotations

import time
from typing import Any

from ._measure import Figure, Run, middle, tight
from ._work import Worker


def call(loops: int, rounds: int) -> list[float]:
    """Seconds an offline call: wall (lower quartile, median) and CPU with what the exporter's thread does."""
    from magma import Model

    model = Model("offline/echo")
    cpu = time.process_time()
    value, spread = tight(lambda: model("Say hi!"), loops=loops, rounds=rounds)
    time.sleep(0.2)
    return [spread[0], value, (time.process_time() - cpu) / (loops * rounds)]


def check(loops: int, rounds: int) -> float:
    """Seconds that an offline call spends on looking for the variables: the least of rounds with, less without."""
    from magma import Model
    from magma._call import flow as line

    flow: Any = line
    model = Model("offline/echo")
    least: dict[bool, float] = {}
    real = flow.is_traced
    for number in range(rounds):
        for looks in (True, False) if number % 2 else (False, True):
            flow.is_traced = real if looks else lambda: False
            value, _ = tight(lambda: model("Say hi!"), loops=loops, rounds=1)
            least[looks] = min(value, least.get(looks, value))
    flow.is_traced = real
    return least[True] - least[False]


def measure(run: Run) -> list[Figure]:
    """Rounds of both processes, interleaved."""
    variables = {"LANGFUSE_PUBLIC_KEY": "pk-lf-loopback", "LANGFUSE_SECRET_KEY": "sk-lf-loopback"}
    walls, cpus = [], []
    before = run.server.stats()["requests"]
    with Worker(**variables, LANGFUSE_BASE_URL=run.url) as traced, Worker() as plain:
        for worker in (traced, plain):
            worker.do(call, loops=50, rounds=1)
        for _ in range(run.some(11, 4)):
            one, other = (worker.do(call, loops=50, rounds=5) for worker in (traced, plain))
            walls.append(one[1] - other[1])
            cpus.append(one[2] - other[2])
        looking = plain.do(check, loops=100, rounds=run.some(60, 20))
    sent = run.server.stats()["requests"] - before
    wrong = "" if sent else "no span has reached the server"
    wall, (low, high) = middle(walls)
    note = f"CPU {middle(cpus)[0] * 1e6:.0f} µs with the exporter's thread; {sent} exports"
    return [
        Figure("langfuse, one span", wall * 1e6, "µs", 200, (low * 1e6, high * 1e6), note, wrong=wrong),
        Figure("langfuse, without its variables", looking * 1e6, "µs", 2),
    ]
