"""A JSON schema given as a dict: sent as it is, checked by jsonschema."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from ..errors import ConfigError
from .codec import Codec, MisfitError, Plan, clean
from .json import read, short

_REFERENCE = re.compile(r'"\$ref":"(?!#/(?:\$defs|definitions)/)')


def plan_of(given: dict[str, Any]) -> Plan:
    """The plan of a JSON schema, bare or in one of OpenAI's envelopes; it is sent as it is.

    Raises:
        ConfigError: the schema or its envelope is broken.
    """
    schema, name, description, strict = given, given.get("title"), given.get("description"), False
    envelope = given.get("json_schema") if given.get("type") == "json_schema" else given
    if not isinstance(envelope, dict):
        raise ConfigError('a {"type": "json_schema"} needs "json_schema": {"name": …, "schema": {…}}')
    if envelope is not given or (isinstance(given.get("schema"), dict) and isinstance(given.get("name"), str)):
        schema, name = envelope.get("schema"), envelope.get("name")  # type: ignore[assignment]
        if not isinstance(schema, dict):
            raise ConfigError(f"the JSON schema's envelope needs a schema, a dict; not {type(schema).__name__}")
        description, strict = envelope.get("description"), envelope.get("strict") is True
    if schema.get("type") in ("json_object", "text", "function"):
        raise ConfigError(f'a JSON schema of type {schema["type"]!r} does not exist; give {{"type": "object", …}}')
    codec = jsonschema_codec(schema)
    wrapped = _needs_wrapping(schema)
    sent = _wrap(schema) if wrapped else schema
    return Plan(
        name=clean(name if isinstance(name, str) else ""),
        description=description if isinstance(description, str) and description else None,
        sent=msgspec.json.encode(sent),
        strict=strict,
        wrapped=wrapped,
        source=None,
        codec=lambda _: codec,
    )


def _needs_wrapping(schema: dict[str, Any]) -> bool:
    """An array or a scalar; only where its references still lead somewhere when it stands one level deeper."""
    kind = schema.get("type", "array" if "enum" in schema or "const" in schema else "object")
    return isinstance(kind, str) and kind != "object" and not _REFERENCE.search(msgspec.json.encode(schema).decode())


def _wrap(schema: dict[str, Any]) -> dict[str, Any]:
    moved: dict[str, Any] = {name: schema[name] for name in ("$schema", "$defs", "definitions") if name in schema}
    value = {name: item for name, item in schema.items() if name not in moved}
    wrapper = {"type": "object", "properties": {"value": value}, "required": ["value"], "additionalProperties": False}
    return {**wrapper, **moved}


def jsonschema_codec(schema: dict[str, Any]) -> Codec:
    """The codec of a JSON schema: the typed object is the plain one. Formats are not checked, nothing is fetched.

    Raises:
        ConfigError: the schema is broken, or refers to what is not in it.
    """
    from jsonschema import SchemaError  # type: ignore[import-untyped]
    from jsonschema.exceptions import best_match  # type: ignore[import-untyped]
    from jsonschema.validators import validator_for  # type: ignore[import-untyped]
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    cls: Any = validator_for(schema)
    try:
        cls.check_schema(schema)
    except SchemaError as error:
        raise ConfigError(f"the JSON schema is broken at {error.json_path}: {error.message:.200}") from None
    validator = cls(schema, registry=Registry())  # one that retrieves nothing
    _check_references(schema)

    def codec(text: str | bytes) -> tuple[Any, Any]:
        plain = read(text)
        try:
            error = None if validator.is_valid(plain) else best_match(validator.iter_errors(plain))
        except Unresolvable as unknown:
            raise ConfigError(f"the JSON schema refers to {unknown.ref!r:.80}, which is not in it") from None
        if error is not None:
            raise _jsonschema_misfit(error)
        return plain, plain

    return codec


def _jsonschema_misfit(error: Any) -> MisfitError:
    where, value = error.json_path.removeprefix("$"), error.instance
    if error.validator == "type":
        wanted = error.validator_value
        wanted = wanted if isinstance(wanted, str) else " or ".join(wanted)
        return MisfitError(where, f"expected {wanted}, got {type(value).__name__} {short(value)}")
    if isinstance(value, (dict, list)) and error.validator not in ("required", "additionalProperties"):
        return MisfitError(
            where, f"{short(value)} does not satisfy {error.validator} {short(str(error.validator_value))}"
        )
    if isinstance(value, str) and len(value) > 60:
        return MisfitError(where, f"{short(value)} does not satisfy {error.validator} {error.validator_value!r:.80}")
    return MisfitError(where, error.message)


def _check_references(schema: dict[str, Any]) -> None:
    """Refuses a `$ref` that leads out of the schema now, not in the answer's face."""
    known: list[dict[str, Any]] = []
    pending: list[Any] = [schema]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            known.append(node)
            pending.extend(
                value for name, value in node.items() if name not in ("const", "enum", "default", "examples")
            )
        elif isinstance(node, list):
            pending.extend(node)
    if any("$id" in node or "$anchor" in node or "$dynamicAnchor" in node for node in known):
        return  # places have names of their own: the validator finds them
    for node in known:
        reference = node.get("$ref")
        if isinstance(reference, str) and not _leads(reference, schema):
            raise ConfigError(
                f"the JSON schema refers to {reference!r:.80}, which is not in it: put the definition under $defs"
            )


def _leads(reference: str, schema: Any) -> bool:
    from urllib.parse import unquote

    if reference == "#":
        return True
    if not reference.startswith("#/"):
        return reference.startswith(("http://json-schema.org/", "https://json-schema.org/"))
    for step in unquote(reference[2:]).split("/"):
        step = step.replace("~1", "/").replace("~0", "~")
        try:
            schema = schema[int(step)] if isinstance(schema, list) else schema[step]
        except (KeyError, IndexError, ValueError, TypeError):
            return False
    return True
