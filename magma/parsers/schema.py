"""A Python type <-> JSON schema: what is sent to the model, and how its answer becomes a typed object.

`schema_of` compiles a type once. What is sent satisfies OpenAI's strict mode wherever the type allows it;
what comes back is validated by the library that knows the type, whatever the provider promised.
"""

from __future__ import annotations

import inspect
import re
import threading
import types
import typing
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ..messages import own
from .codec import Codec, MisfitError, Plan, clean, compiled
from .given import plan_of
from .json import extract, read
from .strict import any_optional, drop_nulls, resolve, strict_form

MAX_KEPT = 256
"""How many JSON schemas (dicts) and bracketed types (`list[int]`) are remembered; classes live as long as they do."""


class Schema:
    """What is sent for a type, and the way back; made by `schema_of`.

    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Person:
    ...     name: str
    ...     age: int = 18
    >>> schema = schema_of(Person)
    >>> schema.json_schema["properties"]["age"]
    {'anyOf': [{'type': 'integer'}, {'type': 'null'}]}
    >>> schema.decode('{"name": "Alice", "age": null}')[1]
    {'name': 'Alice', 'age': 18}
    """

    __slots__ = ("__weakref__", "_codec", "_kind", "_plan")
    _kind: Any
    _plan: Plan
    _codec: Codec | None

    def __init__(self, kind: Any, plan: Plan) -> None:
        for name, value in (("_kind", kind), ("_plan", plan), ("_codec", None)):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a Schema is frozen: {name} cannot be set")

    __delattr__ = __setattr__  # type: ignore[assignment]

    @property
    def name(self) -> str:
        """Matches `^[A-Za-z0-9_-]{1,64}$`; from the type's name."""
        return self._plan.name

    @property
    def description(self) -> str | None:
        """The type's own docstring, else None."""
        return self._plan.description

    @property
    def json_schema(self) -> dict[str, Any]:
        """What is sent; a dict of the caller's own."""
        sent: dict[str, Any] = msgspec.json.decode(self._plan.sent)
        return sent

    @property
    def strict(self) -> bool:
        """Whether what is sent satisfies OpenAI's strict mode."""
        return self._plan.strict

    @property
    def wrapped(self) -> bool:
        """Whether the value travels as `{"value": …}`, since it is no JSON object."""
        return self._plan.wrapped

    def response_format(self) -> dict[str, Any]:
        """The `response_format` of a request in OpenAI's shape."""
        inner = {"name": self.name, "schema": self.json_schema, "strict": self.strict}
        if self.description:
            inner["description"] = self.description
        return {"type": "json_schema", "json_schema": inner}

    def tool(self) -> dict[str, Any]:
        """A tool in OpenAI's shape whose arguments are the answer, for models without `response_format`."""
        description = self.description or "Give the answer in this form."
        function = {"name": self.name, "description": description, "parameters": self.json_schema}
        return {"type": "function", "function": {**function, "strict": self.strict}}

    def instruction(self) -> str:
        """What to tell a model that has neither `response_format` nor tools."""
        purpose = f" ({self.description})" if self.description else ""
        return (
            f"Answer with only one JSON value that fits the following JSON schema of {self.name}{purpose}; "
            f"no code fence, no other text.\n{self._plan.sent.decode()}"
        )

    def decode(self, text: str) -> tuple[Any, Any]:
        """The typed object in a model's answer, and its plain JSON data; for a JSON schema both are the plain data.

        >>> schema_of(list[int]).decode('Here you are: {"value": [1, 2]}')
        ([1, 2], [1, 2])

        Raises:
            ValueError: one sentence that says what is wrong and where, fit to be shown to the model.
        """
        codec = self._codec or self._compile()
        if self._plan.source is None or "null" not in text:
            try:
                return codec(text)
            except (ValueError, RecursionError):
                pass  # fenced, amid prose, or wrong: look closer
        try:
            found = extract(text)
            if self._plan.source is not None:
                found = self._without_nulls(found)
            return codec(found)
        except RecursionError:
            raise ValueError("the answer is nested too deeply") from None

    def _compile(self) -> Codec:
        codec = self._plan.codec(self._kind)
        if self._plan.wrapped:
            codec = _unwrapping(codec)
        object.__setattr__(self, "_codec", codec)
        return codec

    def _without_nulls(self, text: str) -> str:
        data, source = read(text), self._plan.source or {}
        bare = data["value"] if self.wrapped and _is_wrapped(data) else data
        fitting = drop_nulls(bare, source, source)
        return text if fitting == bare else msgspec.json.encode(fitting).decode()

    def __reduce__(self) -> tuple[Any, ...]:
        return schema_of, (self._kind,)

    def __repr__(self) -> str:
        return f"<Schema {self.name}{' strict' if self.strict else ''}{' wrapped' if self.wrapped else ''}>"


class _Wrapper(msgspec.Struct, forbid_unknown_fields=True):
    value: msgspec.Raw


def _is_wrapped(data: Any) -> bool:
    return isinstance(data, dict) and data.keys() == {"value"}


