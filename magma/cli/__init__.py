"""The command line: `magma chat`, `embed`, `models`, `config explain`, `doctor`, …; also `python -m magma`.

A command's answer goes to stdout and everything else to stderr. Nothing is imported up here, so that Ctrl-C works from
the first moment; the commands are in `group`, one file each beside it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

__all__ = ["main"]

INTERRUPTED = 130
"""Exit code after Ctrl-C, as a shell counts it: 128 + SIGINT."""
BROKEN_PIPE = 141
"""Exit code when nobody reads stdout any more: 128 + SIGPIPE."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and ends the process: 0 done, 1 failed, 2 misused, 130 Ctrl-C, 141 nobody reads stdout."""
    try:
        from .group import run

        code = run(arguments)
        if code != INTERRUPTED:
            code = _flushed(code)
    except KeyboardInterrupt:
        code = INTERRUPTED
    if code == INTERRUPTED:
        os._exit(code)  # LiteLLM's import and exit handlers, or a full pipe, would keep the user waiting
    sys.exit(code)


def _flushed(code: int) -> int:
    """The exit code once all is written; what cannot be written is dropped, else Python complains at its exit."""
    for stream in (sys.stdout, sys.stderr):
        if stream is None:
            continue
        try:
            stream.flush()
        except (OSError, ValueError):
            code = code or 1
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return code
