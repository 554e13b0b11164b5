"""A type becomes a schema that strict mode takes, and an answer becomes an object of the type."""

import copy
import dataclasses
import datetime
import enum
import gc
import json
import pickle
import subprocess
import sys
import timeit
import typing
import weakref
from typing import Annotated, Any, Literal, NotRequired, Optional, TypedDict

import jsonschema
import msgspec
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magma.errors import ConfigError
from magma.parsers.schema import Schema, schema_of

EVENT = '{"name": "science fair", "date": "Friday", "participants": ["Alice", "Bob"]}'
PLAIN = {"name": "science fair", "date": "Friday", "participants": ["Alice", "Bob"]}


class StructEvent(msgspec.Struct):
    """An event."""

    name: str
    date: str
    participants: list[str]


class ModelEvent(pydantic.BaseModel):
    """An event."""

    name: str
    date: str
    participants: list[str]


@dataclasses.dataclass
class DataEvent:
    """An event."""

    name: str
    date: str
    participants: list[str]


@pydantic.dataclasses.dataclass
class PydanticDataEvent:
    """An event."""

    name: str
    date: str
    participants: list[str]


class DictEvent(TypedDict):
    """An event."""

    name: str
    date: str
    participants: list[str]


EVENTS = [StructEvent, ModelEvent, DataEvent, PydanticDataEvent, DictEvent]


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mixed(enum.Enum):
    ONE = 1
    HALF = 0.5


class Cat(msgspec.Struct, tag="cat"):
    lives: int = 9


class Dog(msgspec.Struct, tag="dog"):
    name: str


class Node(msgspec.Struct):
    value: int
    children: list["Node"] = []
    parent: Optional["Node"] = None


class ModelNode(pydantic.BaseModel):
    value: int
    children: list["ModelNode"] = []


class Defaults(msgspec.Struct):
    name: str
    age: int = 18
    nick: str | None = "none yet"
    pet: Cat | Dog = msgspec.field(default_factory=Cat)


class ModelDefaults(pydantic.BaseModel):
    name: str
    age: int = 18
    nick: str | None = "none yet"
    pets: list["ModelPet"] = []


