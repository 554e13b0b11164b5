"""Structured output, typed XML and prefilling over real HTTP: what is asked, what comes back, what an answer that does
not fit costs."""

import asyncio
import dataclasses
import enum
import json
import pickle
from typing import Literal, TypedDict

import msgspec
import pydantic
import pytest

import magma
from magma.errors import BadRequestError, ConfigError, ParseError
from magma.model import _mode
from magma.testing import Reply, Server
from magma.testing.bodies import anthropic_events, sse


class Event(msgspec.Struct):
    name: str
    date: str
    participants: list[str]


class Address(pydantic.BaseModel):
    city: str
    country: str = "?"


class Person(pydantic.BaseModel):
    name: str
    age: int
    address: Address
    friends: list["Person"] = []


@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.5


class Movie(TypedDict):
    title: str
    year: int


class Mood(enum.Enum):
    GOOD = "good"
    BAD = "bad"


PLAIN = {"name": "science fair", "date": "Friday", "participants": ["Alice", "Bob"]}
GOOD = json.dumps(PLAIN)


@pytest.fixture
def server():
    with Server() as server:
        yield server


@pytest.fixture(autouse=True)
def nothing_learnt():
    _mode._learnt.clear()


@pytest.fixture
def model(server):
    return magma.Model("openai/gpt-4o", api_base=server.url + "/v1", api_key="test-key-1")


def sent(server, place=-1):
    return server.requests[place].json()


# --- what is asked --------------------------------------------------------------------------------------


def test_a_model_that_knows_schemas_gets_a_strict_one(model, server):
    server.enqueue(Reply.chat(GOOD))
    response = model("Alice and Bob …", schema=Event)
    asked = sent(server)["response_format"]
    assert asked["type"] == "json_schema"
    assert asked["json_schema"]["strict"] is True
    assert asked["json_schema"]["schema"]["required"] == ["name", "date", "participants"]
    assert response.parsed == Event(**PLAIN)
    assert response.consume() == response.content == PLAIN
    assert (response.text, response.response_type, response.warnings) == (GOOD, "structured_generation", ())


def test_a_model_without_structured_output_gets_a_tool_and_says_so(model, server):
    server.enqueue(Reply.chat(None, tool_calls=[("json_tool_call", PLAIN)], finish_reason="tool_calls"))
    response = model.with_(id="openai/gpt-4")("Alice and Bob …", schema=Event)
    body = sent(server)
    assert body["tool_choice"] == {"type": "function", "function": {"name": "json_tool_call"}}
    assert [tool["function"]["name"] for tool in body["tools"]] == ["json_tool_call"]
    assert "response_format" not in body
    assert (response.parsed, response.tool_calls, response.finish_reason) == (Event(**PLAIN), (), "stop")
    assert "tool call" in response.warnings[0]
    assert response.message["content"]
    assert "tool_calls" not in response.message


def test_a_model_with_neither_is_told_in_the_prompt(server):
    model = magma.Model("perplexity/unheard-of", api_key="test-key-1")
    told = model._settled(("x",), {"schema": Event, "system_prompt": "Be brief."})[1]
    assert told["messages"][0]["content"].startswith("Be brief.\n\n")
    assert '"participants"' in told["messages"][0]["content"]
    assert "tools" not in {name for name, value in told.items() if value}


def test_an_object_in_prose_and_a_fence_is_found(model, server):
    server.enqueue(Reply.chat(f"Here it is:\n```json\n{GOOD}\n```"))
    assert model("x", schema=Event).parsed == Event(**PLAIN)


@pytest.mark.parametrize(
    ("id", "mode"),
    [
        ("anthropic/claude-unheard-of", "tool"),
        ("bedrock/anthropic.claude-unheard-of", "tool"),
        ("groq/unheard-of", "tool"),
        ("google/gemini-unheard-of", "native"),
        ("openai/unheard-of", "native"),
        ("perplexity/unheard-of", "instruction"),
        ("openai/gpt-4o-mini", "native"),
    ],
)
def test_the_mode_goes_by_what_is_known(id, mode):
    assert _mode.mode_of(magma.Model(id)) == mode


def test_a_claude_that_thinks_is_not_forced_to_call_a_tool():
    model = magma.Model("anthropic/claude-unheard-of", thinking={"type": "enabled", "budget_tokens": 1024})
    assert _mode.mode_of(model) == "instruction"


