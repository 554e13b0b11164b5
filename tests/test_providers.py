"""One contract over many providers' wires, on real servers: a llama-server, and a third party's mock of the others.

`eval "$(../shared/servers/up)"` starts them and sets the variables; without them these tests are skipped and say so.
"""

import asyncio
import os
import pickle

import msgspec
import pytest

from magma import Model, errors

REAL = ("openai", "hosted_vllm", "anthropic")  # wires of a real model
LLAMA, AIMOCK = "MAGMA_TEST_LLAMA_URL", "MAGMA_TEST_AIMOCK_URL"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the current weather.",
        "parameters": {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]},
    },
}
AWS = {"aws_access_key_id": "test", "aws_secret_access_key": "test-secret-key", "aws_region_name": "us-east-1"}
ROUTES = {
    "openai": (LLAMA, lambda url: Model("openai/tiny", api_base=url + "/v1", api_key="test-key-1")),
    "hosted_vllm": (LLAMA, lambda url: Model("hosted_vllm/tiny", api_base=url + "/v1")),
    "anthropic": (LLAMA, lambda url: Model("anthropic/tiny", api_base=url, api_key="test-key-1", max_tokens=64)),
    "gemini": (AIMOCK, lambda url: Model("google/gemini-2.0-flash", api_base=url + "/v1beta", api_key="test-key-1")),
    "bedrock": (
        AIMOCK,
        lambda url: Model("bedrock/anthropic.claude-3-sonnet-20240229-v1:0", aws_bedrock_runtime_endpoint=url, **AWS),
    ),
    "azure": (AIMOCK, lambda url: Model("azure/gpt-4o", api_base=url, api_key="test-key-1", api_version="2024-06-01")),
    "ollama_chat": (AIMOCK, lambda url: Model("ollama_chat/llama3", api_base=url)),
    "mistral": (AIMOCK, lambda url: Model("mistral/mistral-small", api_base=url + "/v1", api_key="test-key-1")),
    "openrouter": (AIMOCK, lambda url: Model("openrouter/openai/gpt-4o", api_base=url + "/v1", api_key="test-key-1")),
    "cohere": (AIMOCK, lambda url: Model("cohere/command-r", api_base=url + "/v2/chat", api_key="test-key-1")),
}
# The mock cannot count: it reports no tokens for some wires, or says 0.
COUNTS = {"openai", "hosted_vllm", "anthropic", "gemini", "bedrock", "azure", "openrouter"}

pytestmark = pytest.mark.servers


@pytest.fixture(params=ROUTES)
def route(request):
    variable, make = ROUTES[request.param]
    url = os.environ.get(variable)
    if not url:
        pytest.skip(f"{variable} is not set: start ../shared/servers/up")
    real = variable == LLAMA
    question, answer = (
        ("What is the capital of France?", "Paris")
        if real
        else ("hello", "Hi there! This is a longer sentence to be streamed in pieces.")
    )
    return request.param, make(url).with_(max_retries=0), question, answer


def check(response, name, answer):
    assert response.content == answer
    assert response.finish_reason == "stop"
    assert response.message == {**response.message, "role": "assistant", "content": answer}
    assert len(response.attempts) == 1
    assert pickle.loads(pickle.dumps(response)) == response
    if name in COUNTS:
        assert response.usage.input_tokens > 0
        assert response.usage.output_tokens > 0
    if name in ("azure",):
        assert response.cost > 0


def test_a_call(route):
    name, model, question, answer = route
    check(model(question), name, answer)


def test_an_async_call(route):
    name, model, question, answer = route
    check(asyncio.run(model.acall(question)), name, answer)


def test_a_stream(route):
    name, model, question, answer = route
    stream = model(question, stream=True)
    assert "".join(delta.content for delta in stream) == answer
    check(stream.response, name, answer)


def test_an_async_stream(route):
    name, model, question, answer = route

    async def main():
        stream = model(question, stream=True)
        return "".join([delta.content async for delta in stream]), stream.response

    text, response = asyncio.run(main())
    assert text == answer
    check(response, name, answer)


def test_tools_pass_through(route):
    _, model, *_ = route
    response = model("What is the weather in Oslo?", tools=[WEATHER])
    (call,) = response.tool_calls
    assert call.name == "get_weather"
    assert call.arguments["location"] in ("Oslo", "Paris")
    assert call.invalid is None
    assert call.id
    assert response.message["tool_calls"][0]["function"]["name"] == "get_weather"


