"""Happy paths of a real server, replayed: its bytes must come out as the same responses, without a network or a key.

Recorded from llama-server: `pytest tests/test_cassettes.py --magma-record=all` with MAGMA_TEST_LLAMA_URL set.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vcr.request import Request

from magma import Model, testing
from magma.errors import NotFoundError, redact
from magma.testing import Reply, Server
from magma.testing.cassettes import KEPT, CassetteMissing, Tape, UnrecordedRequest, _File, same_body
from magma.testing.wire import chat_body

SERVER = os.environ.get("MAGMA_TEST_LLAMA_URL", "http://127.0.0.1:8080")
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather of a city",
        "parameters": {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]},
    },
}
ROOT = Path(__file__).parent.parent
CASSETTES = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "cassettes").rglob("*.yaml"))]

providers = pytest.mark.parametrize("provider", ["openai", "hosted_vllm", "anthropic"])
pytestmark = pytest.mark.filterwarnings(
    "ignore:Item .* on TypedDict class:UserWarning"
)  # LiteLLM's, at its first stream
cassettes = pytest.mark.parametrize("path", CASSETTES)


def tiny(provider: str) -> Model:
    base = SERVER if provider == "anthropic" else f"{SERVER}/v1"
    return Model(f"{provider}/tiny", api_base=base, api_key="test", max_retries=0, timeout=60, max_tokens=256)


@providers
def test_a_call_gives_the_text_its_usage_and_why_it_ended(provider: str, magma_cassette: Tape) -> None:
    answer = tiny(provider)("What is the capital of France?")
    assert answer.content == "Paris"
    assert answer.finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (18, 2)
    assert [attempt.status_code for attempt in answer.attempts] == [200]
    assert len(magma_cassette) == 1


@providers
def test_a_stream_gives_its_deltas_and_then_the_whole_answer(provider: str, magma_cassette: Tape) -> None:
    stream = tiny(provider)("Count to 7", stream=True)
    deltas = [delta.content for delta in stream]
    assert len(deltas) > 1
    assert "".join(deltas) == stream.response.content == "1, 2, 3, 4, 5, 6, 7"
    assert stream.response.finish_reason == "stop"
    assert stream.response.usage is not None


@providers
def test_a_tool_call_is_decoded(provider: str, magma_cassette: Tape) -> None:
    answer = tiny(provider)("What is the weather in Oslo?", tools=[WEATHER])
    assert [(call.name, call.arguments) for call in answer.tool_calls] == [("get_weather", {"location": "Oslo"})]
    assert answer.finish_reason == "tool_calls"


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_streamed_tool_call_is_put_together(provider: str, magma_cassette: Tape) -> None:
    stream = tiny(provider)("What is the weather in Oslo?", tools=[WEATHER], stream=True)
    assert all(not delta.content for delta in stream)
    assert [(call.name, call.arguments) for call in stream.response.tool_calls] == [
        ("get_weather", {"location": "Oslo"})
    ]


def test_concurrent_async_calls_get_their_own_answers(magma_cassette: Tape) -> None:
    async def main() -> list[Any]:
        model = tiny("openai")
        asked = (model.acall(f"What is the capital of {country}?") for country in ("France", "Italy", "Norway"))
        return list(await asyncio.gather(*asked))

    assert [answer.content for answer in asyncio.run(main())] == ["Paris", "Rome", "Oslo"]


def test_an_async_stream_gives_its_deltas(magma_cassette: Tape) -> None:
    async def main() -> list[str]:
        stream = await tiny("anthropic").acall("Say hi!", stream=True)
        return [delta.content async for delta in stream]

    assert "".join(asyncio.run(main())) == "Hello! How can I help you today?"


# What is committed.


@cassettes
def test_a_cassette_holds_no_secret_and_nothing_of_the_machine_it_was_recorded_on(path: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    assert redact(text) == text
    assert not re.search(r"(?i)authorization|api[-_]key|cookie|bearer|x-stainless|user-agent", text)
    assert not re.search(r"127\.0\.0\.1|localhost:\d|/(root|home|tmp|work|Users)/", text)


@cassettes
def test_a_cassette_keeps_only_the_headers_a_reader_needs(path: str) -> None:
    requests, responses = _File.load_cassette(ROOT / path, None)
    assert {name for request in requests for name in request.headers} <= KEPT
    assert {name for response in responses for name in response["headers"]} <= KEPT


@cassettes
def test_a_cassette_belongs_to_a_test_that_is_still_there(path: str) -> None:
    name = Path(path).stem.partition("-")[0].rpartition(".")[2]
    modules = list((ROOT / "tests").rglob(f"{Path(path).parent.name}.py"))
    assert any(f"def {name}(" in module.read_text(encoding="utf-8") for module in modules)


# What a cassette does: recorded from a server that is gone when it is replayed.


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cassettes" / "one.yaml"


def recorded(path: Path, reply: Any, *, stream: bool = False) -> tuple[Any, Any, str]:
    """The answer of a server that is then stopped, what the cassette makes of it, and the cassette's text."""
    asked = {"api_key": "my-own-key-1234", "max_retries": 0, "timeout": 30, "extra": {"api_token": "t-5678-9"}}
    answers = []
    with Server() as server:
        server.default = reply
        with testing.cassette(path, record="once"):
            answers.append(finished(Model("openai/any", api_base=f"{server.url}/v1", **asked), stream))
        base = server.url.replace("127.0.0.1", "localhost")
    with testing.cassette(path) as tape:
        other = asked | {"api_key": None, "extra": {"api_token": "another-one"}}
        answers.append(finished(Model("openai/any", api_base=f"{base}/v1", **other), stream))
        assert tape.play_count == 1
    return answers[0], answers[1], path.read_text(encoding="utf-8")


