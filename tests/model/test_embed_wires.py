"""Embedders of providers with a wire of their own, and `ImageEmbedder`."""

import base64
import json

import pytest

import magma
from magma import errors
from magma.testing import Reply
from magma.testing.wire import Hang

pytestmark = pytest.mark.usefixtures("silent")
PARSE, SERVER = errors.ParseError, errors.ServerError
USAGE = {"prompt_tokens": 7, "total_tokens": 7}


def body(*vectors, indices=None, usage=USAGE):
    indices = range(len(vectors)) if indices is None else indices
    data = [{"object": "embedding", "index": at, "embedding": one} for at, one in zip(indices, vectors, strict=True)]
    return {"object": "list", "model": "m", "data": data, "usage": usage}


FLOATS = [[1.0, 2.0], [3.0, 4.0]]
WIRES = [
    ("cohere/embed-v4.0", "/v2/embed", "/v2/embed", "texts", {"embeddings": {"float": FLOATS}, "meta": {"billed_units": {"input_tokens": 7}}}),
    ("gemini/gemini-embedding-001", "", "/models/gemini-embedding-001:batchEmbedContents", "requests", {"embeddings": [{"values": one} for one in FLOATS]}),
    ("jina_ai/jina-embeddings-v3", "/v1", "/v1/embeddings", "input", body(*FLOATS)),
    ("voyage/voyage-3", "/v1", "/v1/embeddings", "input", body(*FLOATS)),
    ("mistral/mistral-embed", "/v1", "/v1/embeddings", "input", body(*FLOATS)),
    ("ollama/nomic-embed-text", "", "/api/embed", "input", {"model": "m", "embeddings": FLOATS, "prompt_eval_count": 7}),
    ("azure/mine", "", "/openai/deployments/mine/embeddings", "input", body(*FLOATS)),
    ("hosted_vllm/m", "/v1", "/v1/embeddings", "input", body(*FLOATS)),
    ("together_ai/m", "/v1", "/v1/embeddings", "input", body(*FLOATS)),
]  # fmt: skip


@pytest.mark.parametrize(("id", "base", "path", "field", "answer"), WIRES)
def test_each_provider_is_asked_and_read_in_its_own_shape(id, base, path, field, answer, server, make):
    server.default = Reply.json(answer)
    embedder = make(magma.Embedder, id, base, api_version="2024-10-21" if id.startswith("azure") else None)
    response = embedder(["one", "two"])
    assert response.content == FLOATS
    assert [one.path for one in server.requests] == [path]
    assert len(server.requests[0].json()[field]) == 2
    assert "one" in json.dumps(server.requests[0].json()[field])
    assert (response.usage and response.usage.input_tokens) == (None if id.startswith("gemini") else 7)


@pytest.mark.parametrize(
    ("id", "base"),
    [("cohere/m", "/v2/embed"), ("gemini/m", ""), ("jina_ai/m", "/v1"), ("voyage/m", "/v1"), ("ollama/m", "")],
)
def test_each_provider_may_answer_nonsense(id, base, server, make):
    embedder = make(magma.Embedder, id, base)
    for nonsense in ({}, [], {"input": None}, {"embeddings": []}, {"embeddings": [None, None]}, {"data": [{}, {}]}):
        server.reset()
        server.default = Reply.json(nonsense)
        with pytest.raises((PARSE, SERVER)):
            embedder(["one", "two"])
        assert len(server.requests) == 1


# --- images ---

PNG = b"\x89PNG\r\n\x1a\n"
AS_BASE64 = base64.b64encode(PNG).decode()


@pytest.fixture
def a_picture(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    return path


@pytest.mark.parametrize("kind", ["path", "text", "bytes", "file", "data-url", "url"])
def test_an_image_may_be_anything_that_names_one(kind, a_picture, server, make):
    server.on("/a.png", Reply.text(PNG, content_type="image/png"))
    server.default = Reply.json(body([1.0]))
    with a_picture.open("rb") as opened:
        image = {
            "path": a_picture,
            "text": str(a_picture),
            "bytes": PNG,
            "file": opened,
            "data-url": f"data:image/png;base64,{AS_BASE64}",
            "url": f"{server.url}/a.png?sig=1",
        }[kind]
        assert make(magma.ImageEmbedder, "jina_ai/jina-clip-v2")(image).content == [1.0]
    sent = [one for one in server.requests if one.method == "POST"]
    assert [one.json()["input"] for one in sent] == [[{"image": AS_BASE64}]]


def test_several_images_keep_their_order(server, make):
    server.default = Reply.json(body([2.0], [1.0], indices=[1, 0]))
    response = make(magma.ImageEmbedder, "jina_ai/jina-clip-v2")([PNG, PNG + b"2"])
    assert response.content == [[1.0], [2.0]]
    assert len({one["image"] for one in server.requests[0].json()["input"]}) == 2


def test_cohere_embeds_an_image(server, make):
    server.default = Reply.json({"embeddings": {"float": [[1.0]]}, "meta": {"billed_units": {"images": 1}}})
    assert make(magma.ImageEmbedder, "cohere/embed-v4.0", "/v2/embed")(PNG).content == [1.0]


ENDLESS = Reply.raw(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 5000000000\r\n\r\n", PNG, Hang())


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        pytest.param(Reply.redirect("http://127.0.0.1:9/b.png"), errors.ConnectionError, id="redirect"),
        pytest.param(Reply.error(404), errors.NotFoundError, id="404"),
        pytest.param(Reply.text("<html>", content_type="text/html"), errors.BadRequestError, id="html"),
        pytest.param(ENDLESS, errors.ModelError, id="5-GB"),
        pytest.param(
            ENDLESS,
            errors.BadRequestError,
            id="5-GB-by-its-content-length",
        ),
    ],
)
def test_an_image_that_cannot_be_fetched_is_not_sent(reply, kind, server, make):
    server.on("/a.png", reply)
    server.default = Reply.json(body([1.0]))
    with pytest.raises((errors.ModelError, errors.ConfigError)) as caught:
        make(magma.ImageEmbedder, "jina_ai/jina-clip-v2", timeout=1.0)(f"{server.url}/a.png?sig=secret")
    assert isinstance(caught.value, kind), caught.value
    assert "secret" not in str(caught.value)
    assert [one.method for one in server.requests] == ["GET"]
    assert server.wait_for(lambda server: server.in_flight == 0, timeout=2)


@pytest.mark.parametrize("wrong", ["", None, [], [None], 7, b"", b"RIFF\0\0\0\0WAVEfmt ", "missing.png"], ids=repr)
def test_what_is_no_image_is_refused_before_anything_is_sent(wrong, make, fails):
    fails(errors.ConfigError, make(magma.ImageEmbedder, "jina_ai/jina-clip-v2"), wrong, says="image")
