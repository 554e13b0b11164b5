"""What is special to `Transcriber`: files of all kinds on the wire, formats of the answer, and other providers' shapes."""

import base64
import io
import os

import pytest

import magma
from magma import errors
from magma.testing import Reply

pytestmark = pytest.mark.usefixtures("silent", "short_waits")
PARSE, SERVER = errors.ParseError, errors.ServerError
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(20)
SAID = {"text": "Hello."}


@pytest.fixture
def a_recording(tmp_path):
    path = tmp_path / "my recording.wav"
    path.write_bytes(WAV)
    return path


def fields_of(parts):
    return {name: data.decode() for name, file, _, data in parts if file is None}


def file_of(parts):
    (found,) = [part for part in parts if part[1] is not None]
    return found[1:]


@pytest.mark.parametrize("kind", ["path", "text", "bytes", "bytearray", "buffer", "file", "data-url", "url", "URL"])
def test_a_recording_may_be_anything_that_names_one(kind, a_recording, server, make, parts_of):
    server.on("/a.wav", Reply.text(WAV, content_type="audio/wav"))
    server.default = Reply.json(SAID)
    with a_recording.open("rb") as opened:
        given, name = {
            "path": (a_recording, "my recording.wav"),
            "text": (str(a_recording), "my recording.wav"),
            "bytes": (WAV, "audio.wav"),
            "bytearray": (bytearray(WAV), "audio.wav"),
            "buffer": (io.BytesIO(WAV), "audio.wav"),
            "file": (opened, "my recording.wav"),
            "data-url": (f"data:audio/x-wav;base64,{base64.b64encode(WAV).decode()}", "audio.wav"),
            "url": (f"{server.url}/a.wav?sig=1", "a.wav"),
            "URL": (f"{server.url}/a.wav".replace("http", "HTTP"), "a.wav"),
        }[kind]
        assert make(magma.Transcriber, "openai/whisper-1")(given).content == "Hello."
        assert not opened.closed
    (sent,) = [one for one in server.requests if one.method == "POST"]
    assert sent.path == "/v1/audio/transcriptions"
    assert file_of(parts_of(sent)) == (name, "audio/wav", WAV)


@pytest.mark.parametrize("name", ["file", "audio", "data"])
def test_the_file_has_the_names_that_others_give_it(name, server, make):
    server.default = Reply.json(SAID)
    assert make(magma.Transcriber)(**{name: WAV}).content == "Hello."


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("missing.wav", "does not exist"),
        ("", "empty text"),
        (b"", "is empty"),
        (io.BytesIO(), "is empty"),
        (io.StringIO("text"), "open as text"),
        (None, "must be a path"),
        (7, "must be a path"),
        ([WAV], "must be a path"),
        (b"\x89PNG\r\n\x1a\n", "image/png, not audio"),
        (b"%PDF-1.7", "application/pdf, not audio"),
        ("ftp://127.0.0.1/a.wav", "scheme"),
        ("gs://bucket/a.wav", "cannot be fetched"),
        ("http://me:pw@127.0.0.1/a.wav", "user or password"),
        ("data:audio/wav;base64,?", "no valid base64"),
        ("a\0b", "cannot be read"),
    ],
    ids=lambda one: str(one)[:12] if isinstance(one, (str, bytes)) else type(one).__name__,
)
def test_what_is_no_recording_is_refused_before_anything_is_sent(given, says, make, fails):
    error = fails(errors.ConfigError, make(magma.Transcriber), given, says=says)
    assert "pw@" not in str(error)


def test_a_directory_a_text_file_and_a_pipe_are_refused(tmp_path, make, fails):
    (tmp_path / "a.txt").write_text("Hello.")
    os.mkfifo(tmp_path / "pipe")
    fails(errors.ConfigError, make(magma.Transcriber), tmp_path, says="directory")
    fails(errors.ConfigError, make(magma.Transcriber), tmp_path / "a.txt", says="text/plain, not audio")
    fails(errors.ConfigError, make(magma.Transcriber), tmp_path / "pipe", says="no regular file")


def test_a_file_of_1_GB_is_refused_without_being_read(tmp_path, make, fails, monkeypatch):
    path = tmp_path / "long.wav"
    path.touch()
    os.truncate(path, 10**9)
    monkeypatch.setattr("magma.media.open", lambda *_: pytest.fail("it was opened"), raising=False)
    fails(errors.ConfigError, make(magma.Transcriber), path, says="larger than 25 MB")