def test_streamed_tool_calls_are_whole(route):
    name, model, *_ = route
    if name == "cohere":
        pytest.skip("LiteLLM's parser of cohere's stream passes over tool-call-start events")
    stream = model("What is the weather in Oslo?", tools=[WEATHER], stream=True)
    list(stream)
    (call,) = stream.response.tool_calls
    assert call.name == "get_weather"
    assert call.arguments["location"] in ("Oslo", "Paris")
    assert stream.response.finish_reason == "tool_calls"


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_tool_round_trip(route, streamed):
    name, model, *_ = route
    if streamed and name == "cohere":
        pytest.skip("LiteLLM's parser of cohere's stream passes over tool-call-start events")
    messages = [{"role": "user", "content": "What is the weather in Oslo?"}]
    calls = model(messages, tools=[WEATHER], stream=streamed).consume()
    for call in calls.get_calls():
        assert call["function"]["arguments"]["location"] in ("Oslo", "Paris")
        calls.insert_results(call["id"], "sunny, 21 degrees")
    second = model([*messages, *calls.get_messages()], tools=[WEATHER])
    assert "in Paris" in second.text or "weather in" in second.text
    assert messages == [{"role": "user", "content": "What is the weather in Oslo?"}]


def test_parallel_calls(route):
    name, model, *_ = route
    if name not in REAL:
        pytest.skip("the mock has one call for this question")
    calls = model("What is the weather in Rome and Oslo?", tools=[WEATHER]).consume()
    assert [call.arguments["location"] for call in calls] == ["Rome", "Oslo"]


class Person(msgspec.Struct):
    name: str
    age: int


def talked_on(name, error):
    assert (name, error.response.finish_reason) == ("anthropic", "length")


def test_a_schema_ends_in_a_typed_object(route):
    name, model, *_ = route
    question = "Alice is 31 years old." if name in REAL else "person"
    try:
        response = model(question, schema=Person, max_tokens=256)
    except errors.ParseError as error:  # the tiny model was not taught this tool: it may talk on to the bound
        talked_on(name, error)
        return
    assert isinstance(response.parsed, Person)
    assert response.consume() == msgspec.to_builtins(response.parsed)
    if name in ("openai", "hosted_vllm"):
        assert response.parsed == Person("Alice", 31)
        assert response.warnings == ()


def test_a_streamed_schema_grows(route):
    name, model, *_ = route
    question = "Alice is 31 years old." if name in REAL else "person"
    stream = model(question, schema=Person, stream=True, max_tokens=256)
    try:
        grown = list(stream.partial_objects())
    except errors.ParseError as error:
        talked_on(name, error)
        return
    assert grown[-1] == stream.response.consume()
    assert isinstance(stream.response.parsed, Person)


def test_reasoning_is_told_apart(route):
    name, model, *_ = route
    if name not in ("gemini", "bedrock", "azure", "openrouter"):
        pytest.skip("no reasoning on this wire of the mock")
    response = model("think")
    assert (response.text, response.reasoning) == ("42", "six times seven")


def test_a_prefilled_answer(route):
    name, model, *_ = route
    if name not in REAL:
        pytest.skip("the mock has no fixture for a begun answer")
    assert model("What is the capital of France?", prefilling="The capital").text.startswith("The capital")


def test_a_refusal_is_typed(route):
    name, model, *_ = route
    if name in ("openai", "hosted_vllm", "anthropic"):
        with pytest.raises(errors.ContextWindowError) as caught:
            model("word " * 20_000)
        assert caught.value.status_code == 400
    else:
        with pytest.raises(errors.RateLimitError) as caught:
            model("ratelimit")
        assert caught.value.status_code == 429
        with pytest.raises(errors.ServerError):
            list(model("boom", stream=True))
    assert len(caught.value.attempts) == 1
    assert caught.value.provider == model.provider
    assert "test-key-1" not in f"{caught.value} {caught.value.body} {vars(caught.value)}"


def test_the_same_number_of_attempts_everywhere(route):
    name, model, *_ = route
    if name in ("openai", "hosted_vllm", "anthropic"):
        changed = model.with_(api_base="http://127.0.0.1:9", max_retries=2)
        with pytest.raises(errors.ConnectionError) as caught:
            changed("Hi")
    else:
        with pytest.raises(errors.RateLimitError) as caught:
            model.with_(max_retries=2)("ratelimit")
    assert len(caught.value.attempts) == 3