class ModelPet(pydantic.BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9


@dataclasses.dataclass
class DataDefaults:
    name: str
    age: int = 18
    inner: "DataInner | None" = None


@dataclasses.dataclass
class DataInner:
    n: int = 3
    tags: list[str] = dataclasses.field(default_factory=list)


class DictDefaults(TypedDict):
    name: str
    age: NotRequired[int]


def strict_faults(node: Any, at: str = "$") -> list[str]:
    """Where a schema breaks OpenAI's strict rules."""
    faults = []
    if "$ref" in node and len(node) > 1:
        faults.append(f"{at}: siblings of $ref")
    faults += [f"{at}: {word}" for word in ("default", "oneOf", "allOf", "title", "minLength") if word in node]
    if node.get("type") == "object":
        properties = node["properties"]
        if node.get("additionalProperties") is not False or node["required"] != list(properties):
            faults.append(f"{at}: not closed")
        for name, child in properties.items():
            faults += strict_faults(child, f"{at}.{name}")
    if not node.keys() & {"type", "anyOf", "$ref"}:
        faults.append(f"{at}: no type")
    for child in [
        *node.get("anyOf", []),
        *node.get("$defs", {}).values(),
        *([node["items"]] if "items" in node else []),
    ]:
        faults += strict_faults(child, f"{at}/")
    return faults


@pytest.mark.parametrize("kind", EVENTS)
def test_every_kind_of_class(kind):
    schema = schema_of(kind)
    assert schema.name == kind.__name__
    assert schema.description == "An event."
    assert schema.strict
    assert not schema.wrapped
    sent = schema.json_schema
    assert list(sent["properties"]) == sent["required"] == ["name", "date", "participants"]
    assert strict_faults(sent) == []
    typed, plain = schema.decode(EVENT)
    assert plain == PLAIN
    assert list(plain) == list(PLAIN)
    assert type(typed) is (dict if kind is DictEvent else kind)


STRICT = [
    *EVENTS,
    Colour,
    Level,
    Mixed,
    Cat | Dog,
    Node,
    ModelNode,
    Defaults,
    ModelDefaults,
    DataDefaults,
    DictDefaults,
]
STRICT += [
    Literal["a", 1, None],
    int,
    str,
    float,
    bool,
    list[int],
    list[Defaults],
    Defaults | None,
    ModelEvent | None,
]
STRICT += [
    Annotated[int, pydantic.Field(gt=0)],
    Annotated[str, msgspec.Meta(min_length=2)],
    ModelEvent | ModelPet,
    set[int],
]


@pytest.mark.parametrize("kind", STRICT, ids=str)
def test_strict_mode_takes_it(kind):
    schema = schema_of(kind)
    assert schema.strict
    assert strict_faults(schema.json_schema) == []
    assert schema.json_schema["type"] == "object"
    jsonschema.Draft202012Validator.check_schema(schema.json_schema)
    assert schema_of(kind) is schema
    assert json.dumps(schema.response_format())


@pytest.mark.parametrize(
    ("kind", "value", "typed", "plain"),
    [
        (Colour, "red", Colour.RED, "red"),
        (Level, 2, Level.HIGH, 2),
        (Mixed, 0.5, Mixed.HALF, 0.5),
        (Literal["a", 1, None], "a", "a", "a"),
        (Literal[True, "x"], True, True, True),
        (int, 3, 3, 3),
        (str, "hi", "hi", "hi"),
        (float, 1, 1.0, 1.0),
        (bool, False, False, False),
        (list[int], [1, 2], [1, 2], [1, 2]),
        (Cat | Dog, {"type": "dog", "name": "Rex"}, Dog("Rex"), {"type": "dog", "name": "Rex"}),
        (Cat | None, None, None, None),
        (list[datetime.date], ["2024-05-01"], [datetime.date(2024, 5, 1)], ["2024-05-01"]),
        (ModelPet | ModelEvent, {"kind": "cat", "lives": 1}, ModelPet(lives=1), {"kind": "cat", "lives": 1}),
        (dict[str, int], {"a": 1}, {"a": 1}, {"a": 1}),
    ],
)
def test_what_is_no_object_travels_wrapped_and_comes_back_either_way(kind, value, typed, plain):
    schema = schema_of(kind)
    assert schema.wrapped is (kind != dict[str, int])
    texts = [json.dumps(value)] + ([json.dumps({"value": value})] if schema.wrapped else [])
    for text in texts:
        for answer in (text, f"```json\n{text}\n```"):
            found = schema.decode(answer)
            assert found == (typed, plain)
            assert type(found[0]) is type(typed)
    if schema.wrapped:
        with pytest.raises(ValueError, match=r"^\$|must|expected"):
            schema_of(int).decode('{"value": {"value": 1}}')


@pytest.mark.parametrize(
    ("kind", "text", "plain"),
    [
        (Defaults, '{"name": "A", "age": null, "nick": null, "pet": null}', {"name": "A", "age": 18, "nick": None, "pet": {"type": "cat", "lives": 9}}),
        (Defaults, '{"name": "A", "age": 1, "nick": "x", "pet": {"type": "cat", "lives": null}}', {"name": "A", "age": 1, "nick": "x", "pet": {"type": "cat", "lives": 9}}),
        (Defaults, '{"name": "A"}', {"name": "A", "age": 18, "nick": "none yet", "pet": {"type": "cat", "lives": 9}}),
        (ModelDefaults, '{"name": "A", "age": null, "nick": null, "pets": [{"kind": null, "lives": null}]}', {"name": "A", "age": 18, "nick": None, "pets": [{"kind": "cat", "lives": 9}]}),
        (DataDefaults, '{"name": "A", "age": null, "inner": {"n": null, "tags": null}}', {"name": "A", "age": 18, "inner": {"n": 3, "tags": []}}),
        (DictDefaults, '{"age": null, "name": "A"}', {"name": "A"}),
        (list[Defaults], '{"value": [{"name": "null", "age": null}]}', [{"name": "null", "age": 18, "nick": "none yet", "pet": {"type": "cat", "lives": 9}}]),
        (Node, '{"value": 1, "children": null, "parent": {"value": 2, "children": null, "parent": null}}', {"value": 1, "children": [], "parent": {"value": 2, "children": [], "parent": None}}),
    ],
)  # fmt: skip
def test_a_null_for_what_may_not_be_null_lets_the_default_apply(kind, text, plain):
    schema = schema_of(kind)
    typed, found = schema.decode(text)
    assert found == plain
    assert schema.decode(json.dumps(found)) == (typed, found)


def test_a_null_for_what_is_required_is_an_error():
    with pytest.raises(ValueError, match=r"\$\.name: expected str, got null"):
        schema_of(Defaults).decode('{"name": null}')


def test_free_keys_are_not_strict_and_stay():
    class Scores(msgspec.Struct):
        scores: dict[str, int]
        note: str = ""

    schema = schema_of(Scores)
    assert schema.strict is False
    assert schema.json_schema["properties"]["scores"]["additionalProperties"] == {"type": "integer"}
    assert schema.decode('{"scores": {"a": 1}}')[1] == {"scores": {"a": 1}, "note": ""}


def test_free_models_are_not_strict():
    class Open(pydantic.BaseModel, extra="allow"):
        a: int

    assert not schema_of(Open).strict
    assert schema_of(Open).decode('{"a": 1, "b": 2}')[1] == {"a": 1, "b": 2}


def test_a_models_own_rules_hold():
    class Strict(pydantic.BaseModel, strict=True, extra="forbid", frozen=True):
        count: int = pydantic.Field(alias="the count")

        @pydantic.field_validator("count")
        @classmethod
        def _even(cls, value: int) -> int:
            if value % 2:
                raise ValueError("must be even")
            return value

    schema = schema_of(Strict)
    assert schema.json_schema["required"] == ["the count"]
    assert schema.decode('{"the count": 2}')[1] == {"the count": 2}  # as it came, and as partial objects show it
    for text, message in [
        ('{"the count": 3}', r"^\$\.the count: value error, must be even, got int 3$"),
        ('{"the count": "2"}', r"^\$\.the count: input should be a valid integer, got str '2'$"),
        ('{"the count": 2, "x": 1}', r"^\$\.x: extra inputs"),
    ]:
        with pytest.raises(ValueError, match=message):
            schema.decode(text)


def test_descriptions_and_limits_reach_the_model():
    class Word(msgspec.Struct):
        text: Annotated[str, msgspec.Meta(description="One word", min_length=2)]
        count: Annotated[int, msgspec.Meta(ge=1)]

    properties = schema_of(Word).json_schema["properties"]
    assert properties["text"] == {"description": "One word (minLength: 2)", "type": "string"}
    assert properties["count"]["minimum"] == 1
    with pytest.raises(ValueError, match=r"^\$\.text: expected str of length >= 2$"):
        schema_of(Word).decode('{"text": "a", "count": 1}')


SCHEMA = {
    "title": "Person",
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}, "friend": {"$ref": "#"}},
    "required": ["name"],
}