def test_a_file_of_an_unknown_format_is_refused_unless_its_name_tells(tmp_path, server, make, parts_of):
    (tmp_path / "sound.zzz").write_bytes(b"\x01\x02\x03")
    (tmp_path / "sound.mp3").write_bytes(b"\x01\x02\x03")
    for unknown in (tmp_path / "sound.zzz", b"\x01\x02\x03"):
        with pytest.raises(errors.ConfigError, match="format"):
            make(magma.Transcriber)(unknown)
    assert server.requests == []
    server.default = Reply.json(SAID)
    make(magma.Transcriber)(tmp_path / "sound.mp3")
    assert file_of(parts_of(server.requests[0])) == ("sound.mp3", "audio/mpeg", b"\x01\x02\x03")


def test_each_parameter_is_a_part_of_the_body(server, make, parts_of):
    server.default = Reply.json(SAID)
    given = {"language": "de", "prompt": 'Grüße, "Magma"', "temperature": 0.0, "response_format": "json"}
    make(magma.Transcriber, "openai/whisper-1", **given)(WAV)
    sent = fields_of(parts_of(server.requests[0]))
    assert float(sent.pop("temperature")) == 0
    assert sent == {**{name: value for name, value in given.items() if name != "temperature"}, "model": "whisper-1"}


def test_a_temperature_that_was_not_given_is_not_sent(server, make, parts_of):
    server.default = Reply.json(SAID)
    make(magma.Transcriber, "openai/gpt-4o-transcribe")(WAV)
    assert fields_of(parts_of(server.requests[0])) == {"model": "gpt-4o-transcribe"}


@pytest.mark.parametrize(
    ("format", "reply", "text"),
    [
        ("json", Reply.json(SAID), "Hello."),
        ("verbose_json", Reply.json(SAID), "Hello."),
        ("text", Reply.text("Hello.\n"), "Hello.\n"),
        ("srt", Reply.text("1\n00:00:00,000 --> 00:00:01,000\nHello.\n"), "1\n00:00:00,000 --> 00:00:01,000\nHello.\n"),
        ("vtt", Reply.text("WEBVTT\n\nHello.\n", content_type="text/vtt"), "WEBVTT\n\nHello.\n"),
        ("text", Reply.text("42\n"), "42\n"),
        ("text", Reply.text("null"), "null"),
        ("text", Reply.text('{"a": 1}'), '{"a": 1}'),
        ("text", Reply.text(""), ""),
        ("text", Reply.text("Grüße"), "Grüße"),
        ("json", Reply.json({"text": ""}), ""),
    ],
)
@pytest.mark.parametrize("id", ["openai/whisper-1", "hosted_vllm/m"])
def test_the_answer_may_be_json_or_text(id, format, reply, text, server, make, parts_of):
    server.default = reply
    response = make(magma.Transcriber, id, response_format=format)(WAV)
    assert (response.content, str(response.content)) == (text, text)
    assert fields_of(parts_of(server.requests[0]))["response_format"] == format
    assert len(server.requests) == 1


VERBOSE = {
    **SAID,
    "language": "english",
    "duration": 1.5,
    "words": [{"word": "Hello", "start": 0.0, "end": 0.5}],
    "segments": [{"id": 0, "start": 0, "end": 1.5, "text": " Hello.", "avg_logprob": -0.2, "tokens": [1]}],
}


def test_timestamps_are_asked_for_and_read(server, make, parts_of):
    server.default = Reply.json(VERBOSE)
    response = make(magma.Transcriber, "openai/whisper-1", timestamp_granularities=("word", "segment"))(WAV)
    said = response.content
    assert (said.words[0].word, said.words[0].end, said.segments[0].avg_logprob) == ("Hello", 0.5, -0.2)
    assert (said.language, said.duration) == ("english", 1.5)
    assert response.cost == pytest.approx(1.5 * 0.0001)
    parts = parts_of(server.requests[0])
    assert fields_of(parts)["response_format"] == "verbose_json"
    asked = [data for name, _, _, data in parts if name.startswith("timestamp_granularities")]
    assert asked == [b"word", b"segment"]


def test_speakers_are_told_apart_where_that_is_asked_for(server, make):
    segment = {"id": "seg_1", "type": "transcript.text.segment", "speaker": "A", "text": "Hello.", "start": 0, "end": 1}
    server.default = Reply.json({**SAID, "segments": [segment], "task": "transcribe"})
    transcriber = make(magma.Transcriber, "openai/gpt-4o-transcribe-diarize", response_format="diarized_json")
    (found,) = transcriber(WAV).content.segments
    assert (found.speaker, found.text, found.id) == ("A", "Hello.", "seg_1")


def test_timestamps_in_a_plain_format_are_refused(make, fails):
    transcriber = make(magma.Transcriber, timestamp_granularities=("word",), response_format="srt")
    fails(errors.ConfigError, transcriber, WAV, says="has no timestamps")


