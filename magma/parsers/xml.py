r"""Typed XML (seed 001): structured answers of models that write XML better than JSON.

Conventions. Each field is an element named like the field, whose attribute `type` (or `dtype`) names its type:
`str`, `int`, `float`, `bool`, `list`, `dict` or `null`. The children of a list are its items, whatever their
name; those of a dict its fields. A key that is no XML name is written `<entry key="…">`. A text that XML
cannot carry as it is (outer blanks, control characters) is written as JSON and marked `encoding="json"`.

>>> decode('<event><name type="str">fair</name><who type="list"><item type="str">Alice</item></who></event>')
{'name': 'fair', 'who': ['Alice']}
>>> print(encode({"age": 7, "a b": None}))
<response type="dict">
  <age type="int">7</age>
  <entry type="null" key="a b"/>
</response>

Lenient with models: prose around, a fence, no root, an XML header, CDATA and a bare `&` or `<` are all fine; an
element without a type is a dict, a list (children all called `item`, or all the same), or else a str.
Strict with attackers: DOCTYPE, entities, processing instructions, depth and size are refused with a `ValueError`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any
from xml.parsers import expat  # the bare tokenizer: nothing is expanded, everything dangerous is refused
from xml.sax.saxutils import escape, quoteattr

from .json import short

MAX_DEPTH = 50
MAX_SIZE = 1_000_000  # characters

TEMPLATE = """\
{{ instructions }}

Answer with only XML in the form of the example below. Write each field as an element with the field's name, \
whose attribute `type` names the type of its content: str, int, float, bool, list, dict or null. \
The elements in a list are called item. Lists and dicts may contain each other. \
Write &amp; for & and &lt; for < in texts.

Example of the form (a name: str, a number: int, a price: float, a flag: bool, tags: list[str], \
an owner with a name and an unknown age: dict):

<response type="dict">
  <name type="str">notebook</name>
  <number type="int">3</number>
  <price type="float">2.5</price>
  <flag type="bool">true</flag>
  <tags type="list">
    <item type="str">paper</item>
    <item type="str">school</item>
  </tags>
  <owner type="dict">
    <name type="str">Alice</name>
    <age type="null"/>
  </owner>
</response>
"""

_ALIASES = {
    "str": "str string text",
    "int": "int integer",
    "float": "float number double",
    "bool": "bool boolean",
    "list": "list array tuple set",
    "dict": "dict object map mapping",
    "null": "null none nonetype nil",
}
_TYPES = {alias: kind for kind, aliases in _ALIASES.items() for alias in aliases.split()}
_TYPE = re.compile(r"\s*(\w+)\s*(?:\[(.*)\])?\s*", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_FENCE = re.compile(r"```+[ \t]*(?:xml|XML)?[ \t]*\n(?=\s*<)(.*?)(?:```|\Z)", re.DOTALL)
_HEADER = re.compile(r"<\?xml\s[^<>]{0,200}\?>")
# Comments and CDATA match whole, also unfinished ones: the search stays linear, and their content untouched.
_MARKS = re.compile(
    r"(?P<whole><!--.*?(?:-->|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z))|(?P<bad><[!?])|<(?![A-Za-z_/])|&(?!\#?\w+;)", re.DOTALL
)
_JSON_ONLY = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]")


class TypedXML:
    """Typed XML as a parser with a prompt: what `typed_parser_registry["typed_xml"]` holds."""

    template: str = TEMPLATE
    """A jinja2 template with one variable, `instructions`; `str.replace` renders it as well."""

    def decode(self, text: str) -> dict[str, Any]:
        """The fields in a model's answer; see `decode`."""
        return decode(text)

    def encode(self, value: Mapping[str, Any]) -> str:
        """The dict as typed XML; see `encode`."""
        return encode(value)

    def __repr__(self) -> str:
        return "TypedXML()"


def decode(text: str) -> dict[str, Any]:
    """The fields in a model's answer, as Python values.

    A single element with fields in it is the root and leaves no trace; anything else is a field itself.

    >>> decode('Sure: <age type="int">7</age> <tags type="list"/>')
    {'age': 7, 'tags': []}

    Raises:
        ValueError: no XML, hostile XML, or a value that is not of its type; one sentence, fit for the model.
    """
    if len(text) > MAX_SIZE:
        raise ValueError(f"the XML is {len(text)} characters long; at most {MAX_SIZE} are read")
    top = _parse(text).children
    if not top:
        began = f"it begins with {short(text.strip(), 40)}" if text.strip() else "it is empty"
        raise ValueError(f"the answer holds no XML element: {began}")
    if len(top) == 1:
        only = top[0].value()
        return only if isinstance(only, dict) else {top[0].key: only}
    return _fields(top, "the answer")


class _Element:
    """An element as it was written."""

    __slots__ = ("attributes", "children", "tag", "text")

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.children: list[_Element] = []
        self.text: list[str] = []

    @property
    def key(self) -> str:
        return self.attributes.get("key", self.tag)

    def value(self, default: str = "") -> Any:
        """The Python value; `default` is the type that the list around it says its items have."""
        match = _TYPE.fullmatch(self.attributes.get("type") or self.attributes.get("dtype") or default)
        kind, inner = (_TYPES.get(match[1].lower()), match[2] or "") if match else (None, "")
        kind = kind or self._guess()
        if kind == "list":
            return [child.value(inner) for child in self.children] if self.children else self._json(list)
        if kind == "dict":
            inner = inner.partition(",")[2]
            return _fields(self.children, f"<{self.tag}>", inner) if self.children else self._json(dict)
        text = "".join(self.text)
        if self.attributes.get("encoding") == "json":
            return self._json(str)
        return _scalar(kind, text.strip(), f"<{self.tag}>")

    def _guess(self) -> str:
        tags = {child.tag for child in self.children}
        if not tags:
            return "str"
        return (
            "list" if tags == {"item"} or (len(tags) == 1 and len(self.children) > 1 and tags != {"entry"}) else "dict"
        )

    def _json(self, kind: type) -> Any:
        """The content as JSON: some models write it into a list or a dict."""
        text = "".join(self.text).strip()
        if not text and kind is not str:
            return kind()
        try:
            value = json.loads(text, parse_constant=_refuse)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, kind):
            raise ValueError(f"<{self.tag}> should hold a {kind.__name__}, and holds {short(text)}")
        return value


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _fields(elements: Iterable[_Element], where: str, inner: str = "") -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for element in elements:
        if element.key in fields:
            raise ValueError(f"{where} holds <{element.key}> twice; write a list for several values")
        fields[element.key] = element.value(inner)
    return fields