def test_anthropics_streamed_object_is_what_was_sent(server):
    """LiteLLM would read each piece as JSON of its own: " 36" became "36", and a member `values` swallowed the rest."""

    class Values(msgspec.Struct):
        values: list[int]
        text: str

    plain = {"values": [1], "text": ": 36, lives"}
    whole = Reply.anthropic(None, tool_use=[("json_tool_call", plain)], stop_reason="tool_use")
    events = anthropic_events(None, tool_use=[("json_tool_call", plain)], stop_reason="tool_use")
    at = next(at for at, event in enumerate(events) if event["type"] == "content_block_delta")
    pieces = ['{"values": [1], "text": ":', " 36", ', lives"}']
    events[at : at + 1] = [
        {**events[at], "delta": {"type": "input_json_delta", "partial_json": piece}} for piece in pieces
    ]
    server.enqueue(Reply.sse(*(sse(event, event=event["type"]) for event in events)), whole)
    model = magma.Model("anthropic/claude-x", api_base=server.url, api_key="test-key-1", max_tokens=100)
    stream = model("x", schema=Values, stream=True)
    assert "".join(stream.consume()) == "".join(pieces)
    assert stream.response.consume() == plain == model("x", schema=Values).consume()


def test_a_server_of_ones_own_is_taken_to_know_schemas(model):
    for id in ("hosted_vllm/tiny", "openai/tiny", "ollama_chat/tiny"):
        own = magma.Model(id, api_base="http://localhost:1/v1")
        assert own._settled(("x",), {"schema": Event})[1]["response_format"]["json_schema"]["name"] == "Event"


def test_tools_of_ones_own_go_along(model, server):
    def get_weather(location: str) -> str:
        """Weather."""
        return location

    server.enqueue(
        Reply.chat(None, tool_calls=[("get_weather", {"location": "Oslo"})], finish_reason="tool_calls"),
        Reply.chat(None, tool_calls=[("json_tool_call", PLAIN)], finish_reason="tool_calls"),
    )
    old = model.with_(id="openai/gpt-4")
    calls = old("x", schema=Event, tools=[get_weather]).consume()
    assert [call["function"]["name"] for call in calls.get_calls()] == ["get_weather"]
    assert sent(server)["tool_choice"] == "required"
    assert old("x", schema=Event, tools=[get_weather]).parsed == Event(**PLAIN)


def test_a_schema_that_the_server_refuses_is_asked_for_by_a_tool_from_then_on(model, server):
    refusal = Reply.json({"error": {"message": "response_format json_schema is not supported"}}, status=400)
    tool = Reply.chat(None, tool_calls=[("json_tool_call", PLAIN)], finish_reason="tool_calls")
    server.enqueue(refusal, tool, tool)
    first = model("x", schema=Event)
    assert (first.parsed, [one.status_code for one in first.attempts]) == (Event(**PLAIN), [400, 200])
    assert [one.number for one in first.attempts] == [1, 2]
    assert model("y", schema=Event).parsed == Event(**PLAIN)
    assert len(server.requests) == 3
    no_tools = Reply.json({"error": {"message": "this model does not support tools"}}, status=400)
    server.enqueue(no_tools, Reply.chat(GOOD))
    assert model("z", schema=Event).parsed == Event(**PLAIN)
    assert "Event" in sent(server)["messages"][0]["content"] or '"name"' in sent(server)["messages"][0]["content"]


def test_another_400_is_an_error(model, server):
    server.enqueue(Reply.json({"error": {"message": "the model is on holiday"}}, status=400))
    with pytest.raises(BadRequestError, match="holiday"):
        model("x", schema=Event)
    assert len(server.requests) == 1


# --- what comes back ------------------------------------------------------------------------------------

PERSON = {"name": "John", "age": 30, "address": {"city": "NY", "country": "US"}, "friends": []}
KINDS = [
    (Person, PERSON, Person(name="John", age=30, address=Address(city="NY", country="US")), PERSON),
    (Point, {"x": 1, "y": None}, Point(1), {"x": 1, "y": 0.5}),
    (Movie, {"title": "Up", "year": 2009}, {"title": "Up", "year": 2009}, {"title": "Up", "year": 2009}),
    (Mood, {"value": "good"}, Mood.GOOD, "good"),
    (Literal["a", "b"], {"value": "b"}, "b", "b"),
    (list[Point], {"value": [{"x": 1, "y": 2}]}, [Point(1, 2)], [{"x": 1, "y": 2.0}]),
    (list[Point], [{"x": 1, "y": 2}], [Point(1, 2)], [{"x": 1, "y": 2.0}]),
    (
        {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}, "required": ["n"]},
        {"n": 4},
        {"n": 4},
        {"n": 4},
    ),
]


