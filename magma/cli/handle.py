"""The handle that a command asks: the options that say which one, and what its response warns of."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from . import output

if TYPE_CHECKING:
    from ..model._base import Handle
    from ..responses import Response

H = TypeVar("H", bound="Handle")
Decorator = Callable[[Any], Any]


def options(variable: str, default: str = "offline/echo") -> Decorator:
    """`-m` and `-p`, which every command that asks a model takes, as `id` and `params`."""

    def decorate(command: Any) -> Any:
        return _id(variable, default)(_params(command))

    return decorate


def _id(variable: str, default: str) -> Decorator:
    told = f'"provider/name"; default: {variable}, else {default}.'
    return click.option("-m", "--model", "id", metavar="ID", help=told)


_params = click.option(
    *("-p", "--param", "params"),
    metavar="KEY=VALUE",
    multiple=True,
    help="A parameter, e.g. temperature=0.2; VALUE is JSON or text. Repeatable. Keys are better set in the environment.",
)

as_json = click.option("--json", "as_json", is_flag=True, help="Print the whole response as JSON.")


def parameters(kind: type[Handle], params: tuple[str, ...], elsewhere: Mapping[str, str]) -> dict[str, Any]:
    """What the -p options say, by name; `elsewhere` names those that another option gives."""
    found: dict[str, Any] = {}
    for param in params:
        name, equals, text = param.partition("=")
        name = name.strip()
        if not equals or not name:
            raise click.BadParameter("must be KEY=VALUE, e.g. temperature=0.2", param_hint="-p")
        if name in elsewhere:
            raise click.BadParameter(f"{name} is no parameter: use {elsewhere[name]}", param_hint="-p")
        found[name] = _value(kind, name, text)
    return found


def _value(kind: type[Handle], name: str, text: str) -> Any:
    """What a parameter's text means: for a field the same as in its variable, else JSON where it is JSON."""
    from ..model._settle import from_text

    if name in kind.fields:
        return from_text(name, text, f"-p {name}")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def made(kind: type[H], id: str | None, fields: dict[str, Any], *, does: str, real: str, keyed: bool = True) -> H:
    """The handle that was asked for, else the environment's, else a default one, which is told.

    The default is `real`, an OpenAI model, where OPENAI_API_KEY is set and `keyed`; else the offline one, which `does`.
    """
    from ..errors import ConfigError
    from ..model._explain import problem_of
    from ..model._settle import variable_of

    variable = variable_of(kind, "id")
    if id is None and not os.environ.get(variable):
        if keyed and os.environ.get("OPENAI_API_KEY"):
            id = real
            output.notice(f"{id} answers, as OPENAI_API_KEY is set; choose another with -m or {variable}")
        else:
            id = "offline/echo"
            output.notice(
                f"{id} answers, the embedded offline model that only {does}; choose a real one with "
                f"-m PROVIDER/NAME (e.g. -m {real}) or {variable}"
            )
    elif id is None and (problem := problem_of(kind, "id")):
        raise ConfigError(problem)
    return kind(id, **fields)  # type: ignore[call-arg]


def given(**fields: Any) -> dict[str, Any]:
    """The options that were given; the others are left to the environment."""
    return {name: value for name, value in fields.items() if value is not None and value != ()}


def warn(response: Response) -> None:
    """Tells what was done differently from what was asked."""
    for warning in response.warnings:
        output.notice(warning, "warning")
