"""What comes out: arithmetic of usage, costs with their source, mappings, round trips, reprs."""

import json
import pickle
from collections.abc import Mapping

import pytest

from magma import Attempt, Cost, Generation, Model, ToolCall, Usage
from magma.model._generation import usage
from magma.tools import read_calls

WHOLE = Generation(
    content="Hello there!",
    id="1",
    model="gpt-4o",
    usage=Usage(input_tokens=9, output_tokens=19, total_tokens=28, cache_read_tokens=4),
    cost=Cost(0.0002, input=0.00005, output=0.00015, source="litellm 1.106.2: gpt-4o"),
    finish_reason="stop",
    tool_calls=(ToolCall(id="c", name="add", arguments={"a": 1}, raw='{"a": 1}'),),
    reasoning="Hm.",
    warnings=("one",),
    attempts=(Attempt(number=1, model="openai/gpt-4o", status_code=200, seconds=0.5),),
    latency=0.6,
    raw={"choices": [{"message": {"role": "assistant", "content": "Hello there!"}}]},
)


def test_usage_adds_and_none_stays_none():
    both = Usage(input_tokens=9, output_tokens=3) + Usage(input_tokens=1, reasoning_tokens=2)
    assert both == Usage(input_tokens=10, output_tokens=3, reasoning_tokens=2)
    assert sum([both, both]).input_tokens == 20
    assert (Usage() + Usage()).input_tokens is None
    assert both.prompt_tokens == both.input_tokens
    assert both.completion_tokens == both.output_tokens


def test_it_pickles_and_goes_through_json():
    twins = [pickle.loads(pickle.dumps(WHOLE)), Generation.from_json(WHOLE.to_json())]
    for twin in twins:
        assert twin == WHOLE
        assert isinstance(twin.cost, Cost)
        assert (twin.cost.input, twin.cost.source) == (WHOLE.cost.input, WHOLE.cost.source)
        assert hash(twin) == hash(WHOLE)
    assert json.loads(json.dumps(WHOLE.to_dict()))["cost"] == 0.0002


@pytest.mark.parametrize("text", ["", "[]", "{", '{"content": 1, "usage": 3}', '{"cost": "much"}'])
def test_broken_json_is_a_value_error(text):
    with pytest.raises(ValueError):
        Generation.from_json(text)


def test_it_is_a_read_only_mapping():
    assert isinstance(WHOLE, Mapping)
    assert WHOLE["content"] == "Hello there!"
    assert WHOLE["usage"]["prompt_tokens"] == 9
    assert WHOLE.get("nothing", 3) == 3
    assert "content" in WHOLE
    assert "nothing" not in WHOLE
    assert json.dumps(dict(WHOLE))
    with pytest.raises(KeyError):
        WHOLE["nothing"]
    with pytest.raises(TypeError):
        WHOLE["content"] = "x"
    with pytest.raises(AttributeError):
        WHOLE.content = "x"


def test_the_metadata_of_seed_001():
    assert WHOLE.metadata == {"usage": {"completion_tokens": 19, "prompt_tokens": 9, "total_tokens": 28}}
    assert WHOLE.metadata.usage.prompt_tokens == 9
    with pytest.raises(AttributeError):
        _ = WHOLE.metadata.nothing


def test_its_repr_is_short():
    assert repr(WHOLE) == "<Generation 'Hello there!' calls add 9+19 tokens $0.0002>"
    assert repr(Generation(content="x" * 100)) == f"<Generation '{'x' * 57}…'>"
    assert repr(Cost(0.00021)) == "$0.00021"


def test_content_has_its_aliases():
    plain = Generation(content="Hello there!")
    assert plain.text == plain.consume() == plain.content
    assert WHOLE.text == WHOLE.content
    assert WHOLE.consume().get_calls()[0]["function"] == {"name": "add", "arguments": {"a": 1}}


def test_the_message_is_everybodys_own_copy():
    WHOLE.message["content"] = "spoilt"
    assert WHOLE.message["content"] == "Hello there!"


@pytest.mark.parametrize(
    "told", [None, {}, [], "x", {"prompt_tokens": None}, {"prompt_tokens": -1}, {"prompt_tokens": True}]
)
def test_no_usage_is_none(told):
    assert usage(told) is None


@pytest.mark.parametrize(
    ("call", "arguments", "told"),
    [
        ({"id": "1", "function": {"name": "a", "arguments": '{"x": 1}'}}, {"x": 1}, None),
        ({"id": "1", "function": {"name": "a", "arguments": ""}}, {}, None),
        ({"id": "1", "function": {"name": "a", "arguments": {"x": 1}}}, {"x": 1}, None),
        ({"id": "1", "function": {"name": "a", "arguments": '{"x": '}}, None, "not JSON"),
        ({"id": "1", "function": {"name": "a", "arguments": "[1]"}}, None, "not a JSON object"),
        ({"id": "1", "function": {"name": None, "arguments": "{}"}}, {}, "named no tool"),
    ],
)
def test_a_broken_tool_call_is_kept_and_marked(call, arguments, told):
    (made,) = read_calls([call])
    assert made.arguments == arguments
    assert (made.invalid is None) if told is None else (told in made.invalid)


def test_a_cost_says_where_its_prices_are_from():
    cost = Model("offline/echo")("Hi").cost
    assert (cost, cost.source) == (0.0, "offline: nothing was asked")