def _scalar(kind: str, text: str, where: str) -> Any:
    if kind == "str":
        return text
    lower = text.lower()
    if kind == "null" and lower in ("", "null", "none", "nil"):
        return None
    if kind == "bool" and lower in ("true", "false", "1", "0", "yes", "no"):
        return lower in ("true", "1", "yes")
    if kind in ("int", "float"):
        try:
            number = int(text) if kind == "int" else float(text)
            if kind == "int" or math.isfinite(number):
                return number
        except ValueError:
            pass
    raise ValueError(f'{where} has type="{kind}", and holds {short(text)}')


def _parse(text: str) -> _Element:
    fence = _FENCE.search(text)
    body = _HEADER.sub("", fence[1] if fence else text, count=1)
    root = _Element("", {})
    path = [root]

    def start(tag: str, attributes: dict[str, str]) -> None:
        if len(path) > MAX_DEPTH + 1:  # one is ours, around the answer
            raise ValueError(f"the XML is nested more than {MAX_DEPTH} levels deep")
        element = _Element(tag, attributes)
        path[-1].children.append(element)
        path.append(element)

    def end(_: str) -> None:
        closed = path.pop()
        if path[1:]:  # markup inside of a text is text too
            path[-1].text.extend(closed.text)

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = lambda data: path[-1].text.append(data)  # noqa: PLW0108  # the last one changes
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = parser.ProcessingInstructionHandler = _hostile
    try:
        parser.Parse(f"<_>{_MARKS.sub(_mend, body)}</_>", True)
    except expat.ExpatError as error:
        raise ValueError(f"the XML is broken in line {error.lineno}: {expat.ErrorString(error.code)}") from None
    except UnicodeEncodeError:
        raise ValueError("the XML holds a lone surrogate, which UTF-8 cannot carry") from None
    return root.children[0]


def _mend(match: re.Match[str]) -> str:
    """A bare `&` or `<` is text; a declaration is no part of an answer."""
    if match["whole"]:
        return match[0]
    return _hostile() if match["bad"] else escape(match[0])


def _hostile(*_: Any) -> str:
    raise ValueError("the XML holds a DOCTYPE, an entity or a processing instruction, which is refused: write elements")


def encode(value: Mapping[str, Any]) -> str:
    """The dict as typed XML; `decode` gives an equal one back.

    Raises:
        ValueError: no dict, a key that XML cannot carry, a value that JSON does not know, or too deep.
    """
    if not isinstance(value, Mapping):
        raise ValueError(f"typed XML is made of a dict, not of {type(value).__name__}")
    return "\n".join(_lines("response", "", value, 0))


def _lines(tag: str, key: str, value: Any, depth: int) -> Iterable[str]:
    if depth >= MAX_DEPTH:
        raise ValueError(f"the value is nested more than {MAX_DEPTH - 1} levels deep")
    pad = "  " * depth
    if isinstance(value, (Mapping, list, tuple)):
        kind = "dict" if isinstance(value, Mapping) else "list"
        yield f'{pad}<{tag} type="{kind}"{key}>'
        pairs = value.items() if isinstance(value, Mapping) else (("item", item) for item in value)
        for name, item in pairs:
            yield from _lines(*_tag(name), item, depth + 1)
        yield f"{pad}</{tag}>"
        return
    kind, text = _text(value)
    opening = f"{pad}<{tag} type={kind}{key}"
    yield f"{opening}/>" if value is None else f"{opening}>{text}</{tag}>"


def _tag(name: Any) -> tuple[str, str]:
    if not isinstance(name, str) or _JSON_ONLY.sub("", name.replace("\r", "")) != name.replace("\r", ""):
        raise ValueError(f"the key {name!r:.80} cannot be written as XML; use a str without control characters")
    if _NAME.fullmatch(name):
        return name, ""
    quoted = quoteattr(name, {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})
    return "entry", f" key={quoted}"


def _text(value: Any) -> tuple[str, str]:
    """The type as an attribute's value, and the content."""
    if value is None:
        return '"null"', ""
    if isinstance(value, bool):
        return '"bool"', str(value).lower()
    if isinstance(value, int):
        return '"int"', str(int(value))
    if isinstance(value, float) and math.isfinite(value):
        return '"float"', repr(float(value))
    if not isinstance(value, str):
        raise ValueError(
            f"{value!r:.80} is a value that typed XML does not know; use str, number, bool, None, list or dict"
        )
    if value != value.strip() or _JSON_ONLY.search(value):
        return '"str" encoding="json"', escape(json.dumps(value))
    return '"str"', escape(value)


typed_parser_registry: dict[str, TypedXML] = {"typed_xml": TypedXML()}
"""The typed parsers by name, as `typed_parser="typed_xml"` looks them up."""
