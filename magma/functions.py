"""A function as a tool's schema: types from its annotations, texts from its docstring."""

from __future__ import annotations

import copy
import functools
import inspect
import re
import typing
from collections.abc import Callable
from enum import Enum
from types import FunctionType, MethodType, SimpleNamespace
from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from .errors import ConfigError
from .messages import own

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")  # what OpenAI, Anthropic and Gemini all take


def check_name(name: str, where: str) -> None:
    """Raises ConfigError for a tool's name that a provider would refuse."""
    if not NAME.fullmatch(name):
        raise ConfigError(f"{where}: the name {name!r:.80} must be 1 to 64 of a-z, A-Z, 0-9, _ and -; rename the tool")


_MADE: WeakKeyDictionary[Any, dict[bool, dict[str, Any]]] = WeakKeyDictionary()


def schema_of_function(function: Callable[..., Any]) -> dict[str, Any]:
    """A function's tool schema: types from its annotations, texts from its docstring (Google, numpy or `:param x:`).

    A default makes a parameter optional; `Annotated[T, "…"]` describes it; `**kwargs` allows any other argument;
    what a `functools.partial` binds is hidden from the model.

    >>> def get_weather(location: str, days: int = 1) -> str:
    ...     '''Weather of a place.
    ...
    ...     Args:
    ...         location: City and country.
    ...     '''
    >>> schema_of_function(get_weather)["function"]["parameters"]["properties"]
    {'location': {'type': 'string', 'description': 'City and country.'}, 'days': {'type': 'integer', 'default': 1}}

    Raises:
        ConfigError: a name, parameter or annotation that no schema can say.
    """
    bound = isinstance(function, MethodType)
    plain = function.__func__ if isinstance(function, MethodType) else function
    if not isinstance(plain, FunctionType):  # others may be neither hashable nor weakly referenced
        return _function_schema(function)
    cached = _MADE.setdefault(plain, {})
    if bound not in cached:
        cached[bound] = _function_schema(function)
    return copy.deepcopy(cached[bound])


def name_of(function: Any) -> str:
    """What a function, or the one in a `functools.partial`, is called."""
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__name__", None) or type(function).__name__)


def _function_schema(function: Any) -> dict[str, Any]:
    name = name_of(function)
    where = f"the tool {name!r:.80}"
    if isinstance(function, type) or not callable(function):
        raise ConfigError(f"{where} is no function; give a function with annotated parameters")
    if name == "<lambda>":
        raise ConfigError("a lambda has no name to call it by; write it as a function")
    check_name(name, where)
    inner, hidden = function, set[str]()
    while isinstance(inner, functools.partial):
        hidden |= set(inner.keywords)
        inner = inner.func
    text = inspect.getdoc(inner) if inspect.isroutine(inner) else None
    if not inspect.isroutine(inner):  # an object that is called: its method, else its class, says what it does
        kind, inner = type(inner), type(inner).__call__
        text = inspect.cleandoc(inner.__doc__ or "") or inspect.getdoc(kind)
    summary, texts = _docs(text or "")
    properties, required, definitions, open_ = _parameters(function, inspect.unwrap(inner), hidden, texts, where)
    parameters: dict[str, Any] = {"type": "object", "properties": properties, "required": required}
    parameters["additionalProperties"] = open_
    if definitions:
        parameters["$defs"] = definitions
    described = {"description": summary} if summary else {}
    return {"type": "function", "function": {"name": name, **described, "parameters": parameters}}


def _parameters(
    function: Any, inner: Any, hidden: set[str], texts: dict[str, str], where: str
) -> tuple[dict[str, Any], list[str], dict[str, Any], bool]:
    """Properties, required names, definitions, and whether other arguments are taken."""
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):
        raise ConfigError(f"{where} has no signature that Python can read; wrap it in a function") from None
    kinds, hints, open_ = inspect.Parameter, dict[str, Any](), False
    space = getattr(inner, "__func__", inner)
    for one in signature.parameters.values():
        if one.name in hidden:
            continue
        if one.kind in (kinds.VAR_POSITIONAL, kinds.POSITIONAL_ONLY):
            star = "*" if one.kind is kinds.VAR_POSITIONAL else ""
            raise ConfigError(f"{where}: {star}{one.name} cannot be given by name, as a model does; name the parameter")
        if not hints and one.name == "self":
            raise ConfigError(
                f"{where} is a method without its object; give the bound method, such as thing.{inner.__name__}"
            )
        if one.kind is kinds.VAR_KEYWORD:
            open_ = True
        else:
            hints[one.name] = _hint(one.annotation, space, f"{where}: {one.name}")
    properties, definitions = _types(hints, where)
    required = []
    for name, schema in properties.items():
        described = _described(hints[name]) or texts.get(name)
        if described and "description" not in schema:
            schema["description"] = described
        default = signature.parameters[name].default
        if default is kinds.empty:
            required.append(name)
            continue
        try:
            schema["default"] = own(default.value if isinstance(default, Enum) else default, name)
        except ConfigError:
            schema.pop("default", None)  # JSON cannot carry it; that the parameter is optional is said all the same
    return properties, required, definitions, open_


