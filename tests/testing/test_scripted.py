"""Scripted answers walk the real line: what a caller sees is what a provider's answer would have given."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import Any

import msgspec
import pydantic
import pytest

from magma import ConfigError, Generation, Model, ModelAsync, register_hook, testing
from magma.errors import ConnectionError, MissingExtraError, ModelError, RateLimitError
from magma.responses import ToolCall, Usage
from magma.testing import NoScriptedAnswer

MODEL = Model("openai/gpt-4o", temperature=0.5)
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}}


async def alist(stream: Any) -> list[Any]:
    return [delta async for delta in stream]


def test_answers_come_in_order_to_every_model() -> None:
    with testing.scripted() as script:
        script.enqueue("one", "two", "three")
        contents = [Model(id)("Hi").content for id in ("openai/gpt-4o", "anthropic/claude-x", "offline/echo")]
    assert contents == ["one", "two", "three"]
    assert [request.model for request in script.requests] == ["openai/gpt-4o", "anthropic/claude-x", "offline/echo"]


def test_all_four_ways_of_calling_are_answered() -> None:
    with testing.scripted(default="Hello there!") as script:
        stream = MODEL("Hi", stream=True)
        assert [delta.content for delta in stream] == ["Hello ", "there!"]
        assert stream.response.content == "Hello there!"
        assert MODEL("Hi").content == "Hello there!"
        assert asyncio.run(MODEL.acall("Hi")).content == "Hello there!"
        assert asyncio.run(ModelAsync("openai/gpt-4o")("Hi")).content == "Hello there!"
        assert [delta.content for delta in asyncio.run(alist(MODEL("Hi", stream=True)))] == ["Hello ", "there!"]
    assert len(script.requests) == 5


def test_a_request_tells_what_the_provider_would_have_got() -> None:
    with testing.scripted(default="ok") as script:
        MODEL("Hi", system_prompt="Be brief.", tools=[TOOL], tool_choice="required", max_tokens=9, extra={"top_x": [1]})
    [request] = script.requests
    assert request.messages == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    assert request.tools == [TOOL]
    assert request.inputs["tool_choice"] == "required"
    assert {"temperature": 0.5, "max_tokens": 9, "top_x": [1]}.items() <= request.params.items()
    assert request.text == "Hi"


def test_a_request_is_a_copy_that_later_changes_do_not_reach() -> None:
    messages = [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]
    with testing.scripted(default="ok") as script:
        MODEL(messages)
        messages[0]["content"][0]["text"] = "changed"
        assert script.requests[0].text == "Hi"
        script.requests[0].params["temperature"] = 2  # plain data: the caller's to change
        assert MODEL.temperature == 0.5


def test_usage_is_counted_in_words_unless_given() -> None:
    told = {"prompt_tokens": 7, "completion_tokens": 8, "total_tokens": 15}
    choices = [{"message": {"role": "assistant", "content": "x"}, "finish_reason": "length"}]
    with testing.scripted() as script:
        script.enqueue("three words here", {"choices": choices, "usage": told}, {"choices": choices, "usage": None})
        counted, given, unknown = (MODEL("one two") for _ in range(3))
    assert counted.usage == Usage(input_tokens=2, output_tokens=3, total_tokens=5)
    assert given.usage == Usage(input_tokens=7, output_tokens=8, total_tokens=15)
    assert given.finish_reason == "length"
    assert unknown.usage is None


@pytest.mark.parametrize("stream", [False, True])
def test_dicts_are_tool_calls_and_a_list_of_them_is_parallel_calls(stream: bool) -> None:
    oslo, rome = ({"name": "get_weather", "arguments": {"location": city}} for city in ("Oslo", "Rome"))
    with testing.scripted() as script:
        script.enqueue(
            [oslo, rome], {"id": "mine", "type": "function", "function": {"name": "f", "arguments": "{broken"}}
        )
        answers: list[Any] = [MODEL("Weather?", tools=[TOOL], stream=stream) for _ in range(2)]
        both, broken = ([*answer] and answer.response if stream else answer for answer in answers)
    assert [call.arguments for call in both.tool_calls] == [{"location": "Oslo"}, {"location": "Rome"}]
    assert len({call.id for call in both.tool_calls}) == 2
    assert both.finish_reason == "tool_calls"
    assert broken.tool_calls[0].id == "mine"
    assert broken.tool_calls[0].invalid


def test_structured_content_is_its_json_text() -> None:
    class Pydantic(pydantic.BaseModel):
        age: int

    class Struct(msgspec.Struct):
        age: int

    @dataclass
    class Data:
        age: int

    with testing.scripted() as script:
        script.enqueue(testing.structured({"age": 31}), testing.structured([1]), Pydantic(age=31), Struct(31), Data(31))
        contents = [MODEL("Hi").content for _ in range(5)]
    assert contents == ['{"age":31}', "[1]", '{"age":31}', '{"age":31}', '{"age":31}']


def test_a_generation_is_that_answer_again() -> None:
    with testing.scripted(default="first answer") as script:
        first = MODEL("Hi")
        call = ToolCall(id="c1", name="f", arguments={"a": 1}, raw='{"a": 1}')
        made = Generation(content="x", reasoning="hm", tool_calls=(call,), usage=Usage(input_tokens=5), id="mine")
        script.enqueue(first, made)
        again, built = MODEL("Again"), MODEL("Again")
    assert (again.content, again.id, again.usage) == (first.content, first.id, first.usage)
    assert (built.content, built.reasoning, built.tool_calls) == ("x", "hm", (call,))
    assert (built.id, built.usage, built.finish_reason) == ("mine", Usage(input_tokens=5), "tool_calls")


def test_a_function_gets_the_request_and_its_result_is_the_answer() -> None:
    def answer(request: testing.Recorded) -> Any:
        return RateLimitError("slow down") if "loud" in request.text else request.text.upper()

    with testing.scripted(default=answer):
        assert MODEL("Hi").content == "HI"
        with pytest.raises(RateLimitError, match="slow down"):
            MODEL("too loud")


@pytest.mark.parametrize("stream", [False, True])
def test_exceptions_are_raised_through_the_hooks_and_not_tried_again(stream: bool) -> None:
    told: list[Exception] = []
    mine = RateLimitError("slow down", status_code=429, retry_after=3.0)
    with (
        testing.scripted(default="recovered") as script,
        register_hook("on_error", lambda _, error: told.append(error)),
    ):
        script.enqueue(mine, ConnectionError, ZeroDivisionError("mine"))
        for kind in (RateLimitError, ConnectionError, ZeroDivisionError):
            with pytest.raises(kind):
                list(MODEL("Hi", stream=stream))
        assert MODEL("Hi").content == "recovered"
    assert told[0] is mine
    assert (mine.model, mine.provider, mine.retry_after, mine.attempts) == ("openai/gpt-4o", "openai", 3.0, ())
    assert str(told[1]) == "scripted ConnectionError"
    assert len(told) == 3


def test_an_empty_queue_says_who_asked_what_and_how_to_answer() -> None:
    with testing.scripted() as script:
        script.enqueue("only one")
        MODEL("first")
        with pytest.raises(NoScriptedAnswer, match=r"openai/gpt-4o was asked 'second question'.*after 1: .*enqueue"):
            MODEL("second question")
    assert not issubclass(NoScriptedAnswer, (ModelError, ConfigError))  # no fallback of the tested code hides it
    assert len(script.requests) == 2


@pytest.mark.parametrize("mistake", [{"nmae": "f"}, {"age": 31}, [], ["text"], 3, None, MissingExtraError])
def test_a_mistake_shows_where_it_is_enqueued(mistake: Any) -> None:
    script = testing.scripted()
    with pytest.raises(ConfigError):
        script.enqueue("fine", mistake)
    assert script.left == 0


def test_the_innermost_script_answers_and_the_outer_one_again_after_it() -> None:
    with testing.scripted(default="outer") as outer:
        with testing.scripted(default="inner"):
            assert MODEL("Hi").content == "inner"
        assert MODEL("Hi").content == "outer"
    assert len(outer.requests) == 1
    assert Model("offline/echo")("Hi").content == "Hi"


def test_the_shortcuts_mean_the_script_that_is_active() -> None:
    with testing.scripted() as script:
        testing.enqueue("shortcut")
        assert MODEL("Hi").content == "shortcut"
        assert testing.requests[0] is script.requests[0]
        assert len(testing.requests) == 1
        assert [request.text for request in testing.requests] == ["Hi"]


@pytest.mark.parametrize(
    "use", [lambda: testing.enqueue("x"), lambda: testing.requests[0], lambda: len(testing.requests)]
)
def test_the_shortcuts_without_a_script_say_how_to_start_one(use: Any) -> None:
    with pytest.raises(RuntimeError, match="magma_script"):
        use()
    assert "no script" in repr(testing.requests)


def test_threads_each_get_one_answer() -> None:
    with testing.scripted() as script:
        script.enqueue(*(str(number) for number in range(200)))
        contents: list[str] = []
        threads = [
            threading.Thread(target=lambda: contents.extend(MODEL("Hi").content for _ in range(20))) for _ in range(10)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(contents, key=int) == [str(number) for number in range(200)]
    assert (len(script.requests), script.left) == (200, 0)


def test_a_cached_answer_is_no_request() -> None:
    with testing.scripted() as script:
        script.enqueue("kept")
        model = MODEL.with_(enable_cache=True)
        assert [model("Hi").cached, model("Hi").cached] == [False, True]
    assert len(script.requests) == 1


def test_no_requests_forbids_the_network_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAGMA_ALLOW_REQUESTS", "yes")
    with testing.no_requests():
        with pytest.raises(ConfigError, match="MAGMA_ALLOW_REQUESTS=0 forbids asking openai/gpt-4o"):
            MODEL("Hi")
        assert Model("offline/echo")("Hi").content == "Hi"
        with testing.scripted(default="scripted"):
            assert MODEL("Hi").content == "scripted"
    assert os.environ["MAGMA_ALLOW_REQUESTS"] == "yes"
    with pytest.raises(ZeroDivisionError), testing.no_requests():
        raise ZeroDivisionError
    assert os.environ["MAGMA_ALLOW_REQUESTS"] == "yes"


def test_every_public_name_is_there_and_sorted() -> None:
    assert testing.__all__ == sorted(testing.__all__)
    assert all(hasattr(testing, name) for name in testing.__all__)
    assert set(testing.__all__) <= set(dir(testing))
    import magma.testing.scripted

    assert testing.scripted.__module__ == magma.testing.scripted.__module__ == "magma.testing.scripted"


def test_a_scripted_answer_is_used_once_with_a_cache_too():
    code = (
        "from magma import Model, testing\n"
        "with testing.scripted() as script:\n"
        "    script.enqueue('one', 'two')\n"
        "    model = Model('openai/x', enable_cache=True)\n"
        "    print(model('a').content, model('a').content, model('b').content, len(script.requests))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "one one two 2\n"