def test_a_json_schema_is_sent_as_it_is():
    given_ = copy.deepcopy(SCHEMA)
    schema = schema_of(given_)
    assert schema.json_schema == SCHEMA
    assert (schema.name, schema.strict, schema.wrapped) == ("Person", False, False)
    assert schema_of(copy.deepcopy(SCHEMA)) is schema
    given_["properties"]["name"]["type"] = "integer"
    schema.json_schema["properties"].clear()
    assert schema.json_schema == SCHEMA
    typed, plain = schema.decode('{"name": "A", "friend": {"name": "B"}, "more": null}')
    assert typed == plain == {"name": "A", "friend": {"name": "B"}, "more": None}


@pytest.mark.parametrize(
    "given_",
    [
        {
            "type": "json_schema",
            "json_schema": {"name": "my person!", "schema": SCHEMA, "strict": True, "description": "A"},
        },
        {"name": "my person!", "schema": SCHEMA, "strict": True, "description": "A"},
    ],
)
def test_openais_envelopes(given_):
    schema = schema_of(given_)
    inner = {"name": "my_person", "schema": SCHEMA, "strict": True, "description": "A"}
    assert schema.response_format() == {"type": "json_schema", "json_schema": inner}
    parameters = {"name": "my_person", "description": "A", "parameters": SCHEMA, "strict": True}
    assert schema.tool() == {"type": "function", "function": parameters}
    assert json.dumps(SCHEMA, separators=(",", ":")) in schema.instruction()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"name": "A", "age": "x"}', r"^\$\.age: expected integer, got str 'x'$"),
        ('{"name": "A", "age": -1}', r"^\$\.age: -1 is less than the minimum of 0$"),
        ("{}", r"^\$: 'name' is a required property$"),
        ('{"name": "A", "friend": {"name": 1}}', r"^\$\.friend\.name: expected string, got int 1$"),
        ("[]", r"^\$: expected object, got list an array of 0$"),
        ("", r"^the answer is empty$"),
    ],
)
def test_a_json_schema_is_checked(text, message):
    with pytest.raises(ValueError, match=message):
        schema_of(SCHEMA).decode(text)


