"""The libraries that know types: each compiles one into its JSON schema and a codec.

A codec takes JSON text and returns the typed object and its plain form; text that is JSON but does not fit
raises `MisfitError`. msgspec does what it can (it is fast and names the place), pydantic its own types and what
msgspec cannot. JSON schemas that are given as dicts are `given.py`'s.
"""

from __future__ import annotations

import dataclasses
import enum
import math
import re
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import msgspec

from ..errors import ConfigError
from .json import read, short

Codec: TypeAlias = Callable[[str | bytes], tuple[Any, Any]]

ALLOWED = (
    "a pydantic model, msgspec Struct, dataclass, TypedDict, Enum, Literal[…], a union of these, "
    "list[…], dict[str, …], int, str, float, bool, or a JSON schema as a dict"
)
_CONTAINERS = (list, dict, tuple, set, frozenset)
_PLACE = re.compile(r"^(.*?)(?: - at `(?:key in )?\$?(.*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_MISSING = object()


class Plan(NamedTuple):
    """Everything about a type except the type itself, so that remembering it keeps no class alive."""

    name: str
    description: str | None
    sent: bytes  # JSON: each caller gets a dict of its own
    strict: bool
    wrapped: bool
    source: dict[str, Any] | None  # the type's own JSON schema, where nulls have to be dropped
    codec: Callable[[Any], Codec]


class MisfitError(ValueError):
    """JSON that does not fit: the place as `.age` or `[0].name`, and the reason."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(where, reason)
        self.where, self.reason = where, reason

    def __str__(self) -> str:
        return f"${self.where[-200:]}: {self.reason if len(self.reason) <= 300 else self.reason[:299] + '…'}"


def compiled(kind: Any) -> tuple[dict[str, Any], Callable[[Any], Codec]]:
    """The JSON schema of a type, and the factory of its codec.

    Raises:
        ConfigError: a type that is not one of `ALLOWED`, or that no library can handle.
    """
    _check(kind)
    parts = list(_parts(kind, {}))
    if not any(_is_pydantic(part) for part in parts):
        try:
            return _msgspec_schema(kind, parts), msgspec_codec
        except Exception as error:
            if any(_is_struct(part) for part in parts):
                hint = " (a union of Structs needs tag=True on each of them)" if "union" in str(error) else ""
                raise ConfigError(f"{_shown(kind)} has no JSON schema: {error!s:.300}{hint}") from None
    try:
        return _pydantic_schema(kind), pydantic_codec
    except Exception as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        if any(_is_struct(part) for part in parts):
            reason = "msgspec Structs and pydantic types cannot be mixed"
        raise ConfigError(f"{_shown(kind)} has no JSON schema: {reason:.300}") from None


def _shown(kind: Any) -> str:
    return kind.__qualname__[-80:] if isinstance(kind, type) and not typing.get_args(kind) else f"{kind!r:.80}"


def _check(kind: Any) -> None:
    """Refuses what is no type of an answer, also in brackets."""
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        _check(kind.__origin__)
    elif origin in (typing.Union, types.UnionType) or origin in _CONTAINERS:
        for argument in typing.get_args(kind):
            if argument not in (type(None), ..., Any):
                _check(argument)
    elif origin is None and not _is_kind(kind):
        hint = f"; give the class {type(kind).__name__}, not an object of it" if _is_model(type(kind)) else ""
        raise ConfigError(f"{_shown(kind)} is no schema{hint}: give {ALLOWED}")
    elif origin is not None and origin is not typing.Literal:
        _check(origin)  # a generic class of the caller's


def _parts(kind: Any, seen: dict[int, Any]) -> Iterator[Any]:
    """All types and metadata that `kind` is made of, fields included."""
    if id(kind) in seen:
        return
    seen[id(kind)] = kind
    yield kind
    if typing.get_origin(kind) is not typing.Literal:
        for argument in typing.get_args(kind):
            yield from _parts(argument, seen)
    cls = typing.get_origin(kind) or kind
    if _is_struct(cls) or dataclasses.is_dataclass(cls) or is_typed_dict(cls):
        try:
            hints = typing.get_type_hints(cls, include_extras=True)
        except Exception:  # an unknown name: the library that reads the type says so better
            hints = {}
        for hint in hints.values():
            yield from _parts(hint, seen)


def _is_kind(kind: Any) -> bool:
    # members such as dates are fine too: both libraries read them from text
    return isinstance(kind, type) and (
        kind in (int, str, float, bool) or _is_model(kind) or kind.__module__ in ("datetime", "decimal", "uuid")
    )


def _is_model(kind: type) -> bool:
    return (
        _is_struct(kind)
        or dataclasses.is_dataclass(kind)
        or (issubclass(kind, enum.Enum) and kind.__module__ != "enum")
        or is_typed_dict(kind)
        or _is_pydantic(kind)
    )


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _is_pydantic(part: Any) -> bool:
    """A model, a pydantic dataclass, or metadata such as `Field(gt=0)`."""
    home = type(part).__module__.partition(".")[0]
    return hasattr(part, "__pydantic_fields__") or (
        home in ("pydantic", "annotated_types") and not isinstance(part, type)
    )


def is_typed_dict(kind: Any) -> bool:
    """Whether `kind` is a TypedDict, of `typing` or of `typing_extensions`."""
    return isinstance(kind, type) and issubclass(kind, dict) and hasattr(kind, "__total__")


def _msgspec_schema(kind: Any, parts: list[Any]) -> dict[str, Any]:
    msgspec.json.Decoder(kind)  # refuses some types that have a JSON schema
    (schema,), definitions = msgspec.json.schema_components((kind,), ref_template="#/$defs/{name}")
    for part in filter(is_typed_dict, parts):
        node = definitions.get(part.__name__)
        if node and node.get("properties", {}).keys() == part.__annotations__.keys():
            order = list(part.__annotations__)  # msgspec sorts them; models write them in the order they are shown
            node["properties"] = {name: node["properties"][name] for name in order}
            node["required"] = [name for name in order if name in node["required"]]
    return {**schema, "$defs": definitions} if definitions else dict(schema)


def _pydantic_schema(kind: Any) -> dict[str, Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind).json_schema()


def msgspec_codec(kind: Any) -> Codec:
    """The codec of a type that msgspec knows."""
    decode = msgspec.json.Decoder(kind).decode
    plain: Callable[..., Any] = msgspec.to_builtins
    if any(_is_tuple(part) for part in _parts(kind, {})):
        plain = _through_json
    order = list(kind.__annotations__) if is_typed_dict(kind) else None
    incomplete = any(_has_defaults(part) for part in _parts(kind, {}))

    def codec(text: str | bytes) -> tuple[Any, Any]:
        try:
            typed = decode(text)
        except msgspec.ValidationError as error:
            raise _misfit(str(error), text) from None
        if order is not None:
            typed = {name: typed[name] for name in order if name in typed}
        if incomplete:
            _complete(typed)
        return typed, plain(typed, str_keys=True)

    return codec


def _is_tuple(part: Any) -> bool:
    cls: Any = typing.get_origin(part) or part
    config = getattr(cls, "__struct_config__", None)
    return (isinstance(cls, type) and issubclass(cls, tuple)) or (config is not None and config.array_like)


def _through_json(value: Any, **_: Any) -> Any:
    """The plain form where `to_builtins` would leave tuples, which JSON does not know."""
    return read(msgspec.json.encode(value))


def _has_defaults(part: Any) -> bool:
    cls = typing.get_origin(part) or part
    return dataclasses.is_dataclass(cls) and any(
        field.default is not dataclasses.MISSING for field in dataclasses.fields(cls)
    )


def _complete(value: Any) -> None:
    """Writes the defaults of dataclasses into the objects: msgspec leaves them to the class, and then out of the plain form."""
    if isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            _complete(item)
    elif isinstance(value, dict):
        _complete(list(value.values()))
    elif isinstance(value, msgspec.Struct):
        _complete([getattr(value, name) for name in value.__struct_fields__])
    elif dataclasses.is_dataclass(value):
        own: dict[str, Any] = getattr(value, "__dict__", {})  # none with slots, which are always filled
        for field in dataclasses.fields(value):
            own.setdefault(field.name, getattr(value, field.name))
            _complete(own[field.name])


def _misfit(message: str, text: str | bytes) -> MisfitError:
    match = _PLACE.match(message)
    reason, where = (match[1], match[2] or "") if match else (message, "")
    reason = (reason[:1].lower() + reason[1:]).replace("`", "")
    value = _at(text, where) if ", got " in reason else _MISSING
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        reason = f"{reason} {short(value)}"
    return MisfitError(where, reason)


def _at(text: str | bytes, where: str) -> Any:
    """The value at a place such as `.a[0].b`."""
    try:
        value = read(text)
        rest = _STEP.sub("", where)
        for name, index in [] if rest else _STEP.findall(where):
            value = value[name] if name else value[int(index)]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return _MISSING
    return _MISSING if rest else value


def pydantic_codec(kind: Any) -> Codec:
    """The codec of a type that pydantic knows; a model's own configuration decides."""
    from pydantic import TypeAdapter, ValidationError

    adapter = TypeAdapter(kind)
    flat = _is_flat(kind)

    def codec(text: str | bytes) -> tuple[Any, Any]:
        if not flat:
            read(text)  # pydantic takes NaN, Infinity and numbers out of range, which JSON does not know
        try:
            typed = adapter.validate_json(text)
        except ValidationError as error:
            raise _pydantic_misfit(error) from None
        if not flat:
            return typed, adapter.dump_python(typed, mode="json", by_alias=True, warnings=False)
        plain = dict(typed.__dict__)
        for name, value in plain.items():
            if value.__class__ is float and not math.isfinite(value):
                raise MisfitError(f".{name}", "number out of range")
        return typed, plain

    return codec


_SCALARS = (str, int, float, bool, type(None))


def _is_flat(kind: Any) -> bool:
    """Whether a model's own dict is its plain form already: fields of plain JSON values, nothing that writes them otherwise."""
    fields = getattr(kind, "__pydantic_fields__", None)
    if fields is None or not hasattr(kind, "model_config") or kind.model_config.get("extra") == "allow":
        return False
    if any(field.alias or field.serialization_alias or field.validation_alias for field in fields.values()):
        return False
    decorators = kind.__pydantic_decorators__
    if decorators.field_serializers or decorators.model_serializers or decorators.computed_fields:
        return False
    return all(
        argument in _SCALARS
        for field in fields.values()
        for argument in (typing.get_args(field.annotation) if _is_union(field.annotation) else (field.annotation,))
    )


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)


def _pydantic_misfit(error: Any) -> MisfitError:
    first = error.errors(include_url=False, include_context=False)[0]
    where = "".join(f"[{step}]" if isinstance(step, int) else f".{step:.60}" for step in first["loc"])
    reason, value = first["msg"], first["input"]
    reason = reason[:1].lower() + reason[1:]
    if not isinstance(value, (dict, list)):
        reason = f"{reason:.200}, got {type(value).__name__} {short(value)}"
    return MisfitError(where, reason)


def clean(name: str) -> str:
    """`name` as providers take it: `^[A-Za-z0-9_-]{1,64}$`."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_")[:64] or "answer"
