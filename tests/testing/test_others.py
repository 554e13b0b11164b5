"""Test doubles for every operation: what the server says by itself, what a script makes of plain values."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import magma
from magma import ConfigError, testing
from magma.testing import Reply, Server
from magma.testing.others import SOUND, pixel, vector

EMBEDDER = magma.Embedder("openai/text-embedding-3-small")
TRANSCRIBER = magma.Transcriber("openai/whisper-1")
SPEAKER = magma.Speaker("openai/tts-1")
GENERATOR = magma.ImageGenerator("openai/dall-e-3")
EDITOR = magma.ImageEditor("openai/gpt-image-1")
MODERATOR = magma.Moderator("openai/omni-moderation-latest")
CLASSIFIER = magma.TextClassifier("openai/gpt-4o", labels=["positive", "negative"])
RERANKER = magma.Reranker("cohere/rerank-v3.5")
RECORDING = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(28)
PNG = pixel()


def answered(answer: Any, handle: Any, *inputs: Any, **overrides: Any) -> Any:
    with testing.scripted() as script:
        script.enqueue(answer)
        return handle(*inputs, **overrides).consume()


def test_a_list_of_floats_is_a_vector_of_every_text() -> None:
    assert answered([0.25, 1], EMBEDDER, "Hi") == [0.25, 1]
    assert [list(one) for one in answered([0.25, 1], EMBEDDER, ["Hi", "you"])] == [[0.25, 1], [0.25, 1]]


def test_a_list_of_lists_is_a_vector_for_each_text() -> None:
    assert [list(one) for one in answered([[1.0], [2.0]], EMBEDDER, ["Hi", "you"])] == [[1.0], [2.0]]
    assert answered({"data": [{"index": 0, "embedding": [0.5]}]}, EMBEDDER, "Hi") == [0.5]


def test_a_text_is_what_was_heard_and_a_transcript_keeps_its_words() -> None:
    assert answered("Hello.", TRANSCRIBER, RECORDING) == "Hello."
    said = magma.Transcript("Hello.", words=[{"word": "Hello", "start": 0, "end": 1}], language="en")
    again = answered(said, TRANSCRIBER, RECORDING)
    assert (again, again.words, again.language) == (said, said.words, "en")


def test_bytes_are_a_sound() -> None:
    assert answered(b"ID3-sound", SPEAKER, "Hello") == b"ID3-sound"
    assert answered(magma.Audio(b"xyz", "wav", "audio/wav"), SPEAKER, "Hello").media_type == "audio/wav"


def test_a_sound_comes_in_pieces_when_it_is_streamed() -> None:
    sound = bytes(100_000)

    async def collected() -> bytes:
        return b"".join([piece async for piece in (await SPEAKER.acall("Hello", stream=True)).consume()])

    with testing.scripted(default=sound) as script:
        stream = SPEAKER("Hello", stream=True)
        pieces = list(stream.consume())
        assert asyncio.run(collected()) == sound
    assert len(pieces) > 1
    assert b"".join(pieces) == stream.response.consume() == sound
    assert script.requests[0].stream


@pytest.mark.parametrize("handle", [GENERATOR, EDITOR])
def test_a_url_a_data_url_or_bytes_are_an_image(handle: Any) -> None:
    inputs = ("A cat", PNG) if handle is EDITOR else ("A cat",)
    url = "https://example.com/cat.png"
    assert answered(url, handle, *inputs) == url
    assert answered(PNG, handle, *inputs).bytes() == PNG
    assert answered(answered(PNG, handle, *inputs), handle, *inputs).bytes() == PNG
    assert answered([url, PNG], handle, *inputs, n=2)[0] == url
    assert answered(url, handle, *inputs, n=3) == [url] * 3


def test_a_bool_is_whether_a_text_is_flagged_and_a_dict_says_more() -> None:
    assert answered(True, MODERATOR, "Hi").flagged
    assert answered(False, MODERATOR, "Hi").safe
    told = answered({"flagged": True, "categories": {"hate": True}, "scores": {"hate": 0.8}}, MODERATOR, "Hi")
    assert (told.categories, told.scores) == ({"hate": True}, {"hate": 0.8})
    assert [one.flagged for one in answered([True, {"safe": True}], MODERATOR, ["a", "b"])] == [True, False]
    assert [one.flagged for one in answered(True, MODERATOR, ["a", "b"])] == [True, True]
    again = answered(dict(told), MODERATOR, "Hi")
    assert again == told


def test_a_list_of_scores_ranks_the_documents() -> None:
    ranked = answered([0.1, 0.9, 0.5], RERANKER, "q", ["a", "b", "c"], top_n=2)
    assert [(one["document"], one["score"]) for one in ranked] == [("b", 0.9), ("c", 0.5)]
    with pytest.raises(ConfigError, match="2 scores were enqueued for 3 documents"):
        answered([0.1, 0.9], RERANKER, "q", ["a", "b", "c"])


@pytest.mark.parametrize("answer", ["positive", {"label": "positive"}, testing.structured({"label": "positive"})])
def test_a_label_is_said_as_the_json_that_a_classifier_asked_for(answer: Any) -> None:
    assert answered(answer, CLASSIFIER, "Good!")["label"] == "positive"
    with testing.scripted(default=answer) as script:
        CLASSIFIER(["Good!", "Fine!"])
    assert [request.text for request in script.requests] == ["Good!", "Fine!"]


def test_a_label_of_several_is_said_as_a_list() -> None:
    several = CLASSIFIER.with_(multi_label=True)
    assert answered("positive", several, "Good!")["labels"] == ["positive"]
    assert answered({"labels": ["positive", "negative"]}, several, "Mixed!")["labels"] == ["positive", "negative"]


def test_a_response_is_that_answer_again() -> None:
    with testing.scripted(default=[0.5, 0.25]):
        response = EMBEDDER("Hi")
    assert answered(response, EMBEDDER, "you") == [0.5, 0.25]
    assert answered(magma.Response(content="Hello."), TRANSCRIBER, RECORDING) == "Hello."


def test_what_is_enqueued_is_a_copy() -> None:
    vectors = [[0.5], [0.25]]
    with testing.scripted() as script:
        script.enqueue(vectors)
        vectors[0][0] = 9.0
        assert list(EMBEDDER(["a", "b"]).consume()[0]) == [0.5]


@pytest.mark.parametrize(
    ("answer", "handle", "inputs", "wanted"),
    [
        ("Hello", EMBEDDER, ("Hi",), "a list of floats"),
        ([0.5], CLASSIFIER, ("Hi",), "a str"),
        (True, SPEAKER, ("Hi",), "bytes"),
        (b"ID3", MODERATOR, ("Hi",), "a bool"),
        ([True], RERANKER, ("q", ["a"]), "a list with a score"),
        (0.5 < 1, GENERATOR, ("A cat",), "a URL"),
        ({"choices": []}, TRANSCRIBER, (RECORDING,), "a str"),
    ],
)
def test_an_answer_of_another_operation_says_what_to_enqueue(
    answer: Any, handle: Any, inputs: Any, wanted: str
) -> None:
    with pytest.raises(ConfigError, match=wanted):
        answered(answer, handle, *inputs)


@pytest.mark.parametrize("mistake", [[0.5, "x"], [[0.5], ["x"]], [True, 3], ["no url"], [[]], 0.5])
def test_a_list_of_different_things_shows_where_it_is_enqueued(mistake: Any) -> None:
    with pytest.raises(ConfigError):
        testing.scripted().enqueue(mistake)


def test_a_request_tells_its_text_and_its_files() -> None:
    with testing.scripted() as script:
        script.enqueue([0.5], "Hello.", True, [0.5], PNG, b"ID3")
        EMBEDDER(["one", "two"])
        TRANSCRIBER(RECORDING)
        MODERATOR("Bad?")
        RERANKER("query", ["a"])
        EDITOR("Make it night", image=[PNG], mask=PNG)
        SPEAKER("Hello")
    assert [request.text for request in script.requests] == ["one\ntwo", "", "Bad?", "query", "Make it night", "Hello"]
    assert [request.operation for request in script.requests][:2] == ["embedding", "transcription"]
    assert [file.name for request in script.requests for file in request.files] == [
        "audio.wav",
        "image.png",
        "image.png",
    ]
    assert script.requests[1].files[0].data is RECORDING


def test_the_server_answers_every_operation_by_itself() -> None:
    with Server() as server:
        to = {"api_base": f"{server.url}/v1", "api_key": "x"}
        assert EMBEDDER.with_(**to)("Hi").consume() == vector(0)
        small = EMBEDDER.with_(**to, dimensions=4)(["a", "b"], encoding_format="float").consume()
        assert [list(one) for one in small] == [vector(0, 4), vector(1, 4)]
        assert TRANSCRIBER.with_(**to)(RECORDING).consume() == "Hello, this is a test."
        timed = TRANSCRIBER.with_(**to, timestamp_granularities=("word",))(RECORDING).consume()
        assert [word.word for word in timed.words][:2] == ["Hello,", "this"]
        assert SPEAKER.with_(**to)("Hi").consume() == SOUND
        assert SPEAKER.with_(**to, response_format="wav")("Hi").consume().format == "wav"
        assert GENERATOR.with_(**to)("A cat").consume().startswith("https://")
        assert GENERATOR.with_(**to, response_format="b64_json")("A cat").consume().bytes() == PNG
        assert len(EDITOR.with_(**to, n=2)("A cat", PNG).consume()) == 2
        assert [one.safe for one in MODERATOR.with_(**to)(["a", "b"]).consume()] == [True, True]
        ranked = RERANKER.with_(**to | {"api_base": server.url})("q", ["a", "b", "c"], top_n=1).consume()
        assert [one["document"] for one in ranked] == ["c"]
        assert not server.errors


def test_default_vectors_are_the_same_in_both_encodings_and_made_once() -> None:
    with Server() as server:
        to = EMBEDDER.with_(api_base=f"{server.url}/v1", api_key="x")
        plain, packed = (to(["a", "b"], encoding_format=form).consume() for form in ("float", "base64"))
        assert [list(one) for one in plain] == [list(one) for one in packed]
        assert server.default(server.requests[0]) is server.default(server.requests[0])  # type: ignore[operator]


def test_replies_say_what_providers_say() -> None:
    handles: list[tuple[Reply, Any, tuple[Any, ...]]] = [
        (Reply.embedding([0.5, 0.25], base64=True), EMBEDDER, ("Hi",)),
        (Reply.transcription("Hi.", language="english"), TRANSCRIBER, (RECORDING,)),
        (Reply.speech([b"ID3", b"more"], gap=0.01), SPEAKER, ("Hi",)),
        (Reply.image("https://example.com/a.png", revised_prompt="A cat"), GENERATOR, ("cat",)),
        (Reply.moderation([True]), MODERATOR, ("Hi",)),
        (Reply.rerank([0.25, 0.5]), RERANKER, ("q", ["a", "b"])),
    ]
    with Server() as server:
        server.enqueue(*(reply for reply, _, _ in handles))
        to = {"api_base": f"{server.url}/v1", "api_key": "x"}
        contents = [handle.with_(**to)(*inputs).consume() for _, handle, inputs in handles]
    assert contents[:3] == [[0.5, 0.25], "Hi.", b"ID3more"]
    assert contents[1].language == "english"
    assert contents[3].revised_prompt == "A cat"
    assert contents[4].flagged
    assert [one["index"] for one in contents[5]] == [1, 0]


def test_a_form_is_told_by_name() -> None:
    with Server() as server:
        TRANSCRIBER.with_(api_base=f"{server.url}/v1", api_key="x")(RECORDING, language="en")
        form = server.requests[0].form()
    assert form["file"] == [RECORDING]
    assert form["language"] == [b"en"]
