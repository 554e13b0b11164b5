"""Why each field of a handle has the value that it has: what `magma config explain` and `magma doctor` print."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from typing import Any

from pydantic import SecretStr

from ..errors import ConfigError, is_secret_name, masked, redact
from ._base import Handle
from ._settle import MAPPINGS, from_text, settle, variable_of


@dataclass(frozen=True, slots=True)
class Explained:
    """One field: its value, and where the value comes from."""

    name: str
    """The field."""
    value: Any
    """As the handle holds it; as it was written where it cannot be used; None for an id that nobody gave."""
    source: str
    """`default`, `environment MAGMA_MODEL_DEFAULT_…` or `argument`."""
    problem: str | None = None
    """Why the value cannot be used, in a sentence that names its variable; else None."""

    @property
    def shown(self) -> str:
        """The value as text, its secrets masked."""
        if self.name == "id" and self.value is None:
            return "unset"
        return redact(masked(self.name, _hidden(self)))

    @property
    def plain(self) -> Any:
        """The value as data for JSON, its secrets masked."""
        return _plain(self.name, _hidden(self))


def explain(cls: type[Handle], **given: Any) -> list[Explained]:
    """The fields of a handle made with these keywords in this environment, in their order.

    >>> from magma import Model
    >>> [row.source for row in explain(Model, id="openai/gpt-4o", temperature=0.2)][:3]
    ['argument', 'argument', 'default']

    Raises:
        ConfigError: a keyword that cannot be one. A value that cannot be used is told in its row instead.
    """
    names = cls.fields
    broken = {name: told for name in names if name not in given and (told := problem_of(cls, name))}
    values, variables = settle(cls, {**{name: default_of(cls, name) for name in broken}, **given})
    rows = []
    for name in names:
        variable = variable_of(cls, name)
        if name in broken:
            rows.append(Explained(name, os.environ[variable], f"environment {variable}", broken[name]))
        elif name in variables:
            rows.append(Explained(name, values[name], f"environment {variable}"))
        elif name in values:
            rows.append(Explained(name, values[name], "argument", _refusal(cls, name, values[name])))
        else:
            rows.append(Explained(name, default_of(cls, name), "default"))
    return rows


def problem_of(cls: type[Handle], name: str) -> str | None:
    """Why the variable that gives a field its default cannot be used; None if it can, or is not set.

    Each variable is judged alone, so that one bad value does not hide the next.
    """
    variable = variable_of(cls, name)
    text = os.environ.get(variable)
    if text is None:
        return None
    no_mapping = f"{variable} must be a JSON object such as {{}}"  # without its text, which may hold secrets
    try:
        value = from_text(name, text, variable)
    except (ConfigError, RecursionError):
        return no_mapping if name in MAPPINGS else f"{variable} cannot be read"
    if name in MAPPINGS and not isinstance(value, (dict, type(None))):
        return no_mapping
    refusal = _refusal(cls, name, value)
    return None if refusal is None else f"{variable}: {refusal}"


def misspelt(cls: type[Handle]) -> dict[str, str]:
    """Variables that look like this type's defaults but name no field -> a sentence that says so."""
    prefix = variable_of(cls, "")
    names = cls.fields
    known = [variable_of(cls, name) for name in names]
    told = {}
    for variable in sorted(os.environ):
        if variable.startswith(prefix) and variable not in known:
            near = difflib.get_close_matches(variable.removeprefix(prefix).lower(), names, n=1)
            hint = (
                f"did you mean {near[0]}, {variable_of(cls, near[0])}?"
                if near
                else "`magma config explain` lists the fields"
            )
            told[variable] = f"{variable} is ignored: {cls.__name__} has no such field; {hint}"
    return told


def default_of(cls: type[Handle], name: str) -> Any:
    """The class's own default of a field; None where it has none."""
    default = cls.fields[name].default
    if default is MISSING:
        return None
    factory = getattr(default, "default_factory", None)
    return default if factory is None else factory()


def _refusal(cls: type[Handle], name: str, value: Any) -> str | None:
    """What the type says against a value; every other field is given its default, so the environment has no say."""
    others = {field: default_of(cls, field) for field in cls.fields}
    make: Any = cls
    try:
        make(**{**others, "id": "offline/echo", name: value})
    except ConfigError as error:
        return redact(str(error))
    return None


def _hidden(row: Explained) -> Any:
    """The value, unless it is the text of a mapping that could not be read and may hold secrets."""
    return "***" if row.problem and row.name in MAPPINGS else row.value


def _plain(name: str, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, SecretStr) or is_secret_name(name):
        return "***"
    if isinstance(value, Mapping):
        return {key: _plain(str(key), item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain("", item) for item in value]
    if isinstance(value, (bool, int, float)):
        return value
    return redact(value if isinstance(value, str) else masked(name, value))
