"""Scripted answers and cassettes hold for every model type by every driver: the same value, nothing sent."""

import pytest

import magma
from magma import errors, register_hook, testing

SCRIPTED = {
    "Model": "Hello there!",
    "Embedder": [[0.5, 0.25], [0.25, 0.5]],
    "ImageEmbedder": [0.5] * 1536,
    "Transcriber": "Hello, this is a test.",
    "ImageGenerator": "https://example.com/image.png",
    "Moderator": False,
    "TextClassifier": "positive",
    "ImageClassifier": "positive",
    "Reranker": [0.1, 0.2, 0.3],
}


def script_of(kind):
    """What is enqueued for a kind: its own content, where that is plain."""
    return SCRIPTED.get(kind.type.__name__, kind.content)


def test_a_scripted_answer_is_that_value_and_nothing_is_sent(way):
    told = []
    handle = way.kind.type(way.kind.id, **way.kind.needs)
    with (
        testing.no_requests(),
        testing.scripted() as script,
        register_hook("before_call", lambda request: told.append("before")),
        register_hook("after_call", lambda request, response: told.append("after")),
    ):
        script.enqueue(script_of(way.kind))
        response = way.ask(handle)
    assert way.kind.shape(response.content) == way.kind.content
    assert response.attempts == ()
    assert told == ["before", "after"]
    [request] = script.requests
    assert (request.model, request.operation, request.stream) == (way.kind.id, handle.operation, way.streams)
    assert script.left == 0


def test_a_scripted_error_is_raised(way):
    handle = way.kind.type(way.kind.id, **way.kind.needs)
    with testing.scripted(default=errors.RateLimitError("slow down", status_code=429)) as script:
        with pytest.raises(errors.RateLimitError, match="slow down") as caught:
            way.ask(handle)
        assert caught.value.model == way.kind.id
    assert len(script.requests) == 1


def test_the_script_of_a_chat_model_is_no_answer_of_another(kind):
    chats = kind.type.operation == "completion"
    with testing.scripted(default=[0.5, 0.25] if chats else {"choices": []}), pytest.raises(magma.ConfigError):
        kind.type(kind.id, **kind.needs)(*kind.inputs)


def test_a_cassette_replays_every_driver(server, way, tmp_path):
    path = tmp_path / "one.yaml"
    server.default = way.good or server.default
    with testing.cassette(path, record="once"):
        first = way.ask(way.kind.handle(server))
    assert len(server.requests) == 1
    with testing.cassette(path) as tape:
        second = way.ask(way.kind.handle(server, api_key=None))
        assert tape.play_count == 1
    assert len(server.requests) == 1
    assert second.content == first.content
    assert second.usage == first.usage


def test_forbidden_requests_are_an_error_before_anything_is_sent(server, way):
    with testing.no_requests(), pytest.raises(magma.ConfigError, match="MAGMA_ALLOW_REQUESTS"):
        way.ask(way.kind.handle(server))
    assert server.requests == []
