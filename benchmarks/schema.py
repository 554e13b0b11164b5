"""An answer of 50 fields as a typed object with its plain data, beside `msgspec.json.decode`, which gives the plain data alone."""

from __future__ import annotations

from typing import Any, Literal

from ._measure import Figure, Run, expect, middle, tight
from ._work import Worker

KINDS: tuple[Any, ...] = (str, int, float, bool, list[str])
FIELDS = 50


def _value(number: int) -> Any:
    return (f"a few words, number {number}", number, number + 0.25, number % 2 == 0, ["one", "two", f"{number}"])[
        number % 5
    ]


def decode(library: Literal["msgspec", "pydantic"], loops: int) -> list[float]:
    """How many times as long it takes, with quartiles, and both in seconds."""
    import msgspec

    from magma.parsers.schema import schema_of

    plain = {f"field_{number}": _value(number) for number in range(FIELDS)}
    schema = schema_of(_kind(library, {name: KINDS[place % 5] for place, name in enumerate(plain)}))
    text = msgspec.json.encode(plain).decode()
    typed, data = schema.decode(text)
    expect((typed.field_7, data), (plain["field_7"], plain))
    pairs = [
        (
            tight(lambda: schema.decode(text), loops=loops, rounds=3)[0],
            tight(lambda: msgspec.json.decode(text), loops=loops, rounds=3)[0],
        )
        for _ in range(25)
    ]
    value, spread = middle([ours / bare for ours, bare in pairs])
    return [value, *spread, *(middle(list(column))[0] for column in zip(*pairs, strict=True))]


def _kind(library: str, fields: dict[str, Any]) -> Any:
    if library == "msgspec":
        import msgspec

        return msgspec.defstruct("Answer", list(fields.items()))
    import pydantic

    return pydantic.create_model("Answer", **{name: (kind, ...) for name, kind in fields.items()})  # type: ignore[call-overload]


def measure(run: Run) -> list[Figure]:
    """A Struct, for which the bound is, and a pydantic model."""
    figures = []
    with Worker() as worker:
        for library, bound in (("msgspec", 3.0), ("pydantic", None)):
            worker.do(decode, library=library, loops=10)
            value, low, high, ours, bare = worker.do(decode, library=library, loops=run.some(200, 20))
            note = f"{ours * 1e6:.3g} against {bare * 1e6:.3g} µs"
            figures.append(Figure(f"schema, {library}, {FIELDS} fields", value, "x", bound, (low, high), note))
    return figures
