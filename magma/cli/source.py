"""What a command reads: stdin, or a file of text."""

from __future__ import annotations

import sys

import click


def is_piped() -> bool:
    """Whether stdin is there and no terminal."""
    return sys.stdin is not None and not sys.stdin.isatty()


def prompt(argument: str | None, what: str, example: str) -> str:
    """The argument; stdin where it is "-" or missing."""
    return text("-", what, example) if argument is None or argument == "-" else argument


def text(path: str, what: str, example: str) -> str:
    """A file's or, for "-", stdin's text without its last line's end, as a shell's $(…) would give it."""
    where = "stdin" if path == "-" else repr(path)[:80]
    read = data(what, example) if path == "-" else _file(path, where)
    try:
        return read.decode().removeprefix("\ufeff").rstrip("\r\n")
    except UnicodeDecodeError as error:
        from ..errors import ConfigError

        raise ConfigError(
            f"{where} is not UTF-8: byte {read[error.start]:#04x} at offset {error.start}; "
            "convert it first, e.g. with iconv -f LATIN1 -t UTF-8"
        ) from None


def data(what: str, example: str, most: int | None = None) -> bytes:
    """What is piped in, at most `most` bytes of it."""
    if not is_piped():
        raise click.UsageError(f"there is no {what}: give one, as in {example}, or pipe it into stdin")
    return sys.stdin.buffer.read() if most is None else sys.stdin.buffer.read(most)


def _file(path: str, where: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        from ..errors import ConfigError

        why = getattr(error, "strerror", None) or error
        raise ConfigError(f"{where} cannot be read ({why}): give a text file, or - for stdin") from None
