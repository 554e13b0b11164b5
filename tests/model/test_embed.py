"""What is special to `Embedder`: order, vectors that are none, long lists in several requests, each provider's own wire."""

import asyncio
import base64
import struct

import pytest

import magma
from magma import errors
from magma.testing import Reply
from magma.testing.wire import Hang

pytestmark = pytest.mark.usefixtures("silent", "short_waits")
USAGE = {"prompt_tokens": 7, "total_tokens": 7}


def body(*vectors, indices=None, usage=USAGE, **more):
    indices = range(len(vectors)) if indices is None else indices
    data = [{"object": "embedding", "index": at, "embedding": one} for at, one in zip(indices, vectors, strict=True)]
    return {"object": "list", "model": "m", "data": data, "usage": usage, **more}


def packed(*numbers):
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def by_text(received):
    """Each text's vector is its number; a token per text."""
    texts = received.json()["input"]
    texts = [texts] if isinstance(texts, str) else texts
    return Reply.json(body(*([float(text)] for text in texts), usage={"prompt_tokens": len(texts)}))


def floats(text):
    """A JSON text as a whole body, for numbers that Python's own encoder does not write."""
    return Reply.text(f'{{"data": [{{"index": 0, "embedding": {text}}}]}}', content_type="application/json")


@pytest.mark.parametrize(
    ("reply", "content"),
    [
        pytest.param(body([1.0], [2.0]), [[1.0], [2.0]], id="in-order"),
        pytest.param(body([2.0], [1.0], indices=[1, 0]), [[1.0], [2.0]], id="shuffled"),
        pytest.param(body([1.0], [2.0], indices=[None, None]), [[1.0], [2.0]], id="no-indices"),
        pytest.param(body(packed(1, 0.5), packed(2, 4)), [[1.0, 0.5], [2.0, 4.0]], id="base64"),
        pytest.param(body(packed(1.0), [2]), [[1.0], [2.0]], id="base64-and-whole-numbers"),
        pytest.param(body([1.0], [2.0], usage=None, error=None), [[1.0], [2.0]], id="error-null"),
    ],
)
def test_vectors_come_in_the_order_of_the_texts(reply, content, server, make):
    server.default = Reply.json(reply)
    response = make(magma.Embedder)(["a", "b"])
    assert response.content == content
    assert response.array.shape == (2, len(content[0]))
    assert str(response.array.dtype) == "float32"
    assert len(server.requests) == len(response.attempts) == 1


PARSE, SERVER = errors.ParseError, errors.ServerError


@pytest.mark.parametrize(
    ("reply", "kind", "says"),
    [
        pytest.param(body([1.0], [2.0], indices=[0, None]), PARSE, "indices are 0, none", id="one-index-missing"),
        pytest.param(body([1.0], [2.0], indices=[0, 0]), PARSE, "once each", id="index-twice"),
        pytest.param(body([1.0], [2.0], indices=[False, True]), PARSE, "indices are false", id="bool-indices"),
        pytest.param(body([1.0], [2.0], indices=["0", "1"]), PARSE, "indices are '0'", id="text-indices"),
        pytest.param(body([1.0], [2.0], indices=[1, 2]), PARSE, "not 0 to 1", id="index-out-of-range"),
        pytest.param(body([1.0], [2.0], indices=[-1, 0]), PARSE, "not 0 to 1", id="index-negative"),
        pytest.param(body([1.0]), PARSE, "1 vectors came for 2", id="too-few"),
        pytest.param(body([1.0], [2.0], [3.0]), PARSE, "3 vectors came for 2", id="too-many"),
        pytest.param(body(), PARSE, "0 vectors came for 2", id="none"),
        pytest.param(body([1.0], [2.0, 3.0]), PARSE, "different lengths: [1, 2]", id="unequal"),
        pytest.param(body([1.0], []), PARSE, "vector 1 is []", id="empty-vector"),
        pytest.param(body([1.0], None), PARSE, "vector 1 is none", id="null-vector"),
        pytest.param(body([1.0], ["x"]), PARSE, "'x', which is no number", id="text-in-vector"),
        pytest.param(body([1.0], [None]), PARSE, "none, which is no number", id="null-in-vector"),
        pytest.param(body([1.0], [[2.0]]), PARSE, "[2.0], which is no number", id="list-in-vector"),
        pytest.param(body([1.0], [10**400]), None, "", id="number-too-large"),
        pytest.param(body([1.0], packed(float("nan"))), PARSE, "vector 1 holds nan", id="base64-nan"),
        pytest.param(body([1.0], packed(float("-inf"))), PARSE, "vector 1 holds -inf", id="base64-infinity"),
        pytest.param(body([1.0], packed(1)[:-1]), PARSE, "vector 1 is no base64", id="base64-cut"),
        pytest.param(body([1.0], "?#ü"), PARSE, "vector 1 is no base64: '?#ü'", id="base64-nonsense"),
        pytest.param(body([1.0], "AAAA"), PARSE, "base64 of 3 bytes", id="base64-odd-length"),
        pytest.param(body([1.0], ""), PARSE, "vector 1", id="base64-empty"),
        pytest.param({**body(), "data": [1, 2]}, None, "", id="data-of-numbers"),
        pytest.param({**body(), "data": "x"}, None, "", id="data-a-text"),
        pytest.param({**body(), "data": {"0": [1.0]}}, None, "", id="data-an-object"),
        pytest.param({**body(), "data": None}, SERVER, "no data", id="data-null"),
        pytest.param({"object": "list"}, SERVER, "no data", id="data-missing"),
        pytest.param({}, SERVER, "no data", id="empty-object"),
        pytest.param([], SERVER, "200", id="a-list"),
        pytest.param(None, SERVER, "200", id="null"),
        pytest.param(Reply.text("<html>Hi</html>", content_type="text/html"), SERVER, "<html>", id="html"),
        pytest.param(Reply.text("", content_type="application/json"), SERVER, "200", id="empty"),
        pytest.param({"error": {"message": "No GPU left"}}, None, "no gpu left", id="error-with-200"),
        pytest.param({"error": {"message": "bad", "code": 429}}, errors.RateLimitError, "bad", id="error-429-with-200"),
    ],
)
@pytest.mark.parametrize("id", ["openai/m", "hosted_vllm/m"])
def test_what_is_no_answer_is_an_error_that_says_what_came(id, reply, kind, says, server, make, fails):
    server.default = reply if isinstance(reply, Reply) else Reply.json(reply)
    embedder = make(magma.Embedder, id)
    if kind is None:
        with pytest.raises(errors.ModelError) as caught:
            embedder(["a", "b"])
        kind = type(caught.value)
        assert kind in (PARSE, SERVER)
        server.reset()
    if id == "hosted_vllm/m":
        says = ""
    fails(kind, embedder, ["a", "b"], requests=1, says=says)


