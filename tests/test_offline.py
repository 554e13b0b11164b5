"""The embedded provider: deterministic answers with no key and no network."""

import json

import jsonschema
import msgspec
import pytest

from magma import Model, errors
from magma.offline import instance

ECHO = Model("offline/echo")
ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer", "minimum": 3}, "how": {"enum": ["fast", "slow"]}},
            "required": ["a", "how"],
        },
    },
}


def test_it_repeats_the_last_user_text():
    messages = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": "three"},
    ]
    assert ECHO(messages).content == "three"
    assert (
        ECHO([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]).content
        == "a\nb"
    )


def test_it_says_what_it_is():
    response = ECHO("Hi")
    assert response.model == "offline/echo"
    assert "no model was asked" in response.raw["system_fingerprint"]


def test_it_reports_usage_and_costs_nothing():
    response = ECHO("one two three", system_prompt="Be brief.")
    assert (response.usage.input_tokens, response.usage.output_tokens, response.usage.total_tokens) == (5, 3, 8)
    assert response.cost == 0


def test_it_streams_word_by_word():
    assert [delta.content for delta in ECHO("one two  three", stream=True)] == ["one ", "two ", " ", "three"]


def test_it_calls_the_first_tool_with_arguments_that_fit():
    response = ECHO("Hi", tools=[ADD])
    (call,) = response.tool_calls
    assert response.finish_reason == "tool_calls"
    jsonschema.validate(call.arguments, ADD["function"]["parameters"])
    stream = ECHO("Hi", tools=[ADD], stream=True)
    list(stream)
    assert stream.response.tool_calls == response.tool_calls


def test_after_a_tool_result_it_answers():
    first = ECHO("Hi", tools=[ADD])
    result = {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "42"}
    assert ECHO([{"role": "user", "content": "Hi"}, first.message, result], tools=[ADD]).content == "42"


def test_tool_choice_is_kept_to():
    assert ECHO("Hi", tools=[ADD], tool_choice="none").content == "Hi"
    other = {"type": "function", "function": {"name": "sub"}}
    assert ECHO("Hi", tools=[ADD, other], tool_choice="sub").tool_calls[0].name == "sub"


class Event(msgspec.Struct):
    title: str
    tags: list[str]
    place: dict[str, float]


@pytest.mark.parametrize(
    "schema",
    [
        msgspec.json.schema(Event),
        {"type": "object"},
        {
            "$ref": "#/$defs/a",
            "$defs": {
                "a": {"type": "array", "items": {"$ref": "#/$defs/b"}, "minItems": 2},
                "b": {"type": "number", "exclusiveMinimum": 1, "multipleOf": 0.5},
            },
        },
    ],
)
def test_with_a_schema_it_answers_a_valid_instance(schema):
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    jsonschema.validate(json.loads(ECHO("Hi", response_format=form).content), schema)


def test_a_recursive_schema_ends():
    schema = {
        "$defs": {
            "node": {
                "type": "object",
                "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
                "required": ["next"],
            }
        },
        "$ref": "#/$defs/node",
    }
    jsonschema.validate(instance(schema), schema)


def test_max_tokens_cuts():
    response = ECHO("one two three", max_tokens=2)
    assert (response.content, response.finish_reason) == ("one two", "length")


def test_another_offline_model_does_not_exist():
    with pytest.raises(errors.NotFoundError, match="offline/echo"):
        Model("offline/gpt")("Hi")


def test_it_works_where_requests_are_forbidden(monkeypatch):
    monkeypatch.setenv("MAGMA_ALLOW_REQUESTS", "0")
    assert ECHO("Hi").content == "Hi"
    with pytest.raises(errors.ConfigError, match="MAGMA_ALLOW_REQUESTS"):
        Model("openai/gpt-4o", api_key="k")("Hi")
