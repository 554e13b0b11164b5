"""One blocking call, beside `litellm.completion`."""

from __future__ import annotations

from ._measure import Figure, Round, Run, both, expect, timed
from ._server import TEXT


def naive(url: str, count: int) -> Round:
    """LiteLLM with its defaults."""
    import litellm

    def call() -> None:
        messages = [{"role": "user", "content": "Say hi!"}]
        answer = litellm.completion("openai/gpt-4o", messages, temperature=0, api_base=f"{url}/v1")
        expect(answer.choices[0].message.content, TEXT)

    return timed(call, count)


def ours(url: str, count: int) -> Round:
    """The same through magma."""
    from magma import Model

    model = Model("openai/gpt-4o", api_base=f"{url}/v1")
    return timed(lambda: expect(model("Say hi!").content, TEXT), count)


def measure(run: Run) -> list[Figure]:
    """Wall and CPU."""
    sides = {"ours": ours, "naive": naive}
    rounds, pairs = run.some(15, 5), run.some(3, 1)
    return both("call", run.compare(sides, rounds=rounds, pairs=pairs, count=run.some(60, 30)), 1.10)
