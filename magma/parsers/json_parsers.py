"""Parsers of OneSim's kind: an instruction for the prompt, and a reader of the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ConfigError, ParseError
from .json import extract, read, short
from .schema import Schema, schema_of


class Parsed:
    """A response and what was read out of it; other attributes are the response's own."""

    __slots__ = ("parsed", "response", "text")

    def __init__(self, parsed: Any, text: str, response: Any) -> None:
        self.parsed = parsed
        self.text = text
        self.response = response

    def __getattr__(self, name: str) -> Any:
        if name in Parsed.__slots__ or name.startswith("__"):  # while it is unpickled or copied
            raise AttributeError(name)
        return getattr(self.response, name)

    def __repr__(self) -> str:
        return f"Parsed({self.parsed!r})"


class JsonBlockParser:
    """Reads any JSON value out of an answer.

    >>> JsonBlockParser().parse("The numbers: [1, 2]").parsed
    [1, 2]
    """

    @property
    def format_instruction(self) -> str:
        """What to tell the model; goes into the prompt."""
        return "Answer with only one JSON value in a fenced block:\n```json\n…\n```"

    def parse(self, response: Any) -> Parsed:
        """`.parsed` is the value in `response`, a str or anything with a `.text`.

        Raises:
            ParseError: what came is not what was wanted; both are named, `.response` is the response.
        """
        text = response if isinstance(response, str) else getattr(response, "text", None)
        if not isinstance(text, str):
            raise ConfigError(f"parse takes a str or a response with a text, not {type(response).__name__}")
        try:
            return Parsed(self._read(text), text, response)
        except (ValueError, RecursionError) as error:
            reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise ParseError(
                f"{reason}; wanted {self._wanted}, came {short(text, 120)}",
                response=None if isinstance(response, str) else response,
            ) from None

    _wanted = "one JSON value"

    def _read(self, text: str) -> Any:
        return read(extract(text))


class JsonDictParser(JsonBlockParser):
    """Reads a JSON object out of an answer: all `required_keys` are there, and it fits `schema`.

    With a type as `schema` (see `schema_of`), `.parsed` is an object of it; else a dict.

    >>> parser = JsonDictParser(required_keys=["name", "age"])
    >>> parser.parse('{"name": "Alice", "age": 7}').parsed
    {'name': 'Alice', 'age': 7}
    >>> parser.parse('{"name": "Alice"}')
    Traceback (most recent call last):
    magma.errors.ParseError: keys missing: 'age'; wanted a JSON object with the keys 'name', 'age', came …
    """

    def __init__(self, required_keys: Sequence[str] = (), schema: Any = None) -> None:
        if isinstance(required_keys, str) or not all(isinstance(key, str) for key in required_keys):
            raise ConfigError(f"required_keys must be a list of str, not {required_keys!r:.80}")
        self.required_keys = tuple(required_keys)
        self.schema = None if schema is None else _object_schema(schema)

    @property
    def format_instruction(self) -> str:
        """What to tell the model; goes into the prompt."""
        if self.schema is not None:
            return self.schema.instruction()
        return f"Answer with only {self._wanted}, in a fenced block:\n```json\n{{…}}\n```"

    @property
    def _wanted(self) -> str:  # type: ignore[override]
        keys = ", ".join(map(repr, self.required_keys))
        return f"a JSON object with the keys {keys}" if keys else "a JSON object"

    def _read(self, text: str) -> Any:
        if self.schema is not None:
            typed, plain = self.schema.decode(text)
        else:
            typed = plain = super()._read(text)
        if not isinstance(plain, dict):
            raise ValueError(f"expected an object, got {short(plain)}")
        missing = [key for key in self.required_keys if key not in plain]
        if missing:
            raise ValueError(f"keys missing: {', '.join(map(repr, missing))}")
        return typed


def _object_schema(kind: Any) -> Schema:

    schema = schema_of(kind)
    if schema.wrapped:
        raise ConfigError(f"JsonDictParser reads objects, and {kind!r:.80} is none; use JsonBlockParser or schema_of")
    return schema
