"""The `.env` of the working directory."""

from __future__ import annotations

import logging
import os
import re

from . import output


def read(path: str = ".env") -> list[str]:
    """Adds the file's variables to the environment, which wins; gives the names that were added.

    What cannot be read of it is one warning on stderr.
    """
    if not os.path.isfile(path):  # a folder of that name is somebody's virtual environment
        return []
    try:
        values, problem = _parsed(path)
    except (OSError, UnicodeDecodeError) as error:
        reason = (
            f"byte {error.object[error.start]:#04x} at offset {error.start} is not UTF-8"
            if isinstance(error, UnicodeDecodeError)
            else error.strerror
        )
        output.notice(f"{path} is not used: {reason}", "warning")
        return []
    added = []
    for name, value in values.items():
        if value is None or name in os.environ:
            continue
        if "\0" in name + value:
            problem = problem or f"{name} holds a NUL character"
            continue
        os.environ[name] = value
        added.append(name)
    if problem:
        output.notice(f"{path}: {problem}; every line must be NAME=value", "warning")
    return added


class _Complaints(logging.Handler):
    """What python-dotenv logs about lines that it cannot parse."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines += re.findall(r"line (\d+)", record.getMessage())


def _parsed(path: str) -> tuple[dict[str, str | None], str | None]:
    """The values of the file, and which lines of it are none."""
    import dotenv

    complaints, logger = _Complaints(), logging.getLogger("dotenv.main")
    propagated, logger.propagate = logger.propagate, False
    logger.addHandler(complaints)
    try:
        values = dict(dotenv.dotenv_values(path, encoding="utf-8-sig"))
    finally:
        logger.removeHandler(complaints)
        logger.propagate = propagated
    lines = complaints.lines
    return values, f"line{'s'[: len(lines) > 1]} {', '.join(lines)} cannot be read" if lines else None
