"""Functions become schemas, calls are read whatever a model wrote, results become messages."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import datetime
import enum
import functools
import json
import pickle
import threading
import typing
from typing import Annotated, Any, Literal, Optional, TypedDict

import jsonschema
import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magma import ConfigError
from magma.messages import to_messages
from magma.tools import ToolCall, ToolCalls, choose, read_calls, schema_of_function, tool_schemas


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Address(pydantic.BaseModel):
    title: str
    color: Color


class Window(msgspec.Struct):
    corner: Point
    panes: int = 2


class Row(TypedDict):
    cell: int


def parameters(function) -> dict[str, Any]:
    schema = schema_of_function(function)["function"]["parameters"]
    jsonschema.Draft202012Validator.check_schema(schema)
    return schema


def properties(function) -> dict[str, Any]:
    return parameters(function)["properties"]


def one_parameter(annotation: Any, default: Any = ...) -> dict[str, Any]:
    def tool(x): ...

    tool.__annotations__ = {"x": annotation}
    tool.__defaults__ = None if default is ... else (default,)
    return parameters(tool)


# --- a function's schema


def get_weather(location: str, unit: Literal["celsius", "fahrenheit"] = "celsius"):
    """Get current weather
    for a location.

    More about it.

    Args:
        location (str): City and
            country: e.g. Paris, France.
        unit: Temperature unit

    Returns:
        location: not a parameter's text
    """


def test_a_function_is_a_schema():
    assert schema_of_function(get_weather) == {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Get current weather for a location.",
            "parameters": {
                "type": "object",
                "properties": {
                    "location": {"type": "string", "description": "City and country: e.g. Paris, France."},
                    "unit": {
                        "type": "string",
                        "enum": ["celsius", "fahrenheit"],
                        "description": "Temperature unit",
                        "default": "celsius",
                    },
                },
                "required": ["location"],
                "additionalProperties": False,
            },
        },
    }


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (str, {"type": "string"}),
        ("int", {"type": "integer"}),
        (float, {"type": "number"}),
        (bool, {"type": "boolean"}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (list["int"], {"type": "array", "items": {"type": "integer"}}),
        (dict[str, bool], {"type": "object", "additionalProperties": {"type": "boolean"}}),
        (Optional[int], {"anyOf": [{"type": "integer"}, {"type": "null"}]}),  # noqa: UP045
        (int | str, {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (datetime.date, {"type": "string", "format": "date"}),
        (datetime.datetime, {"type": "string", "format": "date-time"}),
        (Annotated[int, "How many"], {"type": "integer", "description": "How many"}),
        (Annotated[int, pydantic.Field(ge=1, description="n")], {"type": "integer", "minimum": 1, "description": "n"}),
        (Any, {}),
    ],
)
def test_annotations(annotation, schema):
    assert one_parameter(annotation)["properties"]["x"] == schema


@pytest.mark.parametrize("kind", [Point, Address, Window, Row, list[Window], dict[str, Address], Color])
def test_types_with_fields_are_definitions_at_the_root(kind):
    schema = one_parameter(kind)
    text = json.dumps(schema)
    assert "$defs" in schema
    assert "$defs" not in text.replace('"$defs": {', "", 1).replace("#/$defs/", "")
    jsonschema.validate({"x": {}}, {**schema, "properties": {}, "additionalProperties": True})


def test_definitions_resolve_and_titles_are_gone_but_not_properties_of_that_name():
    schema = one_parameter(Address)
    jsonschema.validate({"x": {"title": "Dr", "color": "red"}}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"x": {"title": "Dr", "color": "green"}}, schema)
    assert schema["$defs"]["Address"]["properties"]["title"] == {"type": "string"}
    assert "title" not in schema["$defs"]["Address"]


def test_one_type_seen_by_pydantic_and_by_msgspec():
    def tool(point: Point, window: Window): ...

    schema = parameters(tool)
    jsonschema.validate({"point": {"x": 1}, "window": {"corner": {"x": 1}}}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"point": {"x": 1}, "window": {"corner": {"x": "a"}}}, schema)


def test_no_annotation_is_any_type():
    assert properties(lambda_like) == {"a": {}, "b": {"default": 1}}


def lambda_like(a, b=1): ...


def test_names_of_an_enclosing_function_resolve():
    class Inner(pydantic.BaseModel):
        n: int

    def tool(x: Inner):
        return Inner

    assert properties(tool)["x"] == {"$ref": "#/$defs/Inner"}


def test_a_return_annotation_that_nobody_can_read_does_no_harm():
    def tool(x: int) -> Nowhere: ...  # noqa: F821

    assert properties(tool) == {"x": {"type": "integer"}}


@pytest.mark.parametrize(
    ("default", "kept"),
    [(None, None), (3, 3), ("a", "a"), ([1], [1]), ((1, 2), [1, 2]), ({"a": 1}, {"a": 1}), (Color.RED, "red")],
)
def test_a_default_is_kept(default, kept):
    schema = one_parameter(Any, default)
    assert schema["properties"]["x"] == {"default": kept}
    assert schema["required"] == []


@pytest.mark.parametrize("default", [object(), float("nan"), b"x", print, "\ud800"])
def test_a_default_that_json_cannot_carry_is_left_out(default):
    schema = one_parameter(Any, default)
    assert schema["properties"]["x"] == {}
    assert schema["required"] == []


def test_any_other_keyword_is_allowed_by_two_stars():
    def tool(a: int, **others): ...

    assert parameters(tool)["additionalProperties"] is True
    assert list(properties(tool)) == ["a"]


def numpy_style(x, y, z=1):
    """Sum.

    Parameters
    ----------
    x : int
        The x.
        More: of it.
    y, z : float, optional
        Both.

    Returns
    -------
    int
        x
    """


def sphinx_style(x, y, z=1):
    """Sum.

    :param int x: The x.
        More: of it.
    :param y: Both.
    :type y: float
    :param z: Both.
    :returns: x
    """


def google_style(x, y, *, z=1):
    """Sum.

    Parameters:
        x: The x.
          More: of it.
        y (Optional[int], default 3): Both.

        z: Both.
    Raises:
        x: never
    """


@pytest.mark.parametrize("function", [numpy_style, sphinx_style, google_style])
def test_docstrings(function):
    assert schema_of_function(function)["function"]["description"] == "Sum."
    told = {name: schema["description"] for name, schema in properties(function).items()}
    assert told == {"x": "The x. More: of it.", "y": "Both.", "z": "Both."}


def test_a_docstring_without_summary_and_none_at_all():
    def only(x):
        """Args:
        x: The x.
        """

    assert "description" not in schema_of_function(only)["function"]
    assert "description" not in schema_of_function(lambda_like)["function"]


@given(st.text())
def test_any_docstring_is_read(text):
    def tool(x): ...

    tool.__doc__ = text
    assert properties(tool).keys() == {"x"}


class Thing:
    """A thing."""

    def method(self, a: int):
        """Method."""

    @classmethod
    def made(cls, a: int): ...

    @staticmethod
    def static(a: int): ...

    async def later(self, a: int): ...

    def __call__(self, a: int): ...


@functools.wraps(Thing.static)
def wrapped(*args, **kwargs): ...


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (Thing().method, "method"),
        (Thing.made, "made"),
        (Thing.static, "static"),
        (Thing().later, "later"),
        (Thing(), "Thing"),
        (functools.partial(Thing()), "Thing"),
        (wrapped, "static"),
        (functools.partial(Thing().method), "method"),
    ],
)
def test_everything_that_is_called(function, name):
    schema = schema_of_function(function)["function"]
    assert schema["name"] == name
    assert schema["parameters"]["properties"] == {"a": {"type": "integer"}}


def test_an_object_that_is_called_is_described_by_its_class():
    assert schema_of_function(Thing())["function"]["description"] == "A thing."


def test_what_a_partial_binds_is_hidden():
    bound = functools.partial(get_weather, unit="celsius")
    assert list(properties(bound)) == ["location"]
    assert "celsius" not in json.dumps(schema_of_function(bound))


def test_the_schema_is_the_callers_own():
    schema_of_function(get_weather)["function"]["parameters"]["properties"].clear()
    assert properties(get_weather)


def stars(*args): ...


def positional(a, /): ...


def unknown(a: Nowhere): ...  # noqa: F821


def strange(a: Thing): ...


def callback(a: typing.Callable[[int], int]): ...


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (stars, r"\*args"),
        (positional, "by name"),
        (unknown, "Nowhere.*import"),
        (strange, "no JSON schema for a"),
        (callback, "no JSON schema for a"),
        (lambda x: x, "lambda"),
        (Thing.method, "without its object"),
        (Thing, "is no function"),
        (len, "by name"),
    ],
)
def test_what_no_schema_can_say_is_a_config_error(function, told):
    with pytest.raises(ConfigError, match=told):
        schema_of_function(function)


# --- lists of tools


ADD = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}


def test_mixed_tools():
    tools = (ADD, get_weather, {"name": "stop", "description": "Stops.", "parameters": {}}, {"type": "web_search"})
    before = copy.deepcopy(tools[0])
    made = tool_schemas(tools)
    assert [tool["type"] for tool in made] == ["function", "function", "function", "web_search"]
    assert made[2]["function"] == {"name": "stop", "description": "Stops.", "parameters": {}}
    made[0]["function"]["name"] = "changed"
    assert before == ADD


def test_one_function_and_none():
    assert tool_schemas(get_weather) == [schema_of_function(get_weather)]
    assert tool_schemas(None) is None
    assert tool_schemas([]) is None


@pytest.mark.parametrize(
    ("tools", "told"),
    [
        ("x", "list"),
        (b"x", "list"),
        (3, "list"),
        (ADD, "list"),
        ([1], r"tools\[0\]"),
        ([{}], r"tools\[0\]"),
        ([{"type": 3}], r"tools\[0\]"),
        ([{"type": "function"}], "needs"),
        ([{"type": "function", "function": {"name": 3}}], "needs"),
        ([{"name": "a b"}], "rename"),
        ([{"name": ""}], "rename"),
        ([{"name": "a\n"}], "rename"),
        ([{"name": "ä"}], "rename"),
        ([{"name": "a" * 65}], "rename"),
        ([{"name": "a", "parameters": "x"}], "JSON schema"),
        ([{"name": "a", "parameters": {"x": object()}}], "object"),
        ([ADD, ADD], "'add'"),
        ([get_weather, {"name": "get_weather"}], "'get_weather'"),
    ],
)
def test_bad_tools(tools, told):
    with pytest.raises(ConfigError, match=told):
        tool_schemas(tools)


SHAPE = {"type": "function", "function": {"name": "get_weather"}}


@pytest.mark.parametrize(
    ("choice", "made"),
    [
        (None, None),
        ("auto", "auto"),
        ("required", "required"),
        ("any", "required"),
        ("none", "none"),
        ("get_weather", SHAPE),
        (get_weather, SHAPE),
        ({"type": "function", "name": "get_weather"}, SHAPE),
        ({"type": "tool", "name": "get_weather"}, SHAPE),
        (SHAPE, SHAPE),
        ({"type": "auto"}, "auto"),
        ({"type": "any"}, "required"),
        ({"type": "none"}, "none"),
        ({"type": "required"}, "required"),
        ({"type": "web_search"}, {"type": "web_search"}),
    ],
)
def test_choices(choice, made):
    assert choose(choice, tool_schemas([get_weather, {"type": "web_search"}])) == made


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ("subtract", "get_weather; not 'subtract'"),
        (test_choices, "get_weather; not 'test_choices'"),
        ({"type": "tool", "name": "x"}, "not 'x'"),
        ({"type": "function"}, "must be"),
        ({"name": "get_weather"}, "must be"),
        ({"type": "auto", "disable_parallel_tool_use": True}, "parallel_tool_calls"),
        ({}, "must be"),
        (3, "must be"),
        (["auto"], "must be"),
    ],
)
def test_bad_choices(choice, told):
    with pytest.raises(ConfigError, match=told):
        choose(choice, tool_schemas([get_weather]))


def test_a_choice_needs_tools():
    with pytest.raises(ConfigError, match="needs tools"):
        choose("auto", None)


# --- calls


def call(arguments: Any = "{}", id: Any = "a", name: Any = "add") -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize(
    ("raw", "arguments"),
    [
        ('{"a": 1}', {"a": 1}),
        ({"a": 1}, {"a": 1}),
        (None, {}),
        ("", {}),
        (" ", {}),
        ('{"a": 1, "a": 2}', {"a": 2}),
        ('{"a": 123456789012345678901234567890}', {"a": 123456789012345678901234567890}),
        ('{"a": "Ö"}', {"a": "Ö"}),
    ],
)
def test_arguments(raw, arguments):
    (read,) = read_calls([call(raw)])
    assert (read.arguments, read.invalid) == (arguments, None)


@pytest.mark.parametrize(
    "raw",
    ['{"a": 1', "x", "[1]", "3", '"{}"', "null", '{"a": NaN}', '{"a": Infinity}', '{"a": 1e999}', "[" * 100_000],
)
def test_broken_arguments_are_kept_and_never_empty(raw):
    (read,) = read_calls([call(raw)])
    assert read.arguments is None
    assert read.raw == raw
    assert "arguments are not" in read.invalid


def test_arguments_that_came_as_a_dict_with_nan_are_broken_too():
    assert read_calls([call({"a": float("nan")})])[0].invalid


def test_a_call_without_a_name_is_invalid():
    assert read_calls([{"id": "a", "function": None}])[0].invalid == "the model named no tool"


@pytest.mark.parametrize(
    ("ids", "made"),
    [
        (["a", "b"], ["a", "b"]),
        (["", None, "c"], ["call_1", "call_2", "c"]),
        (["a", "a", "a"], ["a", "a#2", "a#3"]),
        (["a", "a", "a#2"], ["a", "a#3", "a#2"]),
        (["", "call_1"], ["call_1#2", "call_1"]),
        ([7], ["7"]),
    ],
)
def test_every_call_has_an_id_of_its_own(ids, made):
    assert [read.id for read in read_calls([call(id=id) for id in ids])] == made


@pytest.mark.parametrize("calls", [None, [], "x", 3, {}, [3], ["x"], [None]])
def test_no_calls(calls):
    assert read_calls(calls) == ()


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "function", "name", "arguments", "x"]), inner, max_size=4)
    ),
)


@given(st.lists(ANYTHING))
def test_whatever_a_provider_says_can_be_read_and_answered(calls):
    read = read_calls(calls)
    assert len({one.id for one in read}) == len(read)
    found = ToolCalls(read, {"tool_calls": calls})
    found.insert_results({one.id: None for one in read})
    messages = found.get_messages()
    assert [message["tool_call_id"] for message in messages[1:]] == [sent["id"] for sent in messages[0]["tool_calls"]]
    assert all(isinstance(json.loads(sent["function"]["arguments"]), dict) for sent in messages[0]["tool_calls"])


# --- results


def calls_of(*calls: dict[str, Any], **others: Any) -> ToolCalls:
    return ToolCalls(
        read_calls(list(calls)), {"role": "assistant", "content": None, **others, "tool_calls": list(calls)}
    )


def test_the_seed_s_tool_loop():
    found = calls_of(call('{"location": "Paris", "unit": "celsius"}', "c1", "get_weather"), call('{"a": 1}', "c2"))
    assert found.get_calls()[0] == {
        "id": "c1",
        "type": "function",
        "function": {"name": "get_weather", "arguments": {"location": "Paris", "unit": "celsius"}},
    }
    found.insert_results("c2", {"sum": 1})
    found.insert_results({"c1": "22°C"})
    messages = found.get_messages()
    assert messages == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                call('{"location": "Paris", "unit": "celsius"}', "c1", "get_weather"),
                call('{"a": 1}', "c2"),
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "name": "get_weather", "content": "22°C"},
        {"role": "tool", "tool_call_id": "c2", "name": "add", "content": '{"sum":1}'},
    ]
    assert to_messages(messages) == messages


def test_what_the_provider_put_beside_the_calls_comes_back():
    sent = {**call(), "provider_specific_fields": {"thought_signature": "s"}}
    blocks = [{"type": "thinking", "thinking": "x", "signature": "s"}]
    found = calls_of(sent, thinking_blocks=blocks)
    found.insert_results("a", "x")
    message = found.get_messages()[0]
    assert message["thinking_blocks"] == blocks
    assert message["tool_calls"] == [sent]


def test_ids_match_on_both_sides_where_the_provider_gave_none_or_one_twice():
    found = calls_of(call(id=None), call(id="a"), call(id="a"))
    found.insert_results({"call_1": 1, "a": 2, "a#2": 3})
    first, *rest = found.get_messages()
    assert [one["id"] for one in first["tool_calls"]] == ["call_1", "a", "a#2"]
    assert [(one["tool_call_id"], one["content"]) for one in rest] == [("call_1", "1"), ("a", "2"), ("a#2", "3")]


def test_missing_results_are_named():
    found = calls_of(call(id="a"), call(id="b"))
    found.insert_results("b", 1)
    with pytest.raises(ConfigError, match="missing for a;"):
        found.get_messages()


def test_an_unknown_id_is_an_error_and_nothing_is_taken():
    found = calls_of(call(id="a"), call(id="b"))
    with pytest.raises(ConfigError, match="'c'; the ids are a, b"):
        found.insert_results({"a": 1, "c": 2})
    with pytest.raises(ConfigError, match="missing for a, b"):
        found.get_messages()


@pytest.mark.parametrize("arguments", [("a",), ({"a": 1}, 2), (["a"], 1), (None, 1)])
def test_odd_inserts(arguments):
    with pytest.raises((ConfigError, TypeError)):
        calls_of(call()).insert_results(*arguments)


def test_a_broken_call_is_told_to_the_model():
    found = calls_of(call('{"a": '), call(id="b"))
    assert found.get_calls()[0]["function"]["arguments"] is None
    assert found.get_calls()[0]["raw"] == '{"a": '
    found.insert_results("b", 1)
    first, told, _ = found.get_messages()
    assert json.loads(first["tool_calls"][0]["function"]["arguments"]) == {"invalid": '{"a": '}
    assert told["content"].startswith("Error: the arguments are not JSON")
    found.insert_results("a", "mine")
    assert found.get_messages()[1]["content"] == "mine"


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ("plain", "plain"),
        ("", ""),
        (None, "null"),
        (3, "3"),
        (True, "true"),
        ({"a": [1, None]}, '{"a":[1,null]}'),
        ([Point(1)], '[{"x":1,"y":0}]'),
        (Window(Point(1)), '{"corner":{"x":1,"y":0},"panes":2}'),
        (Address(title="Dr", color=Color.RED), '{"title":"Dr","color":"red"}'),
        ({"a": Address(title="Dr", color=Color.RED)}, '{"a":{"title":"Dr","color":"red"}}'),
        (Color.RED, '"red"'),
        (datetime.date(2026, 1, 2), '"2026-01-02"'),
        (ValueError("no such city"), "Error: ValueError: no such city"),
        (KeyError("x"), "Error: KeyError: 'x'"),
    ],
)
def test_results(result, text):
    found = calls_of(call())
    found.insert_results("a", result)
    assert found.get_messages()[1]["content"] == text


def endless() -> list[Any]:
    loop: list[Any] = []
    loop.append(loop)
    return loop


@pytest.mark.parametrize("result", [b"x", bytearray(b"x"), object(), endless(), {"a": "\ud800"}, (x for x in "a")])
def test_results_that_are_no_data(result):
    with pytest.raises(ConfigError, match="result of 'a'"):
        calls_of(call()).insert_results("a", result)


def test_a_tool_that_was_not_awaited():
    later = asyncio.sleep(0)
    with pytest.raises(ConfigError, match="await"):
        calls_of(call()).insert_results("a", later)
    later.close()


def test_a_secret_in_an_exception_does_not_go_to_the_model(monkeypatch):
    monkeypatch.setenv("WEATHER_API_KEY", "hunter2-hunter2")
    found = calls_of(call())
    found.insert_results("a", RuntimeError("GET https://x?key=hunter2-hunter2"))
    assert "hunter2" not in found.get_messages()[1]["content"]


def test_a_later_result_replaces_an_earlier():
    found = calls_of(call())
    found.insert_results("a", 1)
    found.insert_results("a", 2)
    assert found.get_messages()[1]["content"] == "2"


def test_nothing_that_is_handed_out_or_in_is_shared():
    message = {"content": None, "tool_calls": [call('{"a": [1]}')]}
    before = copy.deepcopy(message)
    found = ToolCalls(read_calls(message["tool_calls"]), message)
    found.get_calls()[0]["function"]["arguments"]["a"].append(2)
    found.insert_results("a", 1)
    found.get_messages()[0]["tool_calls"].clear()
    assert message == before
    assert found.get_calls()[0]["function"]["arguments"] == {"a": [1]}
    assert found.get_messages()[0]["tool_calls"]


def test_it_is_a_sequence_of_tool_calls():
    found = calls_of(call('{"a": 1}', "a"), call("{", "b", "sub"))
    assert (len(found), bool(found), bool(calls_of())) == (2, True, False)
    assert [one.name for one in found] == ["add", "sub"]
    assert isinstance(found[0], ToolCall)
    assert found[0] in found
    assert found[-1:] == (found[1],)
    assert repr(found) == "<ToolCalls add(a=1), sub(invalid)>"


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_clones(clone):
    found = calls_of(call(id="a"), call(id="b"))
    found.insert_results("a", 1)
    made = clone(found)
    assert made == found
    made.insert_results("b", 2)
    assert made != found
    assert made.get_messages()[2]["content"] == "2"


def test_inserts_from_many_threads():
    found = calls_of(*(call(id=f"c{n}") for n in range(50)))
    threads = [threading.Thread(target=found.insert_results, args=(f"c{n}", n)) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [message["content"] for message in found.get_messages()[1:]] == [str(n) for n in range(50)]


def test_the_hints_of_the_module_resolve():
    assert typing.get_type_hints(ToolCalls.get_calls)