@pytest.mark.parametrize(
    ("odd", "names"),
    [
        ({"words": None, "segments": None, "duration": None}, (None, None, None)),
        ({"words": [], "segments": []}, ((), (), None)),
        ({"words": "x", "duration": "1.5"}, (None, None, 1.5)),
        ({"words": {"a": 1}}, (None, None, None)),
        ({"words": 7, "segments": True}, (None, None, None)),
        ({"words": [None, 1, {"word": None}], "duration": "long"}, ((), None, None)),
        ({"duration": True, "language": 7}, (None, None, None)),
        ({"duration": [1]}, (None, None, None)),
        ({"duration": -1}, (None, None, -1.0)),
    ],
    ids=repr,
)
def test_odd_details_never_cost_the_text(odd, names, server, make):
    server.default = Reply.json({**SAID, **odd})
    said = make(magma.Transcriber)(WAV).content
    assert said == "Hello."
    assert (said.words, said.segments, said.duration) == names
    assert said.language is None


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply.json({}), SERVER),
        (Reply.json({"text": None}), SERVER),
        (Reply.json({"text": ["Hello."]}), None),
        (Reply.json({"text": 7}), None),
        (Reply.json([]), None),
        (Reply.json(None), None),
        (Reply.json({"error": {"message": "No GPU left"}}), SERVER),
        (Reply.text("", content_type="application/json"), None),
        (Reply.text("<!DOCTYPE html><html>Bad gateway</html>", content_type="text/html"), None),
    ],
    ids=["empty-object", "null", "list", "number", "a-list", "null-body", "error", "empty", "html"],
)
@pytest.mark.parametrize("id", ["openai/whisper-1", "groq/whisper-large-v3", "hosted_vllm/m", "mistral/m"])
def test_what_is_no_transcript_is_an_error(id, reply, kind, server, make):
    server.default = reply
    with pytest.raises(errors.ModelError) as caught:
        make(magma.Transcriber, id)(WAV)
    assert type(caught.value) in ((PARSE, SERVER) if kind is None else (kind,)), caught.value
    assert len(server.requests) == 1


DEEPGRAM = {
    "metadata": {"duration": 1.5},
    "results": {
        "channels": [{"alternatives": [{"transcript": "Hello.", "words": [{"word": "Hello", "start": 0, "end": 0.5}]}]}]
    },
}
ELEVENLABS = {
    **SAID,
    "language_code": "eng",
    "words": [
        {"text": "Hello", "type": "word", "start": 0, "end": 0.5},
        {"text": ".", "type": "spacing", "start": 0.5, "end": 0.5},
    ],
}


@pytest.mark.parametrize(
    ("id", "base", "path", "answer", "language"),
    [
        ("groq/whisper-large-v3", "/openai/v1", "/openai/v1/audio/transcriptions", VERBOSE, "english"),
        ("azure/mine", "", "/openai/deployments/mine/audio/transcriptions", VERBOSE, "english"),
        ("hosted_vllm/m", "/v1", "/v1/audio/transcriptions", VERBOSE, "english"),
        ("deepgram/nova-3", "/v1", "/v1/listen", DEEPGRAM, None),
        ("elevenlabs/scribe_v1", "", "/v1/speech-to-text", ELEVENLABS, "eng"),
    ],
)
def test_each_provider_is_asked_and_read_in_its_own_shape(id, base, path, answer, language, server, make):
    server.default = Reply.json(answer)
    version = "2024-10-21" if id.startswith("azure") else None
    said = make(magma.Transcriber, id, base, api_version=version)(WAV).content
    assert (said, said.language) == ("Hello.", language)
    assert [(one.word, one.end) for one in said.words] == [("Hello", 0.5)]
    assert [one.path for one in server.requests] == [path]
    assert WAV in server.requests[0].body


@pytest.mark.parametrize("answer", [{}, {"results": None}, [], {"text": None}], ids=repr)
@pytest.mark.parametrize(("id", "base"), [("deepgram/nova-3", "/v1"), ("elevenlabs/scribe_v1", "")])
def test_other_providers_may_answer_nonsense(id, base, answer, server, make):
    server.default = Reply.json(answer)
    with pytest.raises((PARSE, SERVER)):
        make(magma.Transcriber, id, base)(WAV)
    assert len(server.requests) == 1


def test_silence_is_an_empty_transcript(server, make):
    silence = {"metadata": {"duration": 1}, "results": {"channels": [{"alternatives": [{"transcript": ""}]}]}}
    server.default = Reply.json(silence)
    assert make(magma.Transcriber, "deepgram/nova-3")(WAV).content == ""


def test_an_upload_is_whole_when_it_is_sent_again(server, make, parts_of):
    server.enqueue(Reply.error(503), Reply.json(SAID))
    assert make(magma.Transcriber, max_retries=1)(io.BytesIO(WAV)).content == "Hello."
    assert [file_of(parts_of(one))[2] for one in server.requests] == [WAV, WAV]