@pytest.mark.parametrize(("kind", "answered", "typed", "plain"), KINDS, ids=lambda one: str(one)[:30])
def test_every_kind_of_schema(model, server, kind, answered, typed, plain):
    server.enqueue(Reply.chat(json.dumps(answered)))
    response = model("x", schema=kind)
    assert (response.parsed, response.consume()) == (typed, plain)


def test_generation_schema_is_an_alias_and_both_are_too_many(model, server):
    server.enqueue(Reply.chat(GOOD))
    assert model("x", generation_schema=Event).parsed == Event(**PLAIN)
    with pytest.raises(ConfigError, match="the same"):
        model("x", generation_schema=Event, schema=Event)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"schema": 42}, "42"),
        ({"schema": Event, "response_format": {"type": "json_object"}}, "response_format"),
        ({"schema": Event, "typed_parser": "typed_xml"}, "typed_parser"),
        ({"typed_parser": "yaml"}, "typed_xml"),
        ({"prefilling": ""}, "prefilling"),
        ({"prefilling": 3}, "prefilling"),
        ({"schema": Event, "max_reasks": -1}, "max_reasks"),
    ],
    ids=str,
)
def test_what_cannot_be_asked_is_an_error_before_anything_is_sent(model, server, arguments, told):
    with pytest.raises(ConfigError, match=told):
        model("x", **arguments)
    assert server.requests == []


# --- answers that do not fit ----------------------------------------------------------------------------


def test_it_asks_again_once_with_what_was_wrong_and_adds_up(model, server):
    server.enqueue(Reply.chat('{"name": 1}', usage=(10, 5)), Reply.chat(GOOD, usage=(20, 7)))
    response = model("x", schema=Event)
    assert response.parsed == Event(**PLAIN)
    assert (response.usage.input_tokens, response.usage.output_tokens, len(response.attempts)) == (30, 12, 2)
    assert response.cost == pytest.approx((30 * 2.5 + 12 * 10) / 1e6)
    *_, answered, told = sent(server)["messages"]
    assert answered == {"role": "assistant", "content": '{"name": 1}'}
    assert "name" in told["content"]


@pytest.mark.parametrize("reasks", [0, 1, 2])
def test_after_the_last_ask_it_is_a_parse_error_with_the_answer(model, server, reasks):
    server.default = Reply.chat('{"name": 1}')
    with pytest.raises(ParseError, match="Event") as caught:
        model("x", schema=Event, max_reasks=reasks)
    error = pickle.loads(pickle.dumps(caught.value))
    assert len(server.requests) == len(error.attempts) == reasks + 1
    assert error.response.text == '{"name": 1}'
    assert "test-key" not in str(error)


@pytest.mark.parametrize(
    "reply",
    [
        Reply.chat(GOOD[:20], finish_reason="length"),
        Reply.chat("", finish_reason="content_filter"),
        Reply.json(
            {
                "choices": [
                    {"message": {"role": "assistant", "content": None, "refusal": "No."}, "finish_reason": "stop"}
                ]
            }
        ),
    ],
    ids=["cut off", "filtered", "refused"],
)
def test_what_asking_again_cannot_mend_fails_at_once(model, server, reply):
    server.default = reply
    with pytest.raises(ParseError):
        model("x", schema=Event)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "text", ["Hello there!", "[]", "null", '{"name": "x"}', "{" * 500, "```json\n```", "NaN", '"' + "x" * 9999]
)
def test_a_server_that_ignores_the_schema_ends_in_an_object_or_a_parse_error(model, server, text):
    server.default = Reply.chat(text)
    with pytest.raises(ParseError) as caught:
        model("x", schema=Event)
    assert len(str(caught.value)) < 2100