@pytest.mark.parametrize("text", ["[1.0, NaN]", "[Infinity]", "[-Infinity]", "[1e400]"])
def test_numbers_that_are_none_are_refused(text, server, make):
    server.default = floats(text)
    with pytest.raises((PARSE, SERVER)):
        make(magma.Embedder)("a")
    assert len(server.requests) == 1


def test_a_response_that_does_not_fit_keeps_its_usage(server, make, fails):
    server.default = Reply.json(body([1.0]))
    error = fails(PARSE, make(magma.Embedder), ["a", "b"])
    assert error.response.usage.input_tokens == 7


def test_one_text_gives_one_vector_and_what_it_cost(server, make):
    server.default = Reply.json(body(packed(1, 2)))
    response = make(magma.Embedder, "openai/text-embedding-3-small")("a")
    assert (response.content, response.usage.input_tokens, response.array.shape) == ([1.0, 2.0], 7, (2,))
    assert response.cost == pytest.approx(7 * 0.02e-6)
    assert server.requests[0].json()["encoding_format"] == "base64"


def test_unknown_usage_is_none(server, make):
    server.default = Reply.json(body([1.0], usage=None))
    response = make(magma.Embedder, "openai/text-embedding-3-small")("a")
    assert (response.usage, response.cost) == (None, None)
    assert response.cost_reason


# --- long lists -----------------------------------------------------------------------------------------

NUMBERS = [str(number) for number in range(5000)]


def test_5000_texts_are_three_requests_in_order(server, make):
    server.default = by_text
    response = make(magma.Embedder, "openai/text-embedding-3-small")(NUMBERS)
    assert response.content == [[float(number)] for number in NUMBERS]
    assert sorted(len(one.json()["input"]) for one in server.requests) == [904, 2048, 2048]
    assert (response.usage.input_tokens, response.cost) == (5000, pytest.approx(5000 * 0.02e-6))
    assert [one.number for one in response.attempts] == [1, 2, 3]
    assert response.array.shape == (5000, 1)


def test_a_part_that_fails_once_is_asked_again_alone(server, make):
    failed = []

    def answer(received):
        if received.json()["input"][0] == "2048" and not failed:
            failed.append(received)
            return Reply.error(500)
        return by_text(received)

    server.default = answer
    response = make(magma.Embedder, max_retries=2)(NUMBERS)
    assert response.content == [[float(number)] for number in NUMBERS]
    assert (len(server.requests), response.usage.input_tokens) == (4, 5000)
    assert [one.number for one in response.attempts] == [1, 2, 3, 4]


