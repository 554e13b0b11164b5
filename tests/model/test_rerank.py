"""What is special to `Reranker`: the order, which document a result means, and each provider's own wire."""

import pytest

import magma
from magma import errors
from magma.testing import Reply

pytestmark = pytest.mark.usefixtures("silent")
PARSE, SERVER = errors.ParseError, errors.ServerError
DOCUMENTS = ["Rome", "Paris", "Oslo"]
ID = "cohere/rerank-v3.5"


def result(index, score, **more):
    return {"index": index, "relevance_score": score, **more}


def body(*results, **more):
    return {"id": "r1", "results": list(results), "meta": {"billed_units": {"search_units": 1}}, **more}


WHOLE = [result(1, 0.9), result(2, 0.5), result(0, 0.1)]


@pytest.fixture
def ranker(make):
    """A reranker of Cohere's, by default."""
    return lambda id=ID, path="", **fields: make(magma.Reranker, id, path, **fields)


@pytest.mark.parametrize(
    "results",
    [
        pytest.param(WHOLE, id="best-first"),
        pytest.param(WHOLE[::-1], id="worst-first"),
        pytest.param([result(1, 0.9, document={"text": "wrong"}), *WHOLE[1:]], id="with-other-documents"),
    ],
)
def test_documents_come_best_first_and_are_the_callers_own(results, server, ranker):
    server.default = Reply.json(body(*results))
    response = ranker()("capital of France", DOCUMENTS)
    assert response.content == [
        {"index": 1, "score": 0.9, "document": "Paris"},
        {"index": 2, "score": 0.5, "document": "Oslo"},
        {"index": 0, "score": 0.1, "document": "Rome"},
    ]
    assert response.cost == pytest.approx(0.002)
    assert len(server.requests) == len(response.attempts) == 1


def test_equal_scores_keep_the_providers_order(server, ranker):
    server.default = Reply.json(body(result(2, 0.5), result(0, 0.5), result(1, 1)))
    ranked = ranker()("q", DOCUMENTS).content
    assert [one["index"] for one in ranked] == [1, 2, 0]
    assert all(isinstance(one["score"], float) for one in ranked)


def test_negative_scores_are_scores(server, ranker):
    server.default = Reply.json(body(result(0, -3.5), result(1, 0), result(2, -1e9)))
    assert [one["score"] for one in ranker()("q", DOCUMENTS).content] == [0.0, -3.5, -1e9]


@pytest.mark.parametrize(("top_n", "sent"), [(2, 2), (7, 7)])
def test_top_n_is_sent(top_n, sent, server, ranker):
    server.default = Reply.json(body(*WHOLE[:top_n]))
    assert len(ranker(top_n=top_n)("q", DOCUMENTS).content) == min(top_n, 3)
    assert server.requests[0].json()["top_n"] == sent


def test_top_n_is_heeded_where_the_provider_does_not(server, ranker):
    server.default = Reply.json(body(*WHOLE[::-1]))
    assert [one["index"] for one in ranker()("q", DOCUMENTS, top_n=1).content] == [1]


@pytest.mark.parametrize(
    ("results", "kind", "says"),
    [
        ([result(1, 0.9)], PARSE, "1 results came for 3"),
        ([], PARSE, "0 results came for 3"),
        ([*WHOLE, result(1, 0.3)], PARSE, "index 1 is twice"),
        ([*WHOLE[:2], result(3, 0.3)], PARSE, "index 3 for 3 documents"),
        ([*WHOLE[:2], result(-1, 0.3)], PARSE, "index -1 for 3 documents"),
        ([*WHOLE[1:], result(True, 0.3)], PARSE, "index true for 3 documents"),
        ([*WHOLE[:2], result("0", 0.3)], None, ""),
        ([*WHOLE[:2], result(0.0, 0.3)], None, ""),
        ([*WHOLE[:2], result(None, 0.3)], None, ""),
        ([*WHOLE[:2], {"relevance_score": 0.3}], None, ""),
        ([*WHOLE[:2], result(0, "0.3")], PARSE, "score '0.3', which is no number"),
        ([*WHOLE[:2], result(0, None)], None, ""),
        ([*WHOLE[:2], result(0, True)], PARSE, "score true, which is no number"),
        ([*WHOLE[:2], result(0, [0.3])], None, ""),
        ([*WHOLE[:2], {"index": 0}], None, ""),
        ([*WHOLE[:2], None], None, ""),
        ([*WHOLE[:2], 7], None, ""),
        ([None, *WHOLE[:2]], None, ""),
        ({"0": 0.3}, None, ""),
        ("x", None, ""),
        (None, None, "no results"),
    ],
    ids=lambda one: str(one)[:70] if isinstance(one, (list, dict)) else "",
)
def test_results_that_are_none_are_an_error_that_says_what_came(results, kind, says, server, ranker, fails):
    server.default = Reply.json({**body(), "results": results})
    if kind is None:
        with pytest.raises((PARSE, SERVER)) as caught:
            ranker()("q", DOCUMENTS)
        kind = type(caught.value)
        server.reset()
    fails(kind, ranker(), "q", DOCUMENTS, requests=1, says=says)


@pytest.mark.parametrize("id", [ID, "infinity/m"])
@pytest.mark.parametrize("text", ["NaN", "1" + "0" * 400, "Infinity", "-Infinity", "1e999"])
def test_scores_that_are_no_numbers_are_refused(text, id, server, ranker):
    results = ", ".join(f'{{"index": {index}, "relevance_score": {text}}}' for index in range(3))
    server.default = Reply.text(f'{{"results": [{results}]}}', content_type="application/json")
    with pytest.raises((PARSE, SERVER)):
        ranker(id)("q", DOCUMENTS)
    assert len(server.requests) == 1


