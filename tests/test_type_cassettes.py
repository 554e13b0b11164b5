"""One happy path of each model type, recorded from real servers and replayed without a network or a key.

`pytest tests/test_type_cassettes.py --magma-record=all` records anew, with the servers' MAGMA_TEST_…_URL set.
"""

import os
import struct

import msgspec
import pytest

import magma

WAV = struct.pack(
    "<4sI4s4sIHHIIHH4sI8x", b"RIFF", 44, b"WAVE", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16, b"data", 8
)  # four samples of silence
PNG = b"\x89PNG\r\n\x1a\n" + bytes(32)


def at(name: str, path: str = "/v1") -> dict[str, object]:
    """Where a server is (any address when its cassette is replayed), and a key that it does not look at."""
    url = os.environ.get(f"MAGMA_TEST_{name}_URL", "http://127.0.0.1:8080")
    return {"api_base": url + path, "api_key": "test", "max_retries": 0}


class Person(msgspec.Struct):
    name: str
    age: int


def test_an_object(magma_cassette):
    response = magma.Model("openai/tiny", **at("LLAMA"))("Alice is 31 years old.", schema=Person)
    assert response.parsed == Person("Alice", 31)


def test_a_whole_round_with_a_tool(magma_cassette):
    def get_weather(location: str) -> str:
        """Get the current weather."""
        return "sunny, 21 degrees"

    model, messages = (
        magma.Model("openai/tiny", **at("LLAMA")),
        [{"role": "user", "content": "What is the weather in Oslo?"}],
    )
    calls = model(messages, tools=[get_weather]).consume()
    for call in calls.get_calls():
        calls.insert_results(call["id"], get_weather(**call["function"]["arguments"]))
    assert "Oslo" in model([*messages, *calls.get_messages()], tools=[get_weather]).text
    assert len(magma_cassette) == 2


def test_an_embedder(magma_cassette):
    response = magma.Embedder("hosted_vllm/embed", **at("EMBED"))(["Hello", "World"])
    assert [len(vector) for vector in response.content] == [64, 64]
    assert response.usage.input_tokens > 0


def test_a_reranker(magma_cassette):
    ranked = magma.Reranker("jina_ai/rerank", **at("RERANK"))("capital", ["Rome", "Paris", "x"]).content
    assert sorted(one["index"] for one in ranked) == [0, 1, 2]


def test_a_text_classifier(magma_cassette):
    classifier = magma.TextClassifier("openai/tiny", labels=["positive", "negative"], **at("LLAMA"))
    assert classifier("What a great day!").content["label"] in ("positive", "negative")


def test_a_transcriber(magma_cassette):
    assert magma.Transcriber("openai/whisper-1", **at("AIMOCK"))(WAV).content == "Hello world"


def test_a_speaker(magma_cassette):
    assert magma.Speaker("openai/tts-1", **at("AIMOCK"))("Hello").content.format == "wav"


def test_an_image_generator(magma_cassette):
    assert magma.ImageGenerator("openai/dall-e-3", **at("AIMOCK"))("A cat").content.bytes()[1:4] == b"PNG"


def test_an_image_editor(magma_cassette):
    assert magma.ImageEditor("openai/gpt-image-1", **at("AIMOCK"))("At night", image=PNG).content.bytes()[1:4] == b"PNG"


def test_a_moderator(magma_cassette):
    assert magma.Moderator("openai/omni-moderation-latest", **at("AIMOCK"))("Hello").content["safe"] is True


@pytest.mark.parametrize("id", ["cohere/rerank-v3.5"])
def test_cohere(magma_cassette, id):
    assert {one["index"] for one in magma.Reranker(id, **at("AIMOCK", ""))("q", ["a", "b"]).content} == {0, 1}
