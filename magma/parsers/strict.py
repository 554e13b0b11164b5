"""JSON schemas as OpenAI's strict mode wants them, and the way back. Pure functions on plain dicts.

In strict mode every property is required, so one that may be left out becomes nullable (`strict_form`), and
a null that comes back for it is taken out again (`drop_nulls`), so that the type's own default applies.
Rules: platform.openai.com/docs/guides/structured-outputs#supported-schemas
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_KEPT = frozenset(
    "type enum const description pattern format multipleOf minimum maximum exclusiveMinimum exclusiveMaximum "
    "minItems maxItems".split()
)
_NOISE = frozenset(
    "title default example examples discriminator deprecated readOnly writeOnly $comment $schema".split()
)
_HINTS = frozenset("minLength maxLength uniqueItems contentEncoding contentMediaType".split())
_FORMATS = frozenset("date-time time date duration email hostname ipv4 ipv6 uuid".split())
_WALKED = frozenset("$ref $defs anyOf oneOf allOf items properties required additionalProperties".split())
_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
_NULL = {"type": "null"}


class LooseError(Exception):
    """The schema says something that strict mode cannot."""


def strict_form(schema: dict[str, Any]) -> dict[str, Any] | None:
    """The strict form of an object schema, None where there is none.

    >>> form = strict_form({"type": "object", "properties": {"n": {"type": "integer", "default": 3}}})
    >>> form["properties"], form["required"]
    ({'n': {'anyOf': [{'type': 'integer'}, {'type': 'null'}]}}, ['n'])
    """
    try:
        result = _tight(schema, schema)
        if definitions := schema.get("$defs"):
            result["$defs"] = {name: _tight(node, schema) for name, node in definitions.items()}
    except LooseError:
        return None
    return result


def _tight(node: Any, root: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(node, dict) or not node:
        raise LooseError  # anything goes
    if "$ref" in node:
        return {"$ref": node["$ref"]}
    if "allOf" in node:
        if len(node["allOf"]) != 1:
            raise LooseError
        rest = {name: value for name, value in node.items() if name != "allOf"}
        return _tight({**node["allOf"][0], **rest}, root)
    unknown = node.keys() - _KEPT - _NOISE - _HINTS - _WALKED
    if not all(name.startswith("x-") for name in unknown):
        raise LooseError(*unknown)
    result = {name: value for name, value in node.items() if name in _KEPT}
    _hint(result, node)
    for name in ("anyOf", "oneOf"):
        if name in node:
            result["anyOf"] = [_tight(branch, root) for branch in node[name]]
    values = node["enum"] if "enum" in node else [node["const"]] if "const" in node else None
    if values is not None and "type" not in node:
        types = list(dict.fromkeys(_TYPES[type(value)] for value in values if type(value) in _TYPES))
        result["type"] = types[0] if len(types) == 1 else types
    kinds = result.get("type", [])
    if "object" in kinds:
        result.update(_tight_object(node, root))
    if "array" in kinds:
        result["items"] = _tight(node.get("items"), root)
    if not result.keys() & {"type", "anyOf"}:
        raise LooseError
    return result


def _tight_object(node: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    properties = node.get("properties")
    if properties is None or node.get("additionalProperties", False) is not False:
        raise LooseError  # free keys
    left_out = set(optional(node, root))
    tight = {name: _tight(child, root) for name, child in properties.items()}
    return {
        "properties": {name: _nullable(child) if name in left_out else child for name, child in tight.items()},
        "required": list(properties),
        "additionalProperties": False,
    }


def _nullable(node: dict[str, Any]) -> dict[str, Any]:
    if "anyOf" in node:
        return {**node, "anyOf": [*node["anyOf"], _NULL]}
    return {"anyOf": [node, _NULL]}


def _hint(result: dict[str, Any], node: dict[str, Any]) -> None:
    """What strict mode cannot say is said in the description; decoding checks it anyway."""
    hints = [f"{name}: {node[name]}" for name in node if name in _HINTS]
    if "(?" in str(node.get("pattern", "")):  # no look-arounds
        hints.append(f"pattern: {result.pop('pattern')}")
    if node.get("format", "date") not in _FORMATS:
        hints.append(f"format: {result.pop('format')}")
    if hints:
        text = f"({', '.join(hints)})"
        result["description"] = f"{node['description']} {text}" if node.get("description") else text


def optional(node: dict[str, Any], root: dict[str, Any]) -> Iterator[str]:
    """The properties that may be left out but may not be null."""
    required = node.get("required", ())
    for name, child in (node.get("properties") or {}).items():
        if name not in required and not _takes_null(child, root):
            yield name


def any_optional(schema: dict[str, Any]) -> bool:
    """Whether `drop_nulls` could ever have something to do."""
    pending: list[Any] = [schema]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            if isinstance(node.get("properties"), dict) and next(optional(node, schema), None) is not None:
                return True
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)
    return False


def _takes_null(node: Any, root: dict[str, Any], depth: int = 0) -> bool:
    node = resolve(node, root)
    if not isinstance(node, dict) or depth > 20:
        return node is True
    for name in ("anyOf", "oneOf"):
        if name in node:
            return any(_takes_null(branch, root, depth + 1) for branch in node[name])
    if "allOf" in node:
        return all(_takes_null(branch, root, depth + 1) for branch in node["allOf"])
    if "enum" in node:
        return None in node["enum"]
    if "const" in node:
        return node["const"] is None
    return "type" not in node or node["type"] == "null" or (isinstance(node["type"], list) and "null" in node["type"])


def resolve(node: Any, root: dict[str, Any]) -> Any:
    """`node`, or what its `$ref` into `$defs` leads to."""
    for _ in range(20):  # a chain of references; a circle ends too
        if not isinstance(node, dict) or "$ref" not in node:
            return node
        name = str(node["$ref"]).rpartition("/")[2].replace("~1", "/").replace("~0", "~")
        node = root.get("$defs", {}).get(name, {})
    return {}


def drop_nulls(data: Any, node: Any, root: dict[str, Any]) -> Any:
    """`data` without the nulls of properties that may not be null; a copy where something changes.

    >>> schema = {"type": "object", "properties": {"n": {"type": "integer"}, "s": {"type": ["string", "null"]}}}
    >>> drop_nulls({"n": None, "s": None}, schema, schema)
    {'s': None}
    """
    node = _branch(data, resolve(node, root), root)
    if isinstance(data, list):
        items = node.get("items")
        return [drop_nulls(item, items, root) for item in data] if isinstance(items, dict) else data
    if not isinstance(data, dict):
        return data
    children, rest = node.get("properties", {}), node.get("additionalProperties")
    left_out = set(optional(node, root))
    return {
        name: drop_nulls(value, children.get(name, rest), root)
        for name, value in data.items()
        if value is not None or name not in left_out
    }


def _branch(data: Any, node: Any, root: dict[str, Any]) -> dict[str, Any]:
    """The branch of a union that `data` belongs to."""
    if not isinstance(node, dict):
        return {}
    options = node.get("anyOf") or node.get("oneOf") or (node["allOf"] if len(node.get("allOf", ())) == 1 else None)
    if not options:
        return node
    fitting = [found for option in options if _could_be(data, found := _branch(data, resolve(option, root), root))]
    keys = set(data) if isinstance(data, dict) else set()
    return max(fitting, key=lambda found: len(keys & found.get("properties", {}).keys()), default={})


def _could_be(data: Any, node: dict[str, Any]) -> bool:
    if isinstance(data, list):
        return node.get("type") == "array"
    if not isinstance(data, dict) or node.get("type") != "object" or not set(node.get("required", ())) <= data.keys():
        return False
    for name, child in node.get("properties", {}).items():
        values = child.get("enum", [child["const"]] if "const" in child else None) if isinstance(child, dict) else None
        if values is not None and data.get(name) is not None and data[name] not in values:
            return False
    return True
