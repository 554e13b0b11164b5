"""100 texts to vectors of 1 536 numbers, sync and async, beside `litellm.embedding` and `litellm.aembedding`.

Magma asks for base64, LiteLLM for lists of numbers; the server has both prepared and gives what it is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ._measure import Figure, Round, Run, arun, atimed, both, expect, timed
from ._server import DIMENSIONS

INPUTS = 100
_ID = "openai/text-embedding-3-small"
_TEXTS = [f"text number {number}" for number in range(INPUTS)]


def _check(vectors: Sequence[Sequence[float]]) -> None:
    expect((len(vectors), len(vectors[0])), (INPUTS, DIMENSIONS))
    expect(round(vectors[INPUTS - 1][7], 6), round(math.sin((INPUTS - 1) * DIMENSIONS + 7) / 40, 6))


def naive(url: str, count: int) -> Round:
    """LiteLLM with its defaults."""
    import litellm

    def call() -> None:
        answer = litellm.embedding(_ID, list(_TEXTS), api_base=f"{url}/vectors-{INPUTS}/v1")
        _check([item["embedding"] for item in answer.data])

    return timed(call, count)


def ours(url: str, count: int) -> Round:
    """The same through magma."""
    from magma import Embedder

    embedder = Embedder(_ID, api_base=f"{url}/vectors-{INPUTS}/v1")
    return timed(lambda: _check(embedder(_TEXTS).content), count)


def anaive(url: str, count: int) -> Round:
    """LiteLLM with its defaults, async."""
    import litellm

    async def call() -> None:
        answer = await litellm.aembedding(_ID, list(_TEXTS), api_base=f"{url}/vectors-{INPUTS}/v1")
        _check([item["embedding"] for item in answer.data])

    return arun(atimed(call, count))


def aours(url: str, count: int) -> Round:
    """The same through magma."""
    from magma import Embedder

    embedder = Embedder(_ID, api_base=f"{url}/vectors-{INPUTS}/v1")

    async def call() -> None:
        _check((await embedder.acall(_TEXTS)).content)

    return arun(atimed(call, count))


def measure(run: Run) -> list[Figure]:
    """Wall and CPU."""
    sides: dict[str, dict[str, Callable[..., Round]]] = {
        "sync": {"ours": ours, "naive": naive},
        "async": {"ours": aours, "naive": anaive},
    }
    figures = []
    for word, pair in sides.items():
        measured = run.compare(pair, rounds=run.some(9, 2), count=run.some(4, 2))
        figures += both(f"embed, {word}", measured, 0.07)
    return figures
