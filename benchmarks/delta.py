"""One delta of a streamed answer, sync and async, beside iterating LiteLLM's own stream.

`burst`: the whole answer is there at once. `drip`: one delta a millisecond, as providers send them; there only CPU
time says anything.
"""

from __future__ import annotations

from collections.abc import Callable

from ._measure import Figure, Round, Run, arun, atimed, both, expect, timed

COUNT = 300
_MESSAGES = [{"role": "user", "content": "Count!"}]


def naive(url: str, count: int, kind: str) -> Round:
    """LiteLLM with its defaults."""
    import litellm

    def call() -> None:
        stream = litellm.completion(
            "openai/gpt-4o", list(_MESSAGES), temperature=0, stream=True, api_base=f"{url}/{kind}-{COUNT}/v1"
        )
        expect(sum(bool(chunk.choices[0].delta.content) for chunk in stream if chunk.choices), COUNT)

    return _per_delta(timed(call, count))


def ours(url: str, count: int, kind: str) -> Round:
    """The same through magma."""
    from magma import Model

    model = Model("openai/gpt-4o", api_base=f"{url}/{kind}-{COUNT}/v1")

    def call() -> None:
        stream = model("Count!", stream=True)
        expect(sum(bool(delta.content) for delta in stream), COUNT)

    return _per_delta(timed(call, count))


def anaive(url: str, count: int, kind: str) -> Round:
    """LiteLLM with its defaults, async."""
    import litellm

    async def call() -> None:
        stream = await litellm.acompletion(
            "openai/gpt-4o", list(_MESSAGES), temperature=0, stream=True, api_base=f"{url}/{kind}-{COUNT}/v1"
        )
        expect(sum([bool(chunk.choices[0].delta.content) async for chunk in stream if chunk.choices]), COUNT)

    return _per_delta(arun(atimed(call, count)))


def aours(url: str, count: int, kind: str) -> Round:
    """The same through magma."""
    from magma import Model

    model = Model("openai/gpt-4o", api_base=f"{url}/{kind}-{COUNT}/v1")

    async def call() -> None:
        stream = model("Count!", stream=True)
        expect(sum([bool(delta.content) async for delta in stream]), COUNT)

    return _per_delta(arun(atimed(call, count)))


def _per_delta(whole: Round) -> Round:
    return {name: value / COUNT for name, value in whole.items()}


def measure(run: Run) -> list[Figure]:
    """Whole streams divided by their deltas, so that opening one counts too."""
    sides: dict[str, dict[str, Callable[..., Round]]] = {
        "sync": {"ours": ours, "naive": naive},
        "async": {"ours": aours, "naive": anaive},
    }
    figures = []
    for word, pair in sides.items():
        for kind in ("burst", "drip"):
            rounds, count = (run.some(15, 3), run.some(4, 1)) if kind == "burst" else (run.some(9, 1), 1)
            measured = run.compare(pair, rounds=rounds, count=count, kind=kind)
            found = both(f"delta, {word}, {kind}", measured, 1.0, "µs", 1e6)
            figures += found if kind == "burst" else found[1:]
    return figures