def _hint(annotation: Any, space: Any, where: str) -> Any:
    """The type of an annotation, strings in it resolved."""
    if annotation is inspect.Parameter.empty:
        return Any
    names = dict(inspect.getclosurevars(space).nonlocals) if isinstance(space, FunctionType) else {}
    holder = SimpleNamespace(__annotations__={"it": annotation})
    try:
        return typing.get_type_hints(holder, getattr(space, "__globals__", {}), names, include_extras=True)["it"]
    except Exception as error:  # a name that is not there, or whatever evaluating the text raises
        told = f"{type(error).__name__}: {error}"
        raise ConfigError(
            f"{where}: the annotation {annotation!r:.80} cannot be read ({told}); import its names"
        ) from None


def _described(hint: Any) -> str | None:
    """The text beside a type in `Annotated[T, "text"]`."""
    for extra in getattr(hint, "__metadata__", ()):
        text = extra if isinstance(extra, str) else getattr(extra, "documentation", getattr(extra, "description", None))
        if isinstance(text, str) and text:
            return text
    return None


def _types(hints: dict[str, Any], where: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A JSON schema per name and the definitions they share: pydantic's, or msgspec's for what pydantic does not know."""
    from pydantic import PydanticUserError, TypeAdapter

    adapters, others = {}, {}
    for name, hint in hints.items():
        try:
            adapter = TypeAdapter(hint)
            adapter.json_schema()  # some types can be validated and yet have no schema
            adapters[name] = adapter
        except (PydanticUserError, TypeError, NameError):
            others[name] = hint
    made, shared = TypeAdapter.json_schemas([(name, "validation", adapter) for name, adapter in adapters.items()])
    schemas = {name: schema for (name, _), schema in made.items()}
    definitions = dict(shared.get("$defs") or {})
    try:
        parts, more = msgspec.json.schema_components(list(others.values()), ref_template="#/$defs/{name}")
        if set(more) & set(definitions):  # the same name on both sides, and perhaps not the same type
            parts, more = msgspec.json.schema_components(list(others.values()), ref_template="#/$defs/{name}-2")
            more = {f"{name}-2": schema for name, schema in more.items()}
    except (TypeError, ValueError, NameError):
        told = ", ".join(f"{name}: {hint!r:.80}" for name, hint in others.items())
        raise ConfigError(f"{where}: there is no JSON schema for {told}; annotate with a type that JSON has") from None
    schemas |= dict(zip(others, parts, strict=True))
    definitions |= more
    definitions = {name: _untitled(schema) for name, schema in definitions.items()}
    return {name: _untitled(schemas[name]) for name in hints}, definitions


def _untitled(schema: Any) -> Any:
    """A schema without the titles that pydantic and msgspec add; properties named "title" stay."""
    if not isinstance(schema, dict):
        return [_untitled(item) for item in schema] if isinstance(schema, list) else schema
    result = {}
    for name, value in schema.items():
        if name in ("properties", "patternProperties", "$defs") and isinstance(value, dict):
            result[name] = {key: _untitled(item) for key, item in value.items()}
        elif name in ("default", "const", "enum", "examples"):
            result[name] = value
        elif name != "title" and not (name == "discriminator" and isinstance(value, dict)):
            result[name] = _untitled(value)
    return result


_SECTION = re.compile(r"(?i)(args|arguments|parameters|params|keyword args|other parameters)(:?)\s*$")
_FIELD = re.compile(r":(?:param|parameter|arg|argument)\s+(?:[^:]*\s)?\*{0,2}(\w+)\s*:\s*(.*)")


def _docs(text: str) -> tuple[str, dict[str, str]]:
    """The first paragraph of a docstring, and what it says about each parameter."""
    lines = text.expandtabs().splitlines()
    summary: list[str] = []
    for line in lines:
        if not line.strip() or _SECTION.match(line) or line.startswith(":"):
            break
        summary.append(line.strip())
    found: dict[str, list[str]] = {}
    inside, current, level = "", list[str](), 0
    for number, line in enumerate(lines):
        depth, words = len(line) - len(line.lstrip()), line.strip()
        ruled = number + 1 < len(lines) and re.fullmatch(r"\s*-{3,}\s*", lines[number + 1]) is not None
        field, section = _FIELD.match(words), _SECTION.match(line)
        if field:
            inside, level, current = "field", depth, found.setdefault(field[1], [])
            current.append(field[2])
        elif ruled or (section and section[2]):
            inside, level, current = ("numpy" if ruled else "google") if section else "", -1, []
        elif not words:
            inside = "" if inside == "field" else inside
        elif inside == "google" and depth == 0:
            inside = ""
        elif inside in ("google", "numpy") and not set(words) <= {"-"} and depth <= (depth if level < 0 else level):
            level = depth
            entry = re.match(r"\*{0,2}([\w, *]+?)\s*(?:\([^)]*\))?\s*:\s*(.*)", words)
            names, told = (entry[1], entry[2]) if entry else (words, "")
            current = [told] if inside == "google" else []
            found |= dict.fromkeys((name.strip(" *") for name in names.split(",")), current)
        elif inside and not (inside == "field" and words.startswith(":")):
            current.append(words)
    texts = {name: " ".join(filter(None, parts)) for name, parts in found.items()}
    return " ".join(summary), {name: told for name, told in texts.items() if told}