def test_json_schemas_of_arrays_travel_wrapped():
    schema = schema_of({"type": "array", "items": {"$ref": "#/$defs/n"}, "$defs": {"n": {"type": "integer"}}})
    assert schema.wrapped
    jsonschema.validate({"value": [1]}, schema.json_schema)
    assert schema.decode('{"value": [1]}') == schema.decode("[1]") == ([1], [1])


def test_nothing_is_fetched(monkeypatch):
    import socket
    import urllib.request

    monkeypatch.setattr(socket, "socket", None)
    monkeypatch.setattr(urllib.request, "urlopen", None)
    for reference in ("https://example.com/person.json", "#/$defs/missing", "file:///etc/passwd", "other.json"):
        with pytest.raises(ConfigError, match="not in it"):
            schema_of({"type": "object", "properties": {"a": {"$ref": reference}}})
    with pytest.raises(ConfigError, match="not in it"):
        schema_of({"$id": "https://example.com/a", "$ref": "b.json"}).decode("{}")


@pytest.mark.parametrize(
    "kind",
    [
        object,
        bytes,
        None,
        3,
        "Person",
        Cat(),
        ModelPet(),
        list,
        dict,
        Any,
        typing.Callable,
        complex,
        list[object],
        enum.Enum,
        [int],
        (int, str),
        lambda: None,
        json,
        True,
        msgspec.UNSET,
        Literal,
        Colour.RED,
        int | bytes,
        list[complex],
    ],
    ids=lambda kind: type(kind).__name__,
)
def test_anything_else_is_refused(kind):
    with pytest.raises(ConfigError, match=r"is no schema.*: give a pydantic model") as caught:
        schema_of(kind)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ({"type": "strin"}, r"broken at \$\.type"),
        ({"type": "object", "properties": []}, "broken at"),
        ({"type": "json_object"}, "json_object"),
        ({"type": "json_schema"}, "needs"),
        ({"type": "json_schema", "json_schema": {"name": "x"}}, "needs a schema"),
        ({"type": "object", "default": object()}, "JSON cannot carry"),
        (StructEvent | Node, "tag=True"),
    ],
)
def test_broken_schemas_are_refused(kind, message):
    with pytest.raises(ConfigError, match=message):
        schema_of(kind)


def test_a_forward_reference_to_nothing_is_a_config_error():
    class Broken(msgspec.Struct):
        other: "Nowhere"  # noqa: F821

    class BrokenModel(pydantic.BaseModel):
        other: "Nowhere"  # noqa: F821

    for kind in (Broken, BrokenModel):
        with pytest.raises(ConfigError, match=r"Nowhere|not fully defined"):
            schema_of(kind)


HOSTILE = [
    ("", "^the answer is empty$"),
    ("  \n ", "^the answer is empty$"),
    ("I cannot do that.", "^the answer is not JSON: it begins with 'I cannot do that.'$"),
    ('{"a": NaN}', "^the answer is not JSON: "),
    ('{"a": Infinity}', "^the answer is not JSON: "),
    ('{"a": 1e999}', r"^\$.*out of range$|^the answer is not JSON: number out of range$"),
    ('{"a": 1}}', "^the answer is not one JSON value"),
    ('{"a": 1} {"a": 2}', "^the answer is not one JSON value"),
    ('{"a": 1}, {"a": 2}', "^the answer is not one JSON value"),
    ('{"a": 1}x', "^the answer is not one JSON value"),
    ('{"a": 1', "^the answer is not JSON: it is cut off$"),
    ('{"outer": {"a": 1}, "b', "^the answer is not JSON: it is cut off$"),
    ("{'a': 1}", "^the answer is not JSON: "),
    ('{"value": {"a": 1}}', r"^\$"),
    ('{"a": "' + "x" * 5000 + '"}', r"^\$\.a: "),
    ("[" * 100_000, "."),
    ('{"a":' * 100_000 + "1" + "}" * 100_000, "."),
    ("[" * 100 + "]" * 100, r"^\$"),
    ("\ud800", "^the answer is not JSON: it begins with"),
    ('{"a": "\ud800"}', "lone surrogate"),
    ("null", r"^\$"),
]


