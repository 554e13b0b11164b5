"""Text -> typed value: pure functions, loaded on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .json_parsers import JsonBlockParser, JsonDictParser
    from .schema import Schema, schema_of
    from .xml import typed_parser_registry

_HOMES = {
    "JsonBlockParser": "magma.parsers.json_parsers",
    "JsonDictParser": "magma.parsers.json_parsers",
    "Schema": "magma.parsers.schema",
    "schema_of": "magma.parsers.schema",
    "typed_parser_registry": "magma.parsers.xml",
}

__all__ = ["JsonBlockParser", "JsonDictParser", "Schema", "schema_of", "typed_parser_registry"]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
