"""JSON in what models write: bare, fenced, amid prose, or unfinished.

`extract` finds the JSON text, `partial` reads as far as it goes, and the two parsers (seed 002) are what a
caller puts around a model that knows no schemas.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    pass

# Every alternative also ends at the end of the text, so that no input makes the search quadratic.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
_OPEN = re.compile(r"[\[{]")
_FENCE = re.compile(r"(```+|~~~+)[ \t]*([\w+-]*)[ \t]*\n?(.*?)(?:\1|\Z)", re.DOTALL)
_GARBAGE = re.compile(r'[\s,:]*[\[\]{}]|["\w]', re.ASCII)  # behind a value: more JSON, or what is no sentence
_OPENING = re.compile(r"(?<![`~])(?:`{3,}+|~{3,}+)[ \t]*+[\w+-]*+[ \t]*+(?:\n|(?=[\[{\"]))")
_read = msgspec.json.Decoder().decode
_check = msgspec.json.Decoder(msgspec.Raw).decode


def extract(text: str) -> str:
    r"""The JSON text in a model's answer: bare, in a fence, or the first object or array in prose.

    >>> extract('Sure!\n```json\n{"age": 7}\n```\nAnything else?')
    '{"age": 7}'
    >>> extract('The answer is [1, 2], as "expected".')
    '[1, 2]'

    Raises:
        ValueError: there is none, it is broken, or more than one value stands there.
    """
    bare = text.strip().removeprefix("\ufeff").strip()
    if not bare:
        raise ValueError("the answer is empty")
    problem = _problem(bare)
    if problem is None:
        return bare
    for match in _FENCE.finditer(bare):
        body = match[3].strip()
        if body and _problem(body) is None:
            return body
    broken = None
    for start, end in _regions(bare):
        found = bare[start:end]
        reason = _problem(found)
        if reason is None:
            if _GARBAGE.match(bare, end):
                raise ValueError(f"the answer is not one JSON value: {short(bare[end:].strip())} stands behind it")
            return found
        broken = reason if found[0] == "{" else broken
    if not broken and bare[0] not in '[{"`~':
        broken = f"it begins with {short(bare, 40)}"
    raise ValueError(f"the answer is not JSON: {broken or problem}")


def read(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: not JSON, or a number that no float can hold.
    """
    try:
        return _read(text)
    except msgspec.ValidationError:
        raise ValueError("the answer is not JSON: number out of range") from None


def _problem(text: str) -> str | None:
    """What is wrong with `text` as JSON, None if nothing is."""
    try:
        _check(text)
    except UnicodeEncodeError as error:
        return f"lone surrogate (character {error.start})"
    except RecursionError:
        return "it is nested too deeply"
    except msgspec.DecodeError as error:
        return str(error).removeprefix("JSON is malformed: ").replace("Input data was truncated", "it is cut off")
    return None


def _regions(text: str) -> Iterator[tuple[int, int]]:
    """Where objects and arrays stand, outermost only; brackets in strings do not count."""
    depth = start = at = 0
    while token := (_TOKEN if depth else _OPEN).search(text, at):  # in prose a quote is only a quote
        at = token.end()
        if token[0] in ("[", "{"):
            start = start if depth else token.start()
            depth += 1
        elif token[0] in ("]", "}"):
            depth -= 1
            if depth == 0:
                yield start, at
    if depth:
        yield start, len(text)  # unfinished


def partial(text: str) -> Any:
    r"""The value of an unfinished JSON text as far as it goes; None while there is nothing.

    >>> partial('```json\n{"name": "science f')
    {'name': 'science f'}
    """
    bare = text.strip()
    if bare[:1] not in ("{", "["):
        opening = _OPENING.search(bare)
        if opening:
            bare = bare[opening.end() :].lstrip()
    try:
        return _from_json(bare)
    except (ValueError, TypeError):  # TypeError: a lone surrogate
        pass
    try:
        return _from_json(extract(bare))  # complete, with a closing fence or prose behind it
    except (ValueError, TypeError):
        return None


def _from_json(text: str) -> Any:
    from pydantic_core import from_json

    return from_json(text, allow_inf_nan=False, allow_partial="trailing-strings")


def short(value: Any, limit: int = 80) -> str:
    """A repr of at most `limit` characters; only the beginning of a long text is looked at.

    >>> short("a" * 1000, 10)
    "'aaaaaaa…'"
    """
    if isinstance(value, str):
        shown = repr(value[:limit])
        return shown if len(value) <= limit and len(shown) <= limit else f"{shown[: limit - 2]}…{shown[-1]}"
    if isinstance(value, (dict, list)):
        return f"{'an object' if isinstance(value, dict) else 'an array'} of {len(value)}"
    if isinstance(value, int) and value.bit_length() > 1000:
        return "a very large int"  # Python refuses to print ints of more than 4300 digits
    return repr(value)[:limit]
