"""The plainest value that fits a JSON schema: what the embedded provider answers where an object is wanted."""

from __future__ import annotations

from typing import Any


def instance(schema: Any, text: str = "", root: Any = None, depth: int = 0) -> Any:
    """The plainest value that fits a JSON schema; `text` where a free string is wanted.

    >>> instance({"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}, "required": ["n"]})
    {'n': 3}
    """
    root = schema if root is None else root
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return None if depth > _DEEPEST else {}
    if isinstance(schema.get("$ref"), str):
        return instance(_resolve(schema["$ref"], root), text, root, depth + 1)
    for given in ("const", "default"):
        if given in schema:
            return schema[given]
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return schema["enum"][0]
    for alternatives in ("anyOf", "oneOf"):
        if isinstance(schema.get(alternatives), list) and schema[alternatives]:
            return instance(_plainest(schema[alternatives], depth), text, root, depth + 1)
    if isinstance(schema.get("allOf"), list):
        return instance(_merged(schema["allOf"], root), text, root, depth + 1)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = "null" if depth >= 8 and "null" in kind else (kind or ["string"])[0]
    return _of_type(kind or ("object" if "properties" in schema else "string"), schema, text, root, depth)


_DEEPEST = 60  # where a schema that refers to itself without an end is given up


def _merged(parts: list[Any], root: Any) -> dict[str, Any]:
    """One schema that asks for what all parts ask for."""
    merged: dict[str, Any] = {}
    for part in parts:
        part = _resolve(part["$ref"], root) if isinstance(part, dict) and isinstance(part.get("$ref"), str) else part
        if not isinstance(part, dict):
            continue
        properties = {**merged.get("properties", {}), **part.get("properties", {})}
        required = [*merged.get("required", []), *part.get("required", [])]
        merged |= part
        if properties or required:
            merged |= {"properties": properties, "required": required}
    return merged


def _of_type(kind: str, schema: dict[str, Any], text: str, root: Any, depth: int) -> Any:
    if kind == "object":
        properties = schema.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        wanted = (
            properties
            if depth < 4
            else {name: properties[name] for name in schema.get("required", ()) if name in properties}
        )
        return {name: instance(part, text, root, depth + 1) for name, part in wanted.items()}
    if kind == "array":
        if prefix := schema.get("prefixItems"):
            return [instance(part, text, root, depth + 1) for part in prefix]
        count = max(schema.get("minItems", 0), 1 if depth < 4 else 0)
        return [
            instance(schema.get("items") or {"type": "string"}, text, root, depth + 1)
            for _ in range(min(count, schema.get("maxItems", count)))
        ]
    if kind in ("integer", "number"):
        return _number(schema, whole=kind == "integer")
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    return _string(schema, text)


def _number(schema: dict[str, Any], *, whole: bool) -> int | float:
    step = schema.get("multipleOf") or (1 if whole else None)
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    high, below = schema.get("maximum"), schema.get("exclusiveMaximum")
    value = low if low is not None else above + (step or 0.5) if above is not None else 0
    if high is not None and value > high:
        value = high
    if below is not None and value >= below:
        value = below - (step or 0.5)
    if step:
        value = -(-value // step) * step
    return int(value) if whole else value


_FORMATS = {
    "date": "2000-01-01",
    "date-time": "2000-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "P1D",
    "email": "user@example.com",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "uri": "https://example.com/",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "hostname": "example.com",
}


def _string(schema: dict[str, Any], text: str) -> str:
    value = _FORMATS.get(schema.get("format", ""), text)
    value = value.ljust(schema.get("minLength", 0), "x")
    return value[: schema["maxLength"]] if "maxLength" in schema else value


def _plainest(schemas: list[Any], depth: int) -> Any:
    """The first alternative; where a schema refers to itself too deeply, the one that ends it."""
    ends = [schema for schema in schemas if isinstance(schema, dict) and schema.get("type") == "null"]
    return ends[0] if depth >= 8 and ends else schemas[0]


def _resolve(reference: str, root: Any) -> Any:
    found = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        found = found.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, dict) and part else found
    return found