def finished(model: Model, stream: bool) -> Any:
    answer: Any = model("Say ünïcödé!", stream=stream)
    return ([*answer], answer.response)[1] if stream else answer


@pytest.mark.parametrize("stream", [False, True])
def test_a_replay_needs_neither_server_nor_key_and_gives_the_same(path: Path, stream: bool) -> None:
    reply = (Reply.stream if stream else Reply.chat)("ünïcödé,\nsecond line \u2028 third")
    first, second, text = recorded(path, reply, stream=stream)
    assert second.raw == first.raw
    assert (second.content, second.usage) == (first.content, first.usage)
    assert "ünïcödé" in text


def test_no_secret_is_recorded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_SERVICE_TOKEN", "environment-secret")
    words = "my-own-key-1234, environment-secret, sk-abcdefghijklmnopqrstuvwx"
    headers = {"set-cookie": "session=1", "x-request-id": "req-77", "openai-organization": "org-77"}
    _, second, text = recorded(path, Reply.chat(words, headers=headers))
    assert second.content == "[redacted], [redacted], [redacted]"
    for secret in (
        "my-own-key-1234",
        "t-5678-9",
        "environment-secret",
        "sk-abc",
        "session",
        "req-77",
        "org-77",
        "127.0",
    ):
        assert secret not in text


def test_compressed_answers_are_recorded_readable(path: Path) -> None:
    body = json.dumps(chat_body("Hello there!")).encode()
    reply = Reply.text(gzip.compress(body), content_type="application/json", headers={"content-encoding": "gzip"})
    first, second, text = recorded(path, reply)
    assert first.content == second.content == "Hello there!"
    assert "content: Hello there!" in text
    assert "gzip" not in text


def test_data_without_spaces_is_left_as_it_is(path: Path) -> None:
    data = "sk-abcdefghijklmnopqrstuvwx/" * 40
    _, second, _ = recorded(path, Reply.chat(data))
    assert second.content == data


def test_each_recorded_answer_is_played_once_in_its_order(path: Path) -> None:
    with Server() as server:
        server.enqueue(Reply.chat("one"), Reply.chat("two"))
        model = Model("openai/any", api_base=f"{server.url}/v1", api_key="x")
        with testing.cassette(path, record="all"):
            assert [model("Hi").content, model("Hi").content] == ["one", "two"]
    with pytest.raises(UnrecordedRequest, match="holds no"), testing.cassette(path) as tape:  # noqa: PT012
        assert [model("Hi").content, model("Hi").content] == ["one", "two"]
        with pytest.raises(NotFoundError, match=r"holds no .* answer to POST") as caught:
            model("Hi")
        assert len(caught.value.attempts) == 1  # nobody tries again
        assert len(tape.missed) == 1


def test_a_client_that_was_made_before_is_replayed_and_reaches_its_server_again_after(path: Path) -> None:
    with Server() as server:
        server.default = Reply.chat("from the server")
        model = Model("openai/any", api_base=f"{server.url}/v1", api_key="x")
        model("Hi")
        with testing.cassette(path, record="once"):
            model("Hi")
        server.default = Reply.chat("changed")
        with testing.cassette(path):
            assert model("Hi").content == "from the server"
        assert model("Hi").content == "changed"
        assert len(server.requests) == 3


def test_a_cassette_answers_where_requests_are_forbidden(path: Path) -> None:
    with testing.no_requests():
        first, second, _ = recorded(path, Reply.chat("Hello there!"))
    assert first.content == second.content == "Hello there!"


def test_a_missing_cassette_is_an_error_unless_it_may_be_recorded(path: Path) -> None:
    with pytest.raises(CassetteMissing, match="there is no cassette"), testing.cassette(path):
        pass
    with testing.cassette(path, record="once"):
        pass
    assert not path.exists()  # nothing was asked


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(
    st.none()
    | st.binary()
    | st.text().map(lambda text: text.encode())
    | json_values.map(lambda value: json.dumps(value).encode())
)
def test_any_body_survives_the_file(body: bytes | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/one.yaml"
        request = Request("POST", "http://localhost/", body, {"accept": "*/*"})
        response = {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": body or b""}}
        _File.save_cassette(path, {"requests": [request], "responses": [response]}, None)
        [read], [answer] = _File.load_cassette(path, None)
    same_body(read, request)
    same_body(Request("POST", "", answer["body"]["string"], {}), Request("POST", "", body or b"", {}))
