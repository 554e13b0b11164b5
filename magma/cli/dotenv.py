"""The `.env` of the working directory, as the commands read it: what is wrong with it is one warning."""

from __future__ import annotations

import os

from ..environment import add, read_env
from . import output


def read(path: str = ".env") -> list[str]:
    """Adds the file's variables to the environment, which wins; gives the names that were added."""
    if not os.path.isfile(path):  # a folder of that name is somebody's virtual environment
        return []
    values, problem = read_env(path)
    if problem and not values:
        output.notice(f"{path} is not used: {problem}", "warning")
    elif problem:
        output.notice(f"{path}: {problem}; every line must be NAME=value", "warning")
    return add(values)
