"""What is special to the classifiers: labels, what the model may answer, and scores that are measured, never made up."""

import asyncio
import base64
import json
import math

import pytest

import magma
from magma import errors
from magma.testing import Reply
from magma.testing.bodies import chat_body

pytestmark = pytest.mark.usefixtures("silent", "short_waits")
LABELS = ["positive", "negative"]
PNG = b"\x89PNG\r\n\x1a\n"
ID = "openai/gpt-4o-mini"


def answer(label, tokens=None, **fields):
    """A chat answer with a label; `tokens` are (text, log probability, {other text: its log probability})."""
    text = label if isinstance(label, str) and label.startswith('{"') else json.dumps({"label": label})
    body = chat_body(text, **fields)
    if tokens is not None:
        body["choices"][0]["logprobs"] = {
            "content": [
                {
                    "token": token,
                    "logprob": log,
                    "top_logprobs": [{"token": other, "logprob": its} for other, its in {token: log, **others}.items()],
                }
                for token, log, others in tokens
            ]
        }
    return Reply.json(body)


def echoing(received):
    """The label is the last word of the text."""
    return answer(received.json()["messages"][-1]["content"].split()[-1])


@pytest.fixture
def classifier(make):
    return lambda labels=LABELS, id=ID, **fields: make(magma.TextClassifier, id, labels=labels, **fields)


@pytest.mark.parametrize("kind", [list, tuple, set, frozenset, dict])
def test_labels_may_be_any_collection(kind, server, classifier):
    server.default = answer("negative")
    labels = {"positive": "glad words", "negative": "sad words"} if kind is dict else kind(LABELS)
    response = classifier(labels)("How sad")
    assert response.content["label"] == "negative"
    assert set(response.content["scores"]) == set(LABELS)
    schema = server.requests[0].json()["response_format"]["json_schema"]
    enum = schema["schema"]["properties"]["label"]["enum"]
    assert enum == LABELS if kind in (list, tuple, dict) else sorted(enum) == sorted(LABELS)
    assert schema["strict"] is True
    told = server.requests[0].json()["messages"][0]["content"]
    assert all(label in told for label in LABELS)
    if kind is dict:
        assert "- negative: sad words" in told


def test_labels_out_of_a_set_are_sorted():
    letters = [chr(code) for code in range(97, 123)]
    assert list(magma.TextClassifier(ID, labels=set(letters)).labels) == letters


@pytest.mark.parametrize(
    "wrong",
    [[], {}, "positive", ["a", "a"], [""], ["a", ""], [" "], ["a", None], [1, 2], [["a"]], {"a": 1}, {1: "a"}, 7, b"a"],
    ids=repr,
)
def test_labels_that_are_none_are_refused_before_anything_is_sent(wrong, classifier, fails):
    def call():
        classifier(wrong)("Hello")

    fails(errors.ConfigError, call, says="label")


def test_a_classifier_without_labels_says_so(make, fails):
    fails(errors.ConfigError, make(magma.TextClassifier, ID), "Hello", says="needs labels=")


def test_labels_may_come_with_the_call(server, make):
    server.default = answer("spam")
    assert make(magma.TextClassifier, ID)("Buy!", labels=["spam", "ham"]).content["label"] == "spam"


