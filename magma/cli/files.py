"""Where a command's bytes go: a file that is there whole or not at all, or stdout for "-".

`check` is asked before anything is paid for; `written` is the place itself.
"""

from __future__ import annotations

import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import click

from . import output
from .failure import Failure

force = click.option("--force", is_flag=True, help="Replace a file that is there already.")

_SAME = {"audio/opus": "audio/ogg"}


def check(path: str, *, force: bool) -> None:
    """Refuses a place that cannot be written: a terminal, a folder, one that does not exist, a file unless `force`."""
    if path == "-":
        if sys.stdout.isatty():
            raise Failure("stdout is a terminal, which cannot show this: give a file with -o, or pipe it on")
        return
    shown = repr(path)[:80]
    try:
        found = os.stat(path)
    except FileNotFoundError:
        folder = os.path.dirname(os.path.realpath(path))
        if not path or path.endswith(("/", os.sep)) or not os.path.isdir(folder):
            raise Failure(f"{shown} cannot be written: give the name of a file in a folder that exists") from None
        if not os.access(folder, os.W_OK):
            raise Failure(f"{shown} cannot be written: its folder may not be written to; give another") from None
        return
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise _unwritable(path, error) from None
    if stat.S_ISDIR(found.st_mode):
        raise Failure(f"{shown} is a directory: give the name of a file in it")
    if stat.S_ISREG(found.st_mode) and not force:
        raise Failure(f"{shown} is there already: give another name, or --force to replace it")


@contextmanager
def written(path: str, *, force: bool) -> Iterator[BinaryIO]:
    """A file to write to; it gets its name at the end of the block, and is gone where that fails."""
    check(path, force=force)
    if path == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            with open(path, "wb") as device:  # a device or a pipe is written to, not replaced
                yield device
            return
        real = os.path.realpath(path)
        beside = os.path.join(os.path.dirname(real), f".magma-{secrets.token_hex(6)}")
        try:
            with open(beside, "wb") as file:
                yield file
            os.replace(beside, real)
        finally:
            if os.path.lexists(beside):
                os.unlink(beside)
    except OSError as error:
        if type(error).__module__ != "builtins" or isinstance(error, BrokenPipeError):
            raise  # a failed call, or the reader of a named pipe who left
        raise _unwritable(path, error) from None


def tell_other_type(path: str, data: bytes) -> None:
    """Tells where the bytes are of another type than the file's name says."""
    from .. import media_types

    named, seen = media_types.guess(path), media_types.sniff(data)
    if seen and named and named != "audio/pcm" and seen != _SAME.get(named, named):
        output.notice(f"{path!r:.80} holds {seen}, which is what came, not {named}", "warning")


def _unwritable(path: str, error: Exception) -> Failure:
    why = getattr(error, "strerror", None) or error
    return Failure(f"{path!r:.80} cannot be written ({why}): give another place with -o")