def test_the_answer_that_fitted_is_what_the_cache_keeps(model, server):
    cached = model.with_(cache=magma.Cache())
    server.enqueue(Reply.chat("no"), Reply.chat(GOOD))
    assert cached("x", schema=Event).parsed == Event(**PLAIN)
    again = cached("x", schema=Event)
    assert (again.parsed, again.cached, again.cost, len(server.requests)) == (Event(**PLAIN), True, 0, 2)


def test_hooks_see_one_call(model, server):
    seen = []
    with (
        magma.register_hook("before_call")(lambda request: seen.append("before")),
        magma.register_hook("after_call")(lambda request, response: seen.append(response.parsed)),
    ):
        server.enqueue(Reply.chat("no"), Reply.chat(GOOD))
        model("x", schema=Event)
    assert seen == ["before", Event(**PLAIN)]


def test_awaited_it_is_the_same(model, server):
    server.enqueue(Reply.chat("no"), Reply.chat(GOOD))
    assert asyncio.run(model.acall("x", schema=Event)).parsed == Event(**PLAIN)


def test_offline_answers_an_instance():
    response = magma.Model("offline/echo")("x", schema=Person)
    assert isinstance(response.parsed, Person)
    assert response.consume() == response.parsed.model_dump(mode="json")


# --- streams --------------------------------------------------------------------------------------------


def test_a_stream_gives_growing_objects_and_then_the_typed_one(model, server):
    server.enqueue(Reply.stream([GOOD[:12], GOOD[12:40], GOOD[40:]]))
    stream = model("x", schema=Event, stream=True)
    grown = list(stream.partial_objects())
    assert grown[-1] == PLAIN
    assert [len(str(one)) for one in grown] == sorted(len(str(one)) for one in grown)
    assert len(grown) > 1
    assert stream.response.parsed == Event(**PLAIN)


def test_growing_objects_in_an_async_loop(model, server):
    server.enqueue(Reply.stream([GOOD[:12], GOOD[12:]]))

    async def main():
        return [one async for one in model("x", schema=Event, stream=True).partial_objects()]

    assert asyncio.run(main())[-1] == PLAIN


def test_a_tool_that_stands_for_a_schema_streams_as_text(model, server):
    server.enqueue(Reply.stream(None, tool_calls=[("json_tool_call", PLAIN)], finish_reason="tool_calls"))
    stream = model.with_(id="openai/gpt-4")("x", schema=Event, stream=True)
    assert json.loads("".join(stream.consume())) == PLAIN
    assert stream.response.parsed == Event(**PLAIN)


def test_a_streamed_answer_that_does_not_fit_is_not_asked_for_again(model, server):
    server.default = Reply.stream("Hello there!")
    with pytest.raises(ParseError) as caught:
        list(model("x", schema=Event, stream=True))
    assert (len(server.requests), caught.value.response.text) == (1, "Hello there!")


def test_partial_objects_need_a_schema(model):
    with pytest.raises(ConfigError, match="schema"):
        model("x", stream=True).partial_objects()


# --- prefilling and typed XML ---------------------------------------------------------------------------

BEGUN = "Let's think step by step:"


@pytest.mark.parametrize("answered", [" 30 * 3 = 90.", f"{BEGUN} 30 * 3 = 90.", f"\n{BEGUN} 30 * 3 = 90."])
def test_the_prefilling_begins_the_text_once(model, server, answered):
    server.enqueue(Reply.chat(answered), Reply.stream(answered))
    response = model("What is 30 * 3?", prefilling=BEGUN)
    assert sent(server)["messages"][-1] == {"role": "assistant", "content": BEGUN}
    assert response.text == response.content == f"{BEGUN} 30 * 3 = 90."
    assert response.message["content"] == response.text
    stream = model("What is 30 * 3?", prefilling=BEGUN, stream=True)
    deltas = [delta.content for delta in stream]
    assert (deltas[0], "".join(deltas), stream.response.text) == (BEGUN, response.text, response.text)


@pytest.mark.parametrize("answered", ["", "Let's", "{"])
def test_an_answer_that_is_hardly_there_still_has_its_beginning(model, server, answered):
    server.enqueue(Reply.stream([answered]), Reply.chat(answered))
    stream = model("x", prefilling=BEGUN, stream=True)
    text = "".join(delta.content for delta in stream)
    assert text == stream.response.text == model("x", prefilling=BEGUN).text
    assert text.startswith(BEGUN)


