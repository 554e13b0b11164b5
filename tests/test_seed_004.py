"""The examples of seed 004 (magma.model), run against the scripted server; import lines as in the seed."""

import asyncio
from collections.abc import Iterable

import pytest
import trio

import magma
from magma import errors, testing
from magma.testing import Reply, Server


@pytest.fixture
def server(monkeypatch):
    with Server() as server:
        server.default = Reply.chat("Hello there!", usage=(9, 19))
        monkeypatch.setenv("OPENAI_API_KEY", "test-openai-key")
        monkeypatch.setenv("ANTHROPIC_API_KEY", "test-anthropic-key")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url + "/v1")
        monkeypatch.setenv("ANTHROPIC_API_BASE", server.url)
        monkeypatch.setenv("OLLAMA_API_BASE", server.url)
        yield server


def test_quick_start(server):
    from magma.model import Model

    gpt4o = Model("openai/gpt-4o", temperature=0.7)
    opus4 = Model(
        "anthropic/claude-4-opus-20250514",
        temperature=0.3,
        thinking={"type": "enabled", "budget_tokens": 10_000},
    )
    mistral = Model("ollama/mistral:latest", max_tokens=512)

    res = gpt4o([{"role": "user", "content": "Say hi!"}])
    assert res.content == "Hello there!"
    assert repr(res) == "<Generation 'Hello there!' 9+19 tokens $0.0002125>"
    assert server.requests[-1].json()["temperature"] == 0.7

    server.default = Reply.anthropic("Deep thought.")
    assert opus4([{"role": "user", "content": "Think!"}]).content == "Deep thought."
    body = server.requests[-1].json()
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 10_000}
    assert body["model"] == "claude-4-opus-20250514"

    server.default = Reply.json(
        {
            "model": "mistral:latest",
            "response": "Bonjour",
            "done": True,
            "done_reason": "stop",
            "prompt_eval_count": 3,
            "eval_count": 2,
        }
    )
    assert mistral("Salut").content == "Bonjour"
    asked = [received for received in server.requests if received.path == "/api/generate"]  # LiteLLM asks /api/show too
    assert asked[-1].json()["options"]["num_predict"] == 512


def test_the_generation_is_a_mapping_too(server):
    from magma.model import Generation, Model

    generation = Model("openai/gpt-4o")("Say hi!")
    assert isinstance(generation, Generation)
    assert generation["content"] == "Hello there!"
    assert generation["usage"]["prompt_tokens"] == 9
    assert set(generation) >= {"id", "content", "usage"}
    assert dict(generation)["content"] == "Hello there!"
    assert {**generation}["id"] == generation.id


def test_with_returns_a_new_model():
    from magma.model import Model

    model = Model("openai/gpt-4o")
    other = model.with_(temperature=0.9)
    assert (model.temperature, other.temperature) == (0.0, 0.9)
    assert other is not model


def test_a_stream_is_an_iterable_of_generations(server):
    from magma.model import Generation, Model

    server.default = Reply.stream("Hello there!")
    stream = Model("openai/gpt-4o")([{"role": "user", "content": "Say hi!"}], stream=True)
    assert isinstance(stream, Iterable)
    assert all(isinstance(delta, Generation) for delta in stream)


def test_overrides_are_for_this_call_only(server):
    from magma.model import Model

    model = Model("openai/gpt-4o")
    model("Hi", temperature=1.0, max_tokens=3)
    assert (server.requests[-1].json()["temperature"], server.requests[-1].json()["max_tokens"]) == (1.0, 3)
    assert model.temperature == 0.0


def test_top_p_none_leaves_the_provider_default(server):
    magma.Model("openai/gpt-4o", top_p=None)("Hi")
    assert "top_p" not in server.requests[-1].json()


def test_a_failed_call_is_a_model_error(server):
    from magma.model import Model, ModelError

    server.default = Reply.error(400)
    with pytest.raises(ModelError) as caught:
        Model("openai/gpt-4o")("Hi")
    assert isinstance(caught.value, errors.BadRequestError)


def test_a_provider_key_never_reaches_a_body(server):
    from magma.model import Model

    Model("groq/llama3-70b", groq_api_key="gsk-secret-key", api_base=server.url + "/v1")("Hi")
    received = server.requests[-1]
    assert b"gsk-secret-key" not in received.body
    assert received.headers["authorization"] == "Bearer gsk-secret-key"


def test_global_defaults(server, monkeypatch):
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_TEMPERATURE", "0.3")
    magma.Model("openai/gpt-4o")("Hi")
    assert server.requests[-1].json()["temperature"] == 0.3


def test_a_pre_call_interceptor_enforces_a_token_budget(server):
    from magma.model import Model, register_hook

    @register_hook("before_call")
    def budget(request):
        if sum(len(message["content"].split()) for message in request.messages) > 5:
            raise errors.BudgetError("more than five words")

    with budget:
        Model("openai/gpt-4o")("short enough")
        with pytest.raises(errors.BudgetError):
            Model("openai/gpt-4o")("this is far too long for us")
    assert len(server.requests) == 1


def test_the_async_model_under_asyncio_and_trio(server):
    from magma.model import ModelAsync

    async def main():
        return (await ModelAsync("openai/gpt-4o")("Say hi!")).content

    assert asyncio.run(main()) == "Hello there!"
    assert trio.run(main) == "Hello there!"


def test_a_missing_key_names_the_variable(server, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    for id, variable in (
        ("openai/gpt-4o", "OPENAI_API_KEY"),
        ("anthropic/claude-x", "ANTHROPIC_API_KEY"),
        ("gemini/x", "GEMINI_API_KEY"),
    ):
        with pytest.raises(errors.AuthenticationError, match=variable) as caught:
            magma.Model(id)("Hi")
        assert not caught.value.retryable
    assert server.requests == []


def test_without_a_network_the_offline_model_answers():
    assert magma.Model("offline/echo")([{"role": "user", "content": "Say hi!"}]).content == "Say hi!"


def test_the_kill_switch_forbids_everything_else():
    with testing.no_requests(), pytest.raises(magma.ConfigError, match="MAGMA_ALLOW_REQUESTS"):
        magma.Model("openai/gpt-4o")("Hi")