@pytest.mark.parametrize("label", ['say "hi"', "größe ✓", "two\nlines", "back\\slash", "{label}", "a: b", "- a"])
def test_labels_may_hold_any_signs(label, server, classifier):
    server.default = answer(label, [(json.dumps({"label": label}), -0.1, {})])
    assert classifier([label, "other"])("Hello").content["label"] == label
    schema = server.requests[0].json()["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["label"]["enum"] == [label, "other"]


@pytest.mark.parametrize(
    "wrong", ["", " ", None, [], (), ["Hello", ""], ["Hello", None], b"Hello", {"a": 1}, 7], ids=repr
)
def test_what_is_no_text_is_refused_before_anything_is_sent(wrong, classifier, fails):
    fails(errors.ConfigError, classifier(), wrong, says="text")


# --- what the model answers -----------------------------------------------------------------------------

UNKNOWN = ["neutral", "Positive ", "positiv", "", None, ["positive"], '{"labels": ["positive"]}', '{"label":']


@pytest.mark.parametrize("label", UNKNOWN, ids=repr)
def test_an_unknown_label_is_asked_for_once_more(label, server, classifier):
    server.enqueue(answer(label), answer("positive"))
    response = classifier()("Hello")
    assert response.content["label"] == "positive"
    assert len(server.requests) == len(response.attempts) == 2
    assert response.usage.input_tokens == 2 * chat_body()["usage"]["prompt_tokens"]


@pytest.mark.parametrize("label", UNKNOWN, ids=repr)
def test_an_unknown_label_that_stays_is_an_error(label, server, classifier, fails):
    server.default = answer(label)
    error = fails(errors.ParseError, classifier(), "Hello", requests=2)
    assert error.response.usage is not None


def test_nothing_is_asked_again_where_the_caller_forbids_it(server, classifier, fails):
    server.default = answer("neutral")
    fails(errors.ParseError, classifier(max_reasks=0), "Hello", requests=1, says="neutral")


@pytest.mark.parametrize("labels", [[], ["positive"], ["positive", "negative"], ["positive", "positive"]])
def test_several_labels_may_fit_or_none(labels, server, classifier):
    server.default = answer(json.dumps({"labels": labels}))
    content = classifier(multi_label=True)("Hello").content
    assert content == {"labels": list(dict.fromkeys(labels)), "scores": None}
    assert "logprobs" not in server.requests[0].json()


@pytest.mark.parametrize("wrong", ['{"labels": ["neutral"]}', '{"labels": "positive"}', '{"label": "positive"}'])
def test_several_labels_are_checked_too(wrong, server, classifier, fails):
    server.default = answer(wrong)
    fails(errors.ParseError, classifier(multi_label=True), "Hello", requests=2)


def test_an_answer_that_was_cut_off_is_an_error_at_once(server, classifier, fails):
    server.default = answer('{"label": "pos', finish_reason="length")
    fails(errors.ParseError, classifier(), "Hello", requests=1)


# --- scores ---------------------------------------------------------------------------------------------

WHOLE = [('{"', 0.0, {}), ("label", 0.0, {}), ('":"', 0.0, {}), ("positive", -0.1, {"negative": -2.5}), ('"}', 0.0, {})]
SPLIT = [('{"label": "', 0, {}), ("pos", -0.2, {"neg": -2.0, "Pos": -9.0}), ("itive", -0.1, {}), ('"}', 0, {})]


@pytest.mark.parametrize(
    ("tokens", "positive", "negative"),
    [
        pytest.param(WHOLE, math.exp(-0.1), math.exp(-2.5), id="one-token"),
        pytest.param(SPLIT, math.exp(-0.3), math.exp(-2.0), id="two-tokens"),
        pytest.param([('{"label": "positive"}', -0.5, {})], math.exp(-0.5), None, id="all-in-one"),
        pytest.param([('{"label": "positive"}', 0.5, {})], 1.0, None, id="more-than-certain"),
        pytest.param([("positive", -9999.0, {})], 0.0, None, id="never"),
        pytest.param([("something else", -0.1, {})], None, None, id="another-text"),
        pytest.param([], None, None, id="empty"),
        pytest.param([(7, -0.1, {})], None, None, id="no-text"),
        pytest.param([("positive", "x", {})], None, None, id="no-number"),
        pytest.param([("positive", -0.1, {"negative": "x"})], math.exp(-0.1), None, id="other-no-number"),
        pytest.param([("positive", -0.1, {"negative": 800.0})], math.exp(-0.1), 1.0, id="other-too-likely"),
    ],
)
def test_a_score_is_the_probability_of_the_labels_tokens(tokens, positive, negative, server, classifier):
    server.default = answer("positive", tokens)
    content = classifier()("Hello").content
    assert content["scores"] == {"positive": pytest.approx(positive), "negative": pytest.approx(negative)}
    assert content["score"] == pytest.approx(positive)
    assert (server.requests[0].json()["logprobs"], server.requests[0].json()["top_logprobs"]) == (True, 5)


@pytest.mark.parametrize("logprobs", [None, {}, {"content": None}, {"content": "x"}, [], "x"], ids=repr)
def test_without_log_probabilities_a_score_is_none(logprobs, server, classifier):
    body = chat_body('{"label": "positive"}')
    body["choices"][0]["logprobs"] = logprobs
    server.default = Reply.json(body)
    assert classifier()("Hello").content == {"label": "positive", "score": None, "scores": dict.fromkeys(LABELS)}


def test_a_beginning_that_two_labels_share_tells_nothing(server, classifier):
    tokens = [('{"label": "', 0, {}), ("yes", -0.1, {"no": -3.0}), ('"}', 0, {})]
    server.default = answer("yes", tokens)
    scores = classifier(["yes", "not sure", "no way"])("Hello").content["scores"]
    assert scores == {"yes": pytest.approx(math.exp(-0.1)), "not sure": None, "no way": None}


def test_the_word_of_the_key_is_not_taken_for_the_label(server, classifier):
    tokens = [('{"', 0, {}), ("label", 0, {}), ('": "', 0, {}), ("label", -0.7, {"none": -0.8}), ('"}', 0, {})]
    server.default = answer("label", tokens)
    scores = classifier(["label", "none"])("Hello").content["scores"]
    assert scores == {"label": pytest.approx(math.exp(-0.7)), "none": pytest.approx(math.exp(-0.8))}


@pytest.mark.parametrize("id", [ID, "hosted_vllm/m", "groq/llama-3.3-70b-versatile"])
def test_a_server_that_takes_no_log_probabilities_is_asked_without(id, server, classifier):
    def answering(received):
        if "logprobs" in received.json():
            return Reply.error(400, "Unsupported parameter: 'logprobs' is not supported with this model.")
        return answer("positive")

    server.default = answering
    content = classifier(id=id)("Hello").content
    assert (content["label"], content["score"]) == ("positive", None)
    assert len(server.requests) == 2


# --- many texts, images, other wires --------------------------------------------------------------------


@pytest.mark.parametrize("call", ["sync", "async"])
def test_a_list_keeps_its_order_and_several_are_in_flight(call, server, classifier):
    def slow_at_first(received):
        return echoing(received).after(0.05 if len(server.requests) < 4 else 0)

    server.default = slow_at_first
    texts = [f"{number} {LABELS[number % 3 == 0]}" for number in range(20)]
    made = classifier()(texts) if call == "sync" else asyncio.run(classifier().acall(texts))
    assert [one["label"] for one in made.content] == [text.split()[-1] for text in texts]
    assert 1 < server.max_in_flight <= 8
    assert len(server.requests) == len(made.attempts) == 20
    assert [one.number for one in made.attempts] == list(range(1, 21))
    assert made.usage.input_tokens == 20 * chat_body()["usage"]["prompt_tokens"]


def test_a_list_of_one_is_a_list(server, classifier):
    server.default = echoing
    assert [one["label"] for one in classifier()(["so negative"]).content] == ["negative"]


def test_one_unknown_label_of_several_is_asked_for_again_alone(server, classifier):
    asked = []

    def answering(received):
        asked.append(received)
        return answer("neutral") if len(asked) == 1 else answer("positive")

    server.default = answering
    made = classifier()(["a", "b", "c"])
    assert [one["label"] for one in made.content] == ["positive"] * 3
    assert len(server.requests) == len(made.attempts) == 4


def test_an_image_is_a_block_of_the_message(server, make):
    server.default = answer("cat")
    classifier = make(magma.ImageClassifier, ID, labels=["cat", "dog"])
    assert classifier([PNG, "https://127.0.0.1/a.png"]).content[0]["label"] == "cat"
    blocks = [one.json()["messages"][-1]["content"][-1] for one in server.requests]
    urls = {block["image_url"]["url"] for block in blocks}
    assert urls == {f"data:image/png;base64,{base64.b64encode(PNG).decode()}", "https://127.0.0.1/a.png"}


@pytest.mark.parametrize("wrong", ["", None, [], [None], b"", b"%PDF-1.7", "missing.png", 7], ids=repr)
def test_what_is_no_image_is_refused_before_anything_is_sent(wrong, make, fails):
    fails(errors.ConfigError, make(magma.ImageClassifier, ID, labels=["cat", "dog"]), wrong, says="image")


def test_anthropic_is_asked_on_its_own_wire(server, make):
    server.default = Reply.anthropic('{"label": "negative"}')
    classifier = make(magma.TextClassifier, "anthropic/claude-3-5-haiku-20241022", "", labels=LABELS)
    content = classifier("How sad").content
    sent = server.requests[0].json()
    assert (server.requests[0].path, "logprobs" in sent) == ("/v1/messages", False)
    assert content == {"label": "negative", "score": None, "scores": dict.fromkeys(LABELS)}
