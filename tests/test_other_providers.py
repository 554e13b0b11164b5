"""The operations besides chat on real servers: a real embedder and reranker, and a third party's mock of OpenAI and Cohere.

`eval "$(../shared/servers/up)"` starts them; without them these tests are skipped and say so.
"""

import os

import pytest

from magma import Embedder, ImageEditor, ImageGenerator, Moderator, Reranker, Speaker, TextClassifier, Transcriber

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 64
WAV = b"RIFF\x00\x00\x00\x00WAVEfmt " + b"0" * 64

pytestmark = pytest.mark.servers


def server(name):
    url = os.environ.get(f"MAGMA_TEST_{name}_URL")
    if not url:
        pytest.skip(f"MAGMA_TEST_{name}_URL is not set: start ../shared/servers/up")
    return url


@pytest.mark.parametrize("provider", ["openai", "hosted_vllm"])
def test_a_real_embedder_gives_the_same_vectors_one_by_one_and_together(provider):
    embedder = Embedder(f"{provider}/embed", api_base=server("EMBED") + "/v1", api_key="test-key-1")
    texts = ["Hello, world!", "Hello", "World"]
    together = embedder(texts)
    assert together.array.shape == (3, len(together.content[0]))
    for text, vector in zip(texts, together.content, strict=True):
        assert embedder(text).content == pytest.approx(vector, abs=1e-5)
    assert together.usage.input_tokens > 0
    assert together.warnings == ()


def test_floats_and_base64_are_the_same_vectors():
    embedder = Embedder("openai/embed", api_base=server("EMBED") + "/v1", api_key="test-key-1")
    plain = embedder.with_(encoding_format="float")("Hello")
    assert embedder("Hello").content == pytest.approx(plain.content, abs=1e-6)
    assert isinstance(plain.raw["data"][0]["embedding"], list)


@pytest.mark.parametrize("path", ["", "/v1"])
@pytest.mark.parametrize("provider", ["jina_ai", "hosted_vllm", "infinity"])
def test_a_real_reranker(provider, path):
    reranker = Reranker(f"{provider}/rerank", api_base=server("RERANK") + path, api_key="test-key-1")
    documents = ["Rome is in Italy", "Paris is the capital of France", "Oslo"]
    ranked = reranker("capital of France", documents).content
    assert sorted(one["index"] for one in ranked) == [0, 1, 2]
    assert [one["score"] for one in ranked] == sorted((one["score"] for one in ranked), reverse=True)
    assert all(one["document"] == documents[one["index"]] for one in ranked)
    assert [one["index"] for one in reranker("capital of France", documents, top_n=1).content] == [ranked[0]["index"]]


def test_cohere_ranks():
    ranked = Reranker("cohere/rerank-v3.5", api_base=server("AIMOCK"), api_key="test-key-1")("q", ["a", "b"]).content
    assert {one["index"] for one in ranked} == {0, 1}


@pytest.fixture
def mock():
    return {"api_base": server("AIMOCK") + "/v1", "api_key": "test-key-1", "max_retries": 0}


def test_openais_other_endpoints(mock, tmp_path):
    assert len(Embedder("openai/text-embedding-3-small", **mock)("Hello").content) == 1536
    assert Moderator("openai/omni-moderation-latest", **mock)("Hello").content["safe"] is True
    assert Transcriber("openai/whisper-1", **mock)(WAV).content
    assert Speaker("openai/tts-1", **mock)("Hello").content.save(tmp_path / "out.wav").stat().st_size > 0
    assert b"".join(delta.content for delta in Speaker("openai/tts-1", **mock)("Hello", stream=True))
    assert ImageGenerator("openai/dall-e-3", **mock)("A cat", size="1024x1024").content
    assert ImageEditor("openai/gpt-image-1", **mock)("At night", image=PNG).content


def test_a_real_model_is_bound_to_the_labels():
    classifier = TextClassifier(
        "openai/tiny", api_base=server("LLAMA") + "/v1", api_key="test-key-1", labels=["positive", "negative"]
    )
    content = classifier("What a great day!").content
    assert content["label"] in ("positive", "negative")
    assert 0 <= content["score"] <= 1