class StructA(msgspec.Struct):
    a: float


class ModelA(pydantic.BaseModel):
    a: float


KINDS_A = [StructA, ModelA, {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]}]


@pytest.mark.parametrize("kind", KINDS_A, ids=["msgspec", "pydantic", "jsonschema"])
@pytest.mark.parametrize(("text", "message"), HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_wrong_is_said_in_one_sentence(kind, text, message):
    with pytest.raises(ValueError, match=message) as caught:
        schema_of(kind).decode(text)
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)
    assert type(caught.value).__name__ in ("ValueError", "MisfitError")


def test_deep_answers_of_recursive_types():
    deep = '{"value": 1, "children": [' * 5000 + "]}" * 5000
    recursive = {"$defs": {"n": {"type": "array", "items": {"$ref": "#/$defs/n"}}}, "$ref": "#/$defs/n"}
    for kind, text in [(Node, deep), (ModelNode, deep), (recursive, "[" * 900 + "]" * 900)]:
        with pytest.raises(ValueError, match=r"nested too deeply|recursion|not JSON"):
            schema_of(kind).decode(text)


@pytest.mark.parametrize(
    "text",
    [
        EVENT,
        f"```json\n{EVENT}\n```",
        f"```\n{EVENT}```",
        f"~~~JSON\n{EVENT}\n~~~",
        f"```json\n{EVENT}",
        f"Sure! {EVENT} Bye.",
        f"\ufeff{EVENT}",
        f"As in [1, see] and {{x}}:\n\n{EVENT}\n\nIt's done.",
    ],
)
@pytest.mark.parametrize("kind", EVENTS)
def test_answers_in_any_wrapping(kind, text):
    assert schema_of(kind).decode(text)[1] == PLAIN


def test_places_deep_inside():
    with pytest.raises(ValueError, match=r"^\$\.children\[1\]\.value: expected int, got str 'x'$"):
        schema_of(Node).decode('{"value": 1, "children": [{"value": 2}, {"value": "x"}]}')
    with pytest.raises(ValueError, match=r"^\$\.value\[1\]: expected int, got str 'x'$"):
        schema_of(list[int]).decode('{"value": [1, "x"]}')
    with pytest.raises(ValueError, match=r"^\$: object missing required field date$"):
        schema_of(StructEvent).decode('{"name": "x"}')


def test_names_fit_every_provider():
    long = msgspec.defstruct("L" * 100, [("x", int)])
    names = [
        schema_of(kind).name
        for kind in (
            msgspec.defstruct("Größe", ["x"]),
            long,
            list[StructEvent],
            Cat | Dog,
            Literal["a"],
            {"type": "object"},
        )
    ]
    assert names == ["Gr_e", "L" * 64, "list_StructEvent", "Cat_or_Dog", "Literal", "answer"]


def test_a_schema_is_frozen_and_pickles():
    schema = schema_of(StructEvent)
    for name in ("name", "_plan", "other"):
        with pytest.raises(AttributeError):
            setattr(schema, name, 1)
    assert pickle.loads(pickle.dumps(schema)) is schema
    assert copy.deepcopy(schema) is schema
    assert schema_of(schema) is schema
    assert repr(schema) == "<Schema StructEvent strict>"
    assert isinstance(schema, Schema)
    dicts = schema_of(SCHEMA)
    assert pickle.loads(pickle.dumps(dicts)) is dicts
    envelope = schema_of({"name": "x", "schema": SCHEMA, "strict": True})
    assert pickle.loads(pickle.dumps(envelope)).strict


@pytest.mark.parametrize("base", [msgspec.Struct, pydantic.BaseModel, object])
def test_classes_are_not_kept_alive(base):
    kind = type("Short", (base,), {"__annotations__": {"x": int}, "__module__": __name__})
    kind = dataclasses.dataclass(kind) if base is object else kind
    schema = schema_of(kind)
    assert schema.decode('{"x": 1}')[1] == {"x": 1}
    alive = weakref.ref(kind)
    del kind
    gc.collect()
    assert alive() is not None  # as long as its schema is
    assert schema.decode('{"x": 1}')[1] == {"x": 1}
    del schema
    gc.collect()
    assert alive() is None


