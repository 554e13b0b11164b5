"""Providers' own wires and odd types: facts are neither invented nor lost, and nothing raw comes out."""

import pytest

from magma import Model, errors
from magma._call import dispatch
from magma.testing import Reply
from magma.testing.bodies import chat_body, chat_chunks, sse
from magma.testing.wire import Hang

AWS = {"aws_access_key_id": "AKIATEST", "aws_secret_access_key": "test-secret-key", "aws_region_name": "us-east-1"}
KEY = "sk-secret-0123456789"


def model_of(server, provider):
    return {
        "openai": lambda: Model("openai/gpt-4o", api_base=server.url + "/v1", api_key=KEY),
        "anthropic": lambda: Model("anthropic/claude-3-5-haiku-20241022", api_base=server.url, api_key=KEY),
        "gemini": lambda: Model("gemini/gemini-2.0-flash", api_base=server.url + "/v1beta", api_key=KEY),
        "bedrock": lambda: Model(
            "bedrock/anthropic.claude-3-sonnet-20240229-v1:0", aws_bedrock_runtime_endpoint=server.url, **AWS
        ),
        "ollama_chat": lambda: Model("ollama_chat/llama3", api_base=server.url),
    }[provider]().with_(max_retries=0, timeout=10)


def gemini(text, reason="STOP", usage=True):
    candidate = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
    if reason:
        candidate["finishReason"] = reason
    counts = {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}
    return {"candidates": [candidate], "responseId": "r-1"} | ({"usageMetadata": counts} if usage else {})


