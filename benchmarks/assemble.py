"""100 deltas of tool calls put together, and the calls read out of the whole."""

from __future__ import annotations

from typing import Any

from ._measure import Figure, Run, expect, tight
from ._work import Worker

DELTAS = 100


def _chunks(calls: int) -> list[dict[str, Any]]:
    """`calls` calls side by side, their arguments in pieces of a few characters, as OpenAI streams them."""
    each = DELTAS // calls
    pieces = ['{"text": "', *(f"word{number} " for number in range(each - 2)), '"}']
    parts = []
    for place, piece in enumerate(pieces):
        for index in range(calls):
            head = {"id": f"call_{index}", "type": "function"} if place == 0 else {}
            function = {"name": "write", "arguments": piece} if place == 0 else {"arguments": piece}
            parts.append({"index": index, **head, "function": function})
    return [
        {
            "id": "1",
            "model": "gpt-4o",
            "choices": [{"index": 0, "delta": {"tool_calls": [part]}, "finish_reason": None}],
        }
        for part in parts
    ]


def assemble(calls: int, loops: int) -> list[float]:
    """Seconds for all."""
    from magma._call.assemble import Assembly
    from magma.tools import read_calls

    chunks = _chunks(calls)
    expect(len(chunks), DELTAS)

    def whole() -> Any:
        assembly = Assembly()
        for chunk in chunks:
            assembly.add(chunk)
        return read_calls(assembly.answer().body["choices"][0]["message"]["tool_calls"])

    told = whole()
    expect([call.id for call in told], [f"call_{index}" for index in range(calls)])
    expect({len(call.arguments["text"].split()) for call in told}, {DELTAS // calls - 2})
    value, spread = tight(whole, loops=loops)
    return [value, *spread]


def measure(run: Run) -> list[Figure]:
    """All of one call, and of five calls side by side."""
    figures = []
    with Worker() as worker:
        for calls in (1, 5):
            worker.do(assemble, calls=calls, loops=10)
            value, low, high = (1e6 * seconds for seconds in worker.do(assemble, calls=calls, loops=run.some(100, 20)))
            name = f"assemble, {DELTAS} deltas of {calls} tool call{'s'[: calls > 1]}"
            figures.append(Figure(name, value, "µs", 300.0, (low, high)))
    return figures
