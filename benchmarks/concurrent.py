"""500 awaited calls at once; the server delays each answer and counts how many requests are in its hands.

Two delays: 0.5 s for the time; 6 s, longer than it takes to send all 500, for how many are in flight together.
"""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import Awaitable, Callable

from ._measure import Figure, Round, Run, arun, middle, ratio
from ._work import Worker

CALLS = 500


async def _at_once(call: Callable[[str], Awaitable[str]]) -> Round:
    texts = [f"call {number}" for number in range(CALLS)]
    began = time.perf_counter()
    answers = await asyncio.gather(*map(call, texts))
    return {"wall": time.perf_counter() - began, "right": sum(map(str.__eq__, answers, texts))}


def naive(url: str, delay: int) -> Round:
    """LiteLLM with its defaults."""
    import litellm

    async def call(text: str) -> str:
        messages = [{"role": "user", "content": text}]
        answer = await litellm.acompletion("openai/gpt-4o", messages, temperature=0, api_base=f"{url}/slow-{delay}/v1")
        return str(answer.choices[0].message.content)

    return arun(_at_once(call)) | _peak(url)


def ours(url: str, delay: int) -> Round:
    """The same through magma."""
    from magma import Model

    model = Model("openai/gpt-4o", api_base=f"{url}/slow-{delay}/v1")

    async def call(text: str) -> str:
        return str((await model.acall(text)).content)

    return arun(_at_once(call)) | _peak(url)


def _peak(url: str) -> Round:
    """The most requests that the server had in its hands since it was last asked."""
    with urllib.request.urlopen(f"{url}/reset", timeout=10) as answer:
        return {"peak": json.load(answer)["peak"]}


def measure(run: Run) -> list[Figure]:
    """Time beside LiteLLM's, and what the server saw."""
    sides = {"ours": ours, "naive": naive}
    measured = run.compare(sides, rounds=run.some(7, 1), delay=500)
    value, spread = ratio(measured, "wall")
    walls = {name: middle([one["wall"] for one in rounds])[0] for name, rounds in measured.items()}
    right = min(one["right"] for one in measured["ours"])
    wrong = "" if right == CALLS else f"{CALLS - right:.0f} of {CALLS} answers are wrong"
    with Worker() as worker:
        peak = worker.do(ours, url=run.url, delay=run.some(6_000, 3_000))["peak"]
    return [
        Figure("concurrent, right answers", right, "", CALLS, least=True, wrong=wrong),
        Figure("concurrent, in flight together", peak, "", CALLS, least=True),
        Figure("concurrent, wall", value, "x", None, spread, f"{walls['ours']:.2g} against {walls['naive']:.2g} s"),
    ]