def test_a_prefilled_schema(model, server):
    server.enqueue(Reply.chat(GOOD[1:]))
    assert model("x", prefilling="{", schema=Event).parsed == Event(**PLAIN)


def test_typed_xml(model, server):
    typed_xml = magma.dsl.typed_parsers.typed_parser_registry["typed_xml"]
    server.enqueue(Reply.chat(typed_xml.encode(PLAIN)), Reply.chat("nothing of the sort"))
    response = model("x", typed_parser="typed_xml")
    assert response.consume() == response["content"] == PLAIN
    with pytest.raises(ParseError, match="typed_xml"):
        model("x", typed_parser="typed_xml")


@pytest.mark.parametrize("name", ["ChainOfThoughts", "ReAct", "SelfConsistency"])
def test_planning_schemas_are_schemas(name):
    kind = getattr(magma.generation.plan, name)
    assert isinstance(magma.Model("offline/echo")("What is 25 * 4 + 17?", generation_schema=kind).parsed, kind)


# --- modes, caches, broken streams ------------------------------------------------------------------------

BY_TOOL = Reply.chat("Let me see.", tool_calls=[("json_tool_call", PLAIN)], finish_reason="tool_calls")
NO_FORMAT = Reply.json({"error": {"message": "response_format is not supported"}}, status=400)


def test_an_answer_by_tool_is_read_out_of_the_cache_whatever_mode_is_asked_first(model, server):
    cached = model.with_(cache=magma.Cache())
    server.enqueue(NO_FORMAT, BY_TOOL)
    first = cached("x", schema=Event)
    _mode._learnt.clear()
    again = cached("x", schema=Event)
    assert (first.parsed, again.parsed, again.cached, len(server.requests)) == (Event(**PLAIN), Event(**PLAIN), True, 2)
    assert "tool_calls" not in first.message


def test_what_fits_another_schema_of_the_same_shape_only_is_asked_for_anew(model, server):
    class Name(pydantic.BaseModel):
        name: str

    loose = Name

    class Name(pydantic.BaseModel):
        name: str

        @pydantic.field_validator("name")
        @classmethod
        def _long(cls, value):
            if len(value) < 2:
                raise ValueError("too short")
            return value

    cached = model.with_(cache=magma.Cache())
    server.enqueue(Reply.chat('{"name": "a"}'), Reply.chat('{"name": "abc"}'))
    assert cached("x", schema=loose).parsed.name == "a"
    assert cached("x", schema=Name).parsed.name == "abc"


def test_a_call_of_a_tool_that_nobody_gave_is_no_object(model, server):
    server.default = Reply.chat(None, tool_calls=[("zz", {"q": 1})], finish_reason="tool_calls")
    with pytest.raises(ParseError):
        model("x", schema=Event)


def test_a_stream_that_breaks_is_interrupted_and_one_that_is_left_has_what_came(model, server):
    server.enqueue(Reply.stream([GOOD[:20], GOOD[20:]], cut_after=1), Reply.stream([GOOD[:20], GOOD[20:]]))
    with pytest.raises(magma.errors.StreamInterruptedError) as caught:
        list(model("x", schema=Event, stream=True))
    assert caught.value.partial.text == GOOD[:20]
    with model("x", schema=Event, stream=True) as stream:
        next(stream)
    assert stream.response.text == GOOD[:20]


def test_a_schema_that_is_wrong_in_itself_changes_no_other_call(model, server):
    wrong = Reply.json({"error": {"message": "Invalid schema for response_format 'Event'"}}, status=400)
    server.enqueue(wrong, BY_TOOL, Reply.chat(GOOD))
    model("x", schema=Event)
    model("y", schema=Event)
    assert "response_format" in sent(server)


def test_the_tokens_of_all_asks_are_told_of_a_failure_too(model, server):
    server.default = Reply.chat("no", usage=(3, 2))
    with pytest.raises(ParseError) as caught:
        model("x", schema=Event, max_reasks=2)
    assert (caught.value.response.usage.input_tokens, len(caught.value.attempts)) == (9, 3)


def test_a_key_that_is_echoed_is_not_in_the_pickled_error(model, server):
    server.default = Reply.chat("test-key-1 is not JSON")
    with pytest.raises(ParseError) as caught:
        model("x", schema=Event)
    assert b"test-key-1" not in pickle.dumps(caught.value)