OTHERS = [
    Reply.json({}),
    Reply.json([]),
    Reply.json(None),
    Reply.json({"error": {"message": "No GPU left"}}),
    Reply.text("<html>Bad gateway</html>", content_type="text/html"),
    Reply.text("", content_type="application/json"),
]
PROVIDERS = [
    (ID, ""),
    ("jina_ai/jina-reranker-v2-base-multilingual", ""),
    ("hosted_vllm/m", ""),
    ("infinity/m", ""),
    ("voyage/rerank-2", ""),
    ("together_ai/m", "/v1"),
]


@pytest.mark.parametrize("reply", OTHERS, ids=["empty-object", "list", "null", "error", "html", "empty"])
@pytest.mark.parametrize(("id", "path"), PROVIDERS)
def test_what_is_no_answer_is_an_error(id, path, reply, server, ranker, fails):
    server.default = reply
    with pytest.raises((PARSE, SERVER)) as caught:
        ranker(id, path)("q", DOCUMENTS)
    server.reset()
    fails(type(caught.value), ranker(id, path), "q", DOCUMENTS, requests=1)


# --- what is sent ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["", " ", None, 7, ["q"], b"q"], ids=repr)
def test_what_is_no_query_is_refused_before_anything_is_sent(wrong, ranker, fails):
    fails(errors.ConfigError, ranker(), wrong, DOCUMENTS, says="query must be a text")


@pytest.mark.parametrize(
    "wrong", ["Rome", b"Rome", {"a": 1}, [], (), None, 7, ["Rome", ""], ["Rome", None], [{}], [7], [["Rome"]]], ids=repr
)
def test_what_is_no_list_of_documents_is_refused_before_anything_is_sent(wrong, ranker, fails):
    fails(errors.ConfigError, ranker(), "q", wrong, says="documents")


def test_a_generator_is_refused(ranker, fails):
    fails(errors.ConfigError, ranker(), "q", (one for one in DOCUMENTS), says="not generator")


def test_blank_documents_are_refused(ranker, fails):
    fails(errors.ConfigError, ranker(), "q", ["Rome", " \n"], says="documents[1]")


@pytest.mark.parametrize("wrong", [0, -1, "2", True, 1.5], ids=repr)
def test_a_wrong_top_n_is_refused_before_anything_is_sent(wrong, ranker, fails):
    fails(errors.ConfigError, ranker(), "q", DOCUMENTS, top_n=wrong, says="top_n")


@pytest.mark.parametrize("name", ["documents", "docs", "texts"])
def test_the_documents_have_the_names_that_others_give_them(name, server, ranker):
    server.default = Reply.json(body(*WHOLE))
    assert ranker()(query="q", **{name: tuple(DOCUMENTS)}).content[0]["document"] == "Paris"
    assert server.requests[0].json()["documents"] == DOCUMENTS


def test_documents_may_be_dicts(server, ranker):
    documents = [{"text": "Rome", "url": "a"}, {"text": "Paris", "url": "b"}]
    server.default = Reply.json(body(result(1, 0.9), result(0, 0.1)))
    ranked = ranker("jina_ai/jina-reranker-m0")("q", documents).content
    assert [one["document"] for one in ranked] == documents[::-1]
    assert server.requests[0].json()["documents"] == documents
    assert documents[0] == {"text": "Rome", "url": "a"}


@pytest.mark.parametrize("wanted", [True, False])
def test_whether_documents_come_back_is_the_callers_choice(wanted, server, ranker):
    server.default = Reply.json(body(*WHOLE))
    assert ranker("jina_ai/m", return_documents=wanted)("q", DOCUMENTS).content[0]["document"] == "Paris"
    assert server.requests[0].json()["return_documents"] is wanted


VOYAGE = {"object": "list", "data": WHOLE, "usage": {"total_tokens": 7}}
JINA = {**body(*[result(one["index"], one["relevance_score"], document="x") for one in WHOLE]), "meta": None}
USED = {"usage": {"total_tokens": 7, "prompt_tokens": 7}}


@pytest.mark.parametrize(
    ("id", "path", "asked", "answer", "tokens"),
    [
        (ID, "", "/v2/rerank", body(*WHOLE), None),
        (ID, "/v2/rerank", "/v2/rerank", body(*WHOLE, meta={"tokens": {"input_tokens": 7}}), 7),
        ("jina_ai/jina-reranker-v2-base-multilingual", "", "/v1/rerank", {**JINA, **USED}, 7),
        ("hosted_vllm/m", "", "/rerank", {**body(*WHOLE), "meta": None, **USED}, 7),
        ("infinity/m", "", "/rerank", {**body(*WHOLE), "meta": None, **USED}, 7),
        ("voyage/rerank-2", "", "/v1/rerank", VOYAGE, 7),
        ("voyage/rerank-2", "", "/v1/rerank", {"data": WHOLE}, None),
        ("together_ai/m", "/v1", "/v1/rerank", {**body(*WHOLE), "meta": None, **USED}, 7),
    ],
)
def test_each_provider_is_asked_and_read_in_its_own_shape(id, path, asked, answer, tokens, server, ranker):
    server.default = Reply.json(answer)
    response = ranker(id, path, top_n=3)("q", DOCUMENTS)
    assert [(one["index"], one["document"]) for one in response.content] == [(1, "Paris"), (2, "Oslo"), (0, "Rome")]
    assert [one.path for one in server.requests] == [asked]
    assert server.requests[0].json()["documents"] == DOCUMENTS
    assert server.requests[0].json()["top_k" if id.startswith("voyage") else "top_n"] == 3
    assert (response.usage and response.usage.input_tokens) == tokens
    if id.startswith("voyage"):
        assert response.cost == (None if tokens is None else pytest.approx(7 * 5e-8))
