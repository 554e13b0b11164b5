"""Variables of the environment: `set_envs(OPENAI_API_KEY=…)`, and the `.env` of a folder."""

from __future__ import annotations

import logging
import os
import re

from .errors import ConfigError, is_secret_name


def set_envs(**variables: str | None) -> None:
    """Sets variables of this process, such as providers' keys; None takes one away.

    >>> set_envs(MAGMA_EXAMPLE="1")
    >>> os.environ.pop("MAGMA_EXAMPLE")
    '1'

    Raises:
        ConfigError: a value that is no text; none is set then.
    """
    for name, value in variables.items():
        if value is not None and (not isinstance(value, str) or "\0" in value):
            shown = "a value" if is_secret_name(name) else f"{value!r:.40}"
            raise ConfigError(f"{name} must be a str without NUL, or None; not {shown} ({type(value).__name__})")
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def load_env(path: str | os.PathLike[str] = ".env") -> list[str]:
    """Adds the variables of a `.env` file to the environment, which wins; gives the names that were added.

    Without such a file in the working directory nothing happens; a path of your own must be there.

    Raises:
        ConfigError: a file that is missing or cannot be read, or lines that are not NAME=value; nothing is set then.
    """
    path = os.fspath(path)
    if not os.path.isfile(path):
        if path == ".env":
            return []
        raise ConfigError(f"{path} does not exist, or is no file")
    values, problem = read_env(path)
    if problem:
        raise ConfigError(f"{path}: {problem}; every line must be NAME=value")
    return add(values)


def add(values: dict[str, str]) -> list[str]:
    """Sets the variables that are not there yet; their names."""
    added = [name for name in values if name not in os.environ]
    os.environ.update({name: values[name] for name in added})
    return added


def read_env(path: str) -> tuple[dict[str, str], str | None]:
    """The variables of a `.env` file, and what of it cannot be read."""
    try:
        values, problem = _parsed(path)
    except UnicodeDecodeError as error:
        return {}, f"byte {error.object[error.start]:#04x} at offset {error.start} is not UTF-8"
    except OSError as error:
        return {}, f"it cannot be read: {error.strerror}"
    good = {name: value for name, value in values.items() if value is not None and "\0" not in name + value}
    broken = next((name for name, value in values.items() if value is not None and name not in good), None)
    return good, problem or (f"{broken} holds a NUL character" if broken is not None else None)


class _Complaints(logging.Handler):
    """What python-dotenv logs about lines that it cannot parse."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines += re.findall(r"line (\d+)", record.getMessage())


def _parsed(path: str) -> tuple[dict[str, str | None], str | None]:
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
