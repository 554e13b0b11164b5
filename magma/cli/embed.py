"""`magma embed`: texts to vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from . import handle, output, source
from .failure import Failure

if TYPE_CHECKING:
    from ..vectors import Embedding

_DEFAULT = "openai/text-embedding-3-small"
_EXAMPLE = 'magma embed "Hello"'


@click.command("embed")
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@handle.options("MAGMA_EMBEDDER_DEFAULT_ID", f"{_DEFAULT} where OPENAI_API_KEY is set, else offline/echo")
@click.option("--input", "path", metavar="FILE", help='A file with one text a line; "-" is stdin.')
@click.option("--dimensions", type=int, metavar="N", help="Length of the vectors, where the model has several.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with vectors, usage, cost and model.")
def command(
    *,
    texts: tuple[str, ...],
    id: str | None,
    params: tuple[str, ...],
    path: str | None,
    dimensions: int | None,
    as_json: bool,
) -> None:
    """Turns texts into vectors and prints one JSON array of numbers a line.

    Each TEXT is one; without any, or with "-", each line of stdin.
    """
    from ..model.embed import Embedder

    given = _texts(texts, path)
    fields = handle.parameters(
        Embedder, params, {"id": "-m", "model": "-m", "input": "TEXT", "dimensions": "--dimensions"}
    )
    fields |= handle.given(dimensions=dimensions)
    embedder = handle.made(Embedder, id, fields, does="makes vectors of your words", real=_DEFAULT)
    response = embedder(given)
    if as_json:
        output.line(_plain(response))
    else:
        for vector in response.content:
            output.line(vector)
    handle.warn(response)


def _texts(texts: tuple[str, ...], path: str | None) -> list[str]:
    """The arguments, or the lines of a file or stdin."""
    if texts and path is not None:
        raise click.UsageError("TEXT and --input are both given: give one")
    if texts and texts != ("-",):
        return list(texts)
    path = "-" if path is None else path
    lines = [line.removesuffix("\r") for line in source.text(path, "text", _EXAMPLE).split("\n")]
    where = "stdin" if path == "-" else f"{path!r:.80}"
    if lines == [""]:
        raise Failure(f"{where} is empty: there is no text to embed")
    for number, line in enumerate(lines, start=1):
        if not line.strip():  # leaving it out would shift all vectors behind it
            raise Failure(f"line {number} of {where} is empty and has no vector: take empty lines out first")
    return lines


def _plain(response: Embedding) -> dict[str, Any]:
    import msgspec

    return {
        "model": response.model,
        "vectors": response.content,
        "usage": msgspec.to_builtins(response.usage),
        "cost": None if response.cost is None else float(response.cost),
        "cost_reason": response.cost_reason,
        "warnings": response.warnings,
    }