def failing(place):
    """One part of three is refused, the others never answered."""
    return lambda got: Reply.error(400, "Not this") if got.json()["input"][0] == place else Reply.raw(Hang())


@pytest.mark.parametrize("call", ["sync", "async"])
@pytest.mark.parametrize(
    "place",
    ["0", "2048"],
)
def test_a_part_that_fails_for_good_ends_the_others(place, call, server, make):
    server.default = failing(place)
    embedder = make(magma.Embedder, timeout=1.0)
    with pytest.raises(errors.BadRequestError, match="Not this"):
        embedder(NUMBERS) if call == "sync" else asyncio.run(embedder.acall(NUMBERS))
    assert server.wait_for(lambda server: server.in_flight == 0)


def by_part(first, second):
    """The bodies of the first 2 048 texts and of the last one."""
    return lambda got: Reply.json(first if len(got.json()["input"]) == 2048 else second)


def test_parts_with_vectors_of_different_lengths_are_an_error(server, make):
    server.default = by_part(body(*[[1.0]] * 2048), body([1.0, 2.0]))
    with pytest.raises(PARSE):
        make(magma.Embedder)(NUMBERS[:2049])


def test_usage_is_unknown_where_that_of_one_part_is(server, make):
    server.default = by_part(body(*[[1.0]] * 2048), body([1.0], usage=None))
    assert make(magma.Embedder)(NUMBERS[:2049]).usage is None


def test_texts_are_counted_in_bytes_of_utf8(server, make):
    server.default = lambda got: Reply.json(body(*([1.0] for _ in got.json()["input"])))
    texts = ["ä" * 100_000] * 7  # 200 kB each
    assert len(make(magma.Embedder)(texts).content) == 7
    assert sorted(len(one.json()["input"]) for one in server.requests) == [1, 3, 3]


def test_a_huge_text_is_sent_as_it_is(server, make):
    server.default = Reply.json(body([1.0]))
    make(magma.Embedder)("x" * 3_000_000)
    assert len(server.requests[0].json()["input"]) == 3_000_000


# --- what is sent ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    ["", "  \n", [], (), None, b"bytes", {"a": 1}, ["a", None], ["a", ""], [["a"]], [1, 2], 7, {"a"}],
    ids=repr,
)
def test_what_is_no_text_is_refused_before_anything_is_sent(wrong, make, fails):
    fails(errors.ConfigError, make(magma.Embedder), wrong, says="input")


def test_a_generator_is_refused(make, fails):
    fails(errors.ConfigError, make(magma.Embedder), (text for text in "ab"), says="list of str, not generator")


@pytest.mark.parametrize("name", ["texts", "text", "inputs", "data", "input"])
def test_the_input_has_the_names_that_others_give_it(name, server, make):
    server.default = by_text
    assert make(magma.Embedder)(**{name: ["1", "2"]}).content == [[1.0], [2.0]]


@pytest.mark.parametrize(("came", "warned"), [([1.0, 2.0], False), ([1.0], True)])
def test_dimensions_are_sent_and_a_model_that_does_not_heed_them_is_told_of(came, warned, server, make):
    server.default = Reply.json(body(came))
    response = make(magma.Embedder, dimensions=2)("a")
    assert server.requests[0].json()["dimensions"] == 2
    assert any("did not heed dimensions" in one for one in response.warnings) is warned


def test_an_encoding_of_the_callers_own_is_sent(server, make):
    server.default = Reply.json(body([1.0]))
    make(magma.Embedder, encoding_format="float")("a")
    assert server.requests[0].json()["encoding_format"] == "float"


def test_a_hook_may_change_the_input(server, make):
    server.default = by_text
    with magma.register_hook("before_call", lambda request: request.with_(input=["5", "6"])):
        assert make(magma.Embedder)(["1", "2"]).content == [[5.0], [6.0]]
    assert server.requests[0].json()["input"] == ["5", "6"]


@pytest.mark.parametrize(
    ("id", "most"), [("mistral/mistral-embed", 128), ("voyage/voyage-3", 1000), ("jina_ai/jina-embeddings-v3", 2048)]
)
def test_a_list_is_cut_where_the_provider_says(id, most, server, make):
    server.default = by_text
    assert make(magma.Embedder, id)(NUMBERS[: most + 1]).content == [[float(one)] for one in NUMBERS[: most + 1]]
    assert sorted(len(one.json()["input"]) for one in server.requests) == [1, most]


def test_an_input_type_is_sent_to_those_who_take_it(server, make):
    server.default = Reply.json(body([1.0]))
    make(magma.Embedder, "voyage/voyage-3", input_type="search_query")("a")
    assert server.requests[0].json()["input_type"] == "search_query"
