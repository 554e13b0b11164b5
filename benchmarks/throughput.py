"""64 awaited calls in flight at any time: calls a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from ._measure import DRAIN, Figure, Round, Run, arun, expect, middle, ratio
from ._server import TEXT

IN_FLIGHT = 64


async def _many(call: Callable[[], Awaitable[str]], count: int) -> Round:
    left = iter(range(count))

    async def one_after_the_other() -> None:
        for _ in left:
            expect(await call(), TEXT)

    cpu, began = time.process_time(), time.perf_counter()
    await asyncio.gather(*(one_after_the_other() for _ in range(IN_FLIGHT)))
    wall = time.perf_counter() - began
    await asyncio.sleep(DRAIN)
    return {"rate": count / wall, "cpu": (time.process_time() - cpu) / count}


def naive(url: str, count: int) -> Round:
    """LiteLLM with its defaults."""
    import litellm

    async def call() -> str:
        messages = [{"role": "user", "content": "Say hi!"}]
        answer = await litellm.acompletion("openai/gpt-4o", messages, temperature=0, api_base=f"{url}/v1")
        return str(answer.choices[0].message.content)

    return arun(_many(call, count))


def ours(url: str, count: int) -> Round:
    """The same through magma."""
    from magma import Model

    model = Model("openai/gpt-4o", api_base=f"{url}/v1")

    async def call() -> str:
        return str((await model.acall("Say hi!")).content)

    return arun(_many(call, count))


def measure(run: Run) -> list[Figure]:
    """Calls a second, and the ratio."""
    sides = {"ours": ours, "naive": naive}
    measured = run.compare(sides, rounds=run.some(9, 3), pairs=run.some(2, 1), count=run.some(640, 192))
    value, spread = ratio(measured, "rate")
    rates = {name: middle([one["rate"] for one in rounds])[0] for name, rounds in measured.items()}
    note = f"{rates['ours']:.0f} against {rates['naive']:.0f} calls/s"
    return [Figure(f"throughput, {IN_FLIGHT} in flight", value, "x", 1 / 1.10, spread, note, least=True)]