def test_the_error_pickles():
    with pytest.raises(ValueError, match=r"^\$: expected int, got str 'x'$") as caught:
        schema_of(int).decode('"x"')
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_the_plain_form_is_json():
    class Mixture(msgspec.Struct):
        pair: tuple[int, str]
        tags: frozenset[str]
        day: datetime.date
        counts: dict[int, int]

    text = '{"pair": [1, "a"], "tags": ["x"], "day": "2024-05-01", "counts": {"1": 2}}'
    assert schema_of(Mixture).decode(text)[1] == json.loads(text)
    assert schema_of(tuple[int, ...]).decode("[1, 2]") == ((1, 2), [1, 2])


def test_structs_and_pydantic_models_do_not_mix():
    class Outer(msgspec.Struct):
        inner: ModelA

    with pytest.raises(ConfigError, match="cannot be mixed"):
        schema_of(Outer)


def test_literals_that_are_equal_are_not_the_same():
    assert schema_of(list[Literal[1]]).decode("[1]") == ([1], [1])
    assert schema_of(list[Literal[True]]).decode("[true]")[1] == [True]


def _struct(pairs):
    kind = dataclasses.make_dataclass("Data", [(f"f{i}", pair[0]) for i, pair in enumerate(pairs)])
    return kind, st.fixed_dictionaries({f"f{i}": pair[1] for i, pair in enumerate(pairs)})


def _model(pairs):
    kind = pydantic.create_model("Model", **{f"f{i}": (pair[0], ...) for i, pair in enumerate(pairs)})
    return kind, st.fixed_dictionaries({f"f{i}": pair[1] for i, pair in enumerate(pairs)})


LEAVES = st.sampled_from([(int, st.integers(-(2**60), 2**60)), (str, st.text()), (bool, st.booleans()), (float, st.floats(allow_nan=False, allow_infinity=False))])  # fmt: skip
TYPES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        inner.map(lambda pair: (list[pair[0]], st.lists(pair[1], max_size=3))),
        inner.map(lambda pair: (pair[0] | None, st.none() | pair[1])),
        st.lists(inner, min_size=1, max_size=4).map(_struct),
        st.lists(inner, min_size=1, max_size=4).map(_model),
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_fits_comes_back(data):
    kind, values = data.draw(TYPES)
    value = data.draw(values)
    schema = schema_of(kind)
    assert schema.strict
    assert strict_faults(schema.json_schema) == []
    sent = {"value": value} if schema.wrapped else value
    jsonschema.validate(sent, schema.json_schema)
    text = json.dumps(sent)
    assert schema.decode(text)[1] == value
    assert schema.decode(f"Well:\n```json\n{text}\n```")[1] == value


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), st.text(alphabet='{}[]":,`~ aeu1\\\n'), st.text(alphabet='{"a":1}[]x `\n')))
def test_any_text_is_read_or_a_value_error(text):
    for kind in (*KINDS_A, int, Defaults, ModelDefaults):
        try:
            schema_of(kind).decode(text)
        except ValueError as error:
            assert len(str(error)) < 500  # noqa: PT017


def test_importing_the_schemas_loads_nothing_heavy():
    code = "import magma, sys; print([n for n in sys.modules if n.startswith('magma.parsers')]); import magma.parsers.schema; print([n for n in ('litellm', 'pydantic', 'jsonschema') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "[]"]


def test_decoding_a_struct_costs_little_more_than_reading_the_json():
    kind = msgspec.defstruct("Wide", [(f"field_{i}", [str, int, float, list[str], bool][i % 5]) for i in range(50)])
    text = json.dumps({f"field_{i}": ["some text here", i, i / 7, ["a", "b"], True][i % 5] for i in range(50)})
    decode = schema_of(kind).decode
    decode(text)
    ours = min(timeit.repeat(lambda: decode(text), number=300, repeat=9))
    theirs = min(timeit.repeat(lambda: msgspec.json.decode(text), number=300, repeat=9))
    assert ours <= 3 * theirs
