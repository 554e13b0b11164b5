"""What is special to `Moderator`: one verdict per text, in order, and never a text that counts as safe by mistake."""

import pytest

import magma
from magma import errors
from magma.testing import Reply

pytestmark = pytest.mark.usefixtures("silent")
PARSE, SERVER = errors.ParseError, errors.ServerError
ID = "openai/omni-moderation-latest"


def verdict(flagged=False, **more):
    categories = {"violence": flagged, "hate/threatening": False}
    return {
        "flagged": flagged,
        "categories": categories,
        "category_scores": {"violence": 0.9 if flagged else 0.0},
        **more,
    }


def body(*verdicts):
    return {"id": "modr-1", "model": "omni-moderation-latest", "results": list(verdicts)}


def by_text(received):
    """Texts with "bad" in them are flagged."""
    texts = received.json()["input"]
    return Reply.json(body(*(verdict("bad" in text) for text in ([texts] if isinstance(texts, str) else texts))))


def test_one_text_gets_one_verdict(server, make):
    server.default = by_text
    response = make(magma.Moderator, ID)("so bad")
    assert response.content == {
        "safe": False,
        "flagged": True,
        "categories": {"violence": True, "hate/threatening": False},
        "scores": {"violence": 0.9},
    }
    assert response.content.safe is False
    assert server.requests[0].path == "/v1/moderations"
    assert server.requests[0].json() == {"model": "omni-moderation-latest", "input": "so bad"}
    assert len(response.attempts) == 1


def test_a_list_gets_a_verdict_for_each_in_order(server, make):
    server.default = by_text
    judged = make(magma.Moderator, ID)(("good", "bad", "fine")).content
    assert [one.flagged for one in judged] == [False, True, False]
    assert len(server.requests) == 1


def test_a_list_of_one_is_a_list(server, make):
    server.default = by_text
    assert [one.safe for one in make(magma.Moderator, ID)(["good"]).content] == [True]


def test_more_than_32_texts_are_several_requests_in_order(server, make):
    server.default = by_text
    texts = ["bad" if number % 7 == 0 else "good" for number in range(100)]
    response = make(magma.Moderator, ID)(texts)
    assert [one.flagged for one in response.content] == [text == "bad" for text in texts]
    assert sorted(len(one.json()["input"]) for one in server.requests) == [4, 32, 32, 32]
    assert [one.number for one in response.attempts] == [1, 2, 3, 4]


@pytest.mark.parametrize("name", ["text", "texts", "inputs", "data", "input"])
def test_the_input_has_the_names_that_others_give_it(name, server, make):
    server.default = by_text
    assert make(magma.Moderator, ID)(**{name: "good"}).content.safe


@pytest.mark.parametrize(
    "wrong", ["", " \n", [], (), None, b"bad", {"text": "bad"}, ["good", ""], ["good", None], [b"bad"], 7], ids=repr
)
def test_what_is_no_text_is_refused_before_anything_is_sent(wrong, make, fails):
    fails(errors.ConfigError, make(magma.Moderator, ID), wrong, says="input")


def test_a_generator_is_refused(make, fails):
    fails(errors.ConfigError, make(magma.Moderator, ID), (text for text in "ab"), says="not generator")


NO_FLAG = {"categories": {"violence": True}}


@pytest.mark.parametrize(
    ("results", "says"),
    [
        ([], "0 results came for 2"),
        ([verdict()], "1 results came for 2"),
        ([verdict()] * 3, "3 results came for 2"),
        ([verdict(), None], ""),
        ([verdict(), {}], "result 1 has no categories"),
        ([verdict(), NO_FLAG], "result 1 has no categories or does not say"),
        ([NO_FLAG, verdict()], ""),
        ([verdict(), verdict() | {"flagged": None}], "result 1"),
        ([verdict(), verdict() | {"flagged": "false"}], "result 1"),
        ([verdict(), verdict() | {"flagged": 0}], "result 1"),
        ([verdict(), verdict() | {"categories": None}], "result 1"),
        ([verdict(), verdict() | {"categories": ["violence"]}], ""),
        ([None, verdict()], ""),
        (None, ""),
        ("x", ""),
        ({"0": verdict()}, ""),
    ],
    ids=lambda one: str(one)[:60] if not isinstance(one, str) else "",
)
def test_what_is_no_verdict_is_an_error_and_never_safe(results, says, server, make, fails):
    server.default = Reply.json({**body(), "results": results})
    with pytest.raises((PARSE, SERVER)) as caught:
        make(magma.Moderator, ID)(["good", "bad"])
    server.reset()
    fails(type(caught.value), make(magma.Moderator, ID), ["good", "bad"], requests=1, says=says)


@pytest.mark.parametrize(
    "reply",
    [
        Reply.json({}),
        Reply.json([]),
        Reply.json(None),
        Reply.json({"error": {"message": "No GPU left"}}),
        Reply.text("<html>Bad gateway</html>", content_type="text/html"),
        Reply.text("", content_type="application/json"),
    ],
    ids=["empty-object", "list", "null", "error", "html", "empty"],
)
def test_what_is_no_answer_is_an_error(reply, server, make, fails):
    server.default = reply
    fails(SERVER, make(magma.Moderator, ID), "good", requests=1)


def test_categories_that_do_not_apply_and_odd_scores_are_left_out(server, make):
    odd = verdict() | {
        "categories": {"violence": True, "illicit": None},
        "category_scores": {"violence": "high", "x": 1},
    }
    server.default = Reply.json(body(odd))
    judged = make(magma.Moderator, ID)("good").content
    assert (judged["categories"], judged["scores"]) == ({"violence": True}, {"x": 1})


@pytest.mark.parametrize("scores", [None, {}, []], ids=repr)
def test_scores_may_be_missing(scores, server, make):
    server.default = Reply.json(body(verdict(True, category_scores=scores)))
    assert make(magma.Moderator, ID)("bad").content["scores"] == {}


def test_other_parameters_are_refused_before_anything_is_sent(server, make, fails):
    fails(errors.UnsupportedParamsError, make(magma.Moderator, ID, top_k=1), "good", says="top_k")
    assert server.requests == []


def test_other_parameters_are_dropped_where_that_is_wanted(server, make):
    server.default = by_text
    response = make(magma.Moderator, ID, top_k=1, on_unsupported="drop")("good")
    assert "top_k" not in server.requests[0].json()
    assert any("top_k was not sent" in one for one in response.warnings)


def test_what_it_cost_is_known_or_told_why_not(server, make):
    server.default = by_text
    response = make(magma.Moderator, ID)("good")
    assert response.usage is None
    assert response.cost == 0 or (response.cost is None and response.cost_reason)
