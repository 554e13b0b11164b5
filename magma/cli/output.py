"""Where a command's words go: what was asked for to stdout, notices to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click

_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n\r"} | {
    13: None
}


def text(words: str) -> None:
    """Writes a piece of an answer, at once; a terminal gets no control sequence that a model made up."""
    shown = words.translate(_CONTROLS) if sys.stdout.isatty() else words
    click.echo(shown, nl=False, color=True)  # True: a file or pipe gets the answer as it is


def line(data: Any) -> None:
    """Writes plain data as JSON in one line."""
    unicode = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"
    click.echo(json.dumps(data, ensure_ascii=not unicode, default=str), color=True)


def table(rows: Iterable[Sequence[str]], indent: str = "") -> None:
    """Writes rows in aligned columns."""
    cells = [[cell.translate(_CONTROLS) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo((indent + "  ".join(padded)).rstrip())


def notice(words: str, kind: str = "note") -> None:
    """Writes one line to stderr: `magma: note: …`."""
    click.echo(f"magma: {kind}: {one_line(words)}", err=True)


def one_line(words: str) -> str:
    """`words` without line breaks and control characters."""
    return " ".join(words.split()).translate(_CONTROLS)