BEDROCK = {"output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}}, "stopReason": "end_turn"}


@pytest.mark.parametrize(
    ("provider", "reply"),
    [
        ("anthropic", Reply.anthropic("Hi", usage=None)),
        ("gemini", Reply.json(gemini("Hi", usage=False))),
        ("bedrock", Reply.json(BEDROCK)),
        ("openai", Reply.json(chat_body("Hi", usage=None) | {"usage": {}})),
    ],
)
def test_a_missing_usage_stays_none(server, provider, reply):
    server.default = reply
    response = model_of(server, provider)("Hi")
    assert response.content == "Hi"
    assert response.usage is None
    assert response.cost is None
    assert response.finish_reason == "stop"


def test_half_a_usage_is_not_made_whole(server):
    server.default = Reply.json(chat_body("Hi") | {"usage": {"prompt_tokens": 9}})
    usage = model_of(server, "openai")("Hi").usage
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (9, None, None)


@pytest.mark.parametrize(
    ("provider", "reply"),
    [
        (
            "openai",
            Reply.json(
                {**chat_body("Hi"), "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}}]}
            ),
        ),
        ("anthropic", Reply.anthropic("Hi", stop_reason=None)),
        ("gemini", Reply.json(gemini("Hi", reason=None))),
    ],
)
def test_a_missing_finish_reason_stays_none(server, provider, reply):
    server.default = reply
    response = model_of(server, provider)("Hi")
    assert (response.content, response.finish_reason) == ("Hi", None)


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini"])
def test_an_unknown_finish_reason_is_kept(server, provider, streams):
    server.default = {
        ("openai", False): Reply.chat("Hi", finish_reason="banana"),
        ("openai", True): Reply.stream("Hi", finish_reason="banana"),
        ("anthropic", False): Reply.anthropic("Hi", stop_reason="banana"),
        ("anthropic", True): Reply.anthropic_stream("Hi", stop_reason="banana"),
        ("gemini", False): Reply.json(gemini("Hi", "BANANA")),
        ("gemini", True): Reply.sse(sse(gemini("Hi", "BANANA"))),
    }[provider, streams]
    response = model_of(server, provider)("Hi", stream=streams)
    if streams:
        list(response)
        response = response.response
    assert response.finish_reason.lower() == "banana"


def test_a_truncated_gemini_stream_is_an_error(server):
    server.default = Reply.sse(sse(gemini("one ", None, usage=False)), sse(gemini("two", None, usage=False)))
    with pytest.raises(errors.StreamInterruptedError) as caught:
        list(model_of(server, "gemini")("Hi", stream=True))
    assert caught.value.partial.content == "one two"


def test_a_gemini_stream_is_whole_with_its_reason(server):
    server.default = Reply.sse(sse(gemini("one ", None, usage=False)), sse(gemini("two")))
    stream = model_of(server, "gemini")("Hi", stream=True)
    assert "".join(stream.consume()) == "one two"
    assert (stream.response.finish_reason, stream.response.usage.total_tokens) == ("stop", 5)
    assert stream.response.id == "r-1"


def test_the_providers_id_is_kept_in_a_stream(server):
    server.default = Reply.anthropic_stream("Hi", id="msg_42")
    stream = model_of(server, "anthropic")("Hi", stream=True)
    list(stream)
    assert stream.response.id == "msg_42"


def test_a_stream_ends_with_the_answer_not_with_the_connection(server):
    body = Reply.anthropic_stream("Hi there").body
    server.default = Reply.sse(*body, Hang())
    stream = model_of(server, "anthropic")("Hi", stream=True)
    assert "".join(stream.consume()) == "Hi there"
    assert stream.response.warnings == ()


def test_gemini_leaves_no_listener_behind(server):
    server.default = Reply.json(gemini("Hi"))
    model_of(server, "gemini")("Hi")
    assert "litellm_logging_obj" in dispatch._listener(model_of(server, "openai")._request({"messages": []}), [])


def test_an_error_line_of_ollama_keeps_its_words(server):
    server.default = Reply.text('{"error": "model llama3 is broken"}\n', 200, "application/x-ndjson")
    with pytest.raises(errors.ModelError, match="llama3 is broken"):
        list(model_of(server, "ollama_chat")("Hi", stream=True))


WRONG = [
    {"usage": "x"},
    {"usage": [1]},
    {"id": 5},
    {"model": 5},
    {"choices": [{"index": [1], "PART": {"content": "Hi"}, "finish_reason": "stop"}]},
    {"choices": [{"index": 0, "PART": {"content": "Hi"}, "finish_reason": 5}]},
    {"choices": [{"index": 0, "PART": {"content": "Hi"}, "logprobs": "x", "finish_reason": "stop"}]},
    {"choices": [{"index": 0, "PART": {"content": 5}, "finish_reason": "stop"}]},
    {"choices": [{"index": 0, "PART": "x", "finish_reason": "stop"}]},
    {
        "choices": [
            {
                "index": 0,
                "PART": {"content": "Hi", "refusal": 5, "reasoning_content": [1], "thinking_blocks": "x"},
                "finish_reason": "stop",
            }
        ]
    },
    {"choices": [{"index": 0, "PART": {"tool_calls": "x"}, "finish_reason": "tool_calls"}]},
    {"choices": [{"index": 0, "PART": {"tool_calls": [None]}, "finish_reason": "tool_calls"}]},
    {
        "choices": [
            {
                "index": 0,
                "PART": {"tool_calls": [{"id": 1, "index": "0", "function": "f"}]},
                "finish_reason": "tool_calls",
            }
        ]
    },
    {
        "choices": [
            {
                "index": 0,
                "PART": {"tool_calls": [{"id": 1, "index": 0, "function": {"name": 5, "arguments": 5}}]},
                "finish_reason": "tool_calls",
            }
        ]
    },
    {"choices": {"a": 1}},
    {"choices": "x"},
    {"choices": [5]},
]


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("number", range(len(WRONG)))
def test_members_of_wrong_types_make_a_value_or_a_typed_error(server, number, streams):
    def put(value, part):
        if isinstance(value, dict):
            return {part if name == "PART" else name: put(item, part) for name, item in value.items()}
        return [put(item, part) for item in value] if isinstance(value, list) else value

    if streams:
        chunks = chat_chunks("Hi")
        server.default = Reply.sse(
            *[sse(chunk) for chunk in chunks[:1]],
            sse({**chunks[1], **put(WRONG[number], "delta")}),
            *[sse(chunk) for chunk in chunks[2:]],
            sse("[DONE]"),
        )
    else:
        server.default = Reply.json({**chat_body("Hi"), **put(WRONG[number], "message")})
    try:
        response = model_of(server, "openai")("Hi", stream=streams)
        if streams:
            list(response)
            response = response.response
    except errors.ModelError:
        return
    assert type(response).from_json(response.to_json()) == response


def test_json_that_is_nested_too_deeply_is_a_typed_error(server):
    server.default = Reply.text("[" * 100_000, 200, "application/json")
    with pytest.raises(errors.ServerError):
        model_of(server, "openai")("Hi")


@pytest.mark.parametrize("streams", [False, True])
def test_a_key_is_redacted_before_a_text_is_cut(server, streams):
    text = "x" * 190 + KEY + "y" * 50
    server.default = Reply.sse(sse(text)) if streams else Reply.text(text, 200, "application/json")
    with pytest.raises(errors.ServerError) as caught:
        list(model_of(server, "openai")("Hi", stream=streams))
    assert "sk-sec" not in f"{caught.value} {caught.value.body} {caught.value.attempts}"


def test_a_header_that_is_not_ascii_is_no_connection_error(server):
    server.default = Reply.raw(b"HTTP/1.1 200 OK\r\nx-note: \xc3\xa9\r\ncontent-length: 2\r\n\r\n{}")
    with pytest.raises(errors.ServerError, match="headers") as caught:
        model_of(server, "openai").with_(max_retries=2)("Hi")
    assert len(caught.value.attempts) == len(server.requests) == 1