def _unwrapping(codec: Codec) -> Codec:
    """A codec that takes `{"value": …}` as well as the bare value."""
    decode = msgspec.json.Decoder(_Wrapper).decode

    def unwrap(text: str | bytes) -> tuple[Any, Any]:
        try:
            inner = bytes(decode(text).value)
        except msgspec.ValidationError:
            return codec(text)
        try:
            return codec(inner)
        except MisfitError as error:
            try:
                return codec(text)  # an object that has but a field `value`
            except MisfitError:
                raise MisfitError(f".value{error.where}", error.reason) from None

    return unwrap


_lock = threading.Lock()
_plans: weakref.WeakKeyDictionary[type, Plan] = weakref.WeakKeyDictionary()
_living: weakref.WeakKeyDictionary[type, weakref.ref[Schema]] = weakref.WeakKeyDictionary()
_kept: OrderedDict[Any, Schema] = OrderedDict()


def schema_of(kind: Any) -> Schema:
    """The `Schema` of a type, or of a JSON schema given as a dict; compiled once.

    A dict may also be OpenAI's `{"type": "json_schema", "json_schema": {"name", "schema", "strict"}}` or the
    inner part of it. It is sent as it is.

    >>> from typing import Literal
    >>> schema_of(Literal["cat", "dog"]).json_schema["properties"]
    {'value': {'enum': ['cat', 'dog'], 'type': 'string'}}

    Raises:
        ConfigError: not a type of an answer, or a broken JSON schema.
    """
    if isinstance(kind, Schema):
        return kind
    if isinstance(kind, Mapping):
        given = own(kind, "schema")
        return _keep(msgspec.json.encode(given), lambda: Schema(given, plan_of(given)))
    if isinstance(kind, type) and typing.get_origin(kind) is None:
        return _of_class(kind)
    try:
        key = (kind, repr(kind))  # list[Literal[1]] == list[Literal[True]]
        hash(key)
    except TypeError:
        return Schema(kind, _plan(kind))  # cannot be remembered: Literal[[]], or metadata without a hash
    return _keep(key, lambda: Schema(kind, _plan(kind)))


def _keep(key: Any, make: Callable[[], Schema]) -> Schema:
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    made = make()
    with _lock:
        made = _kept.setdefault(key, made)
        if len(_kept) > MAX_KEPT:
            _kept.popitem(last=False)
    return made


def _of_class(kind: type) -> Schema:
    with _lock:
        known = _living.get(kind)
        schema = known() if known else None
        plan = _plans.get(kind)
    if schema is not None:
        return schema
    plan = plan or _plan(kind)
    with _lock:
        known = _living.get(kind)
        schema = (known() if known else None) or Schema(kind, plan)
        _plans[kind], _living[kind] = plan, weakref.ref(schema)
    return schema


def _plan(kind: Any) -> Plan:
    source, codec = compiled(kind)
    name, description = _name(kind), _description(kind)
    definitions = source.pop("$defs", {})
    root = {"$defs": definitions}
    found = resolve(source, root)
    is_object = found.get("type") == "object"
    if is_object:
        sent = dict(found)
        sent.pop("description", None)  # said beside the schema
    else:
        sent = {"type": "object", "properties": {"value": source}, "required": ["value"], "additionalProperties": False}
    used = _used(sent, definitions)
    if used:
        sent["$defs"] = used
    form = strict_form(sent)
    whole = {**source, "$defs": definitions}
    return Plan(
        name=name,
        description=description,
        sent=msgspec.json.encode(form or sent),
        strict=form is not None,
        wrapped=not is_object,
        source=whole if form is not None and any_optional(whole) else None,
        codec=codec,
    )


def _used(sent: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The definitions that `sent` refers to, directly or through others."""
    used: dict[str, Any] = {}
    pending: list[Any] = [sent]
    while pending:
        text = msgspec.json.encode(pending.pop()).decode()
        for name in re.findall(r'"\$ref":"#/\$defs/((?:[^"\\]|\\.)*)"', text):
            name = msgspec.json.decode(f'"{name}"').replace("~1", "/").replace("~0", "~")
            if name in definitions and name not in used:
                used[name] = definitions[name]
                pending.append(definitions[name])
    return {name: definitions[name] for name in definitions if name in used}


def _name(kind: Any) -> str:
    arguments = [item for item in typing.get_args(kind) if isinstance(item, type) or typing.get_origin(item)]
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        return _name(kind.__origin__)
    if origin in (typing.Union, types.UnionType):
        return clean("_or_".join(_name(item) for item in arguments if item is not type(None)))
    if origin is not None:
        return clean("_".join([getattr(origin, "__name__", "answer"), *map(_name, arguments)]))
    return clean(getattr(kind, "__name__", ""))


def _description(kind: Any) -> str | None:
    text = vars(kind).get("__doc__") if isinstance(kind, type) and kind.__module__ != "builtins" else None
    if not isinstance(text, str) or text.startswith(f"{kind.__name__}("):  # dataclasses write their signature
        return None
    return inspect.cleandoc(text) or None
