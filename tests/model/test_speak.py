"""What is special to `Speaker`: sound in one piece or as it arrives, broken sound, and other providers' shapes."""

import asyncio
import gzip
import threading

import pytest

import magma
from magma import errors
from magma.testing import Reply
from magma.testing.wire import Close, Hang, Reset, Wait

pytestmark = pytest.mark.usefixtures("silent", "short_waits")
MP3 = b"ID3\x04" + bytes(range(256)) * 40
ID = "openai/tts-1"


def sound(data=MP3, kind="audio/mpeg"):
    return Reply.text(data, content_type=kind)


def chunked(*steps, kind="audio/mpeg", status=200):
    return Reply(status, (("content-type", kind),), steps, "chunked")


def test_speech_is_bytes_that_can_be_saved(server, make, tmp_path):
    server.default = sound()
    response = make(magma.Speaker, ID)("Hello")
    audio = response.consume()
    assert audio == response.content == MP3
    assert isinstance(audio, bytes)
    assert (audio.format, audio.media_type) == ("mp3", "audio/mpeg")
    assert audio.save(tmp_path / "a.mp3").read_bytes() == MP3
    assert response.cost == pytest.approx(5 * 15e-6)
    assert server.requests[0].path == "/v1/audio/speech"
    assert server.requests[0].json() == {"model": "tts-1", "input": "Hello", "voice": "alloy"}
    assert len(response.attempts) == 1


@pytest.mark.parametrize(
    ("format", "kind", "data"),
    [
        ("mp3", "audio/mpeg", MP3),
        ("opus", "audio/ogg", b"OggS" + bytes(20)),
        ("aac", "audio/aac", b"\xff\xf1" + bytes(20)),
        ("flac", "audio/flac", b"fLaC" + bytes(20)),
        ("wav", "audio/wav", b"RIFF\0\0\0\0WAVEfmt "),
        ("pcm", "audio/pcm", bytes(20)),
        ("wav", "application/octet-stream", b"RIFF\0\0\0\0WAVEfmt "),
        ("mp3", "", MP3),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
@pytest.mark.parametrize("stream", [False, True])
def test_each_format_is_asked_for_and_known(stream, format, kind, data, server, make):
    server.default = sound(data, kind)
    speaker = make(magma.Speaker, ID, response_format=format, speed=1.5, voice="nova", instructions="Whisper")
    if stream:
        streamed = speaker("Hello", stream=True)
        assert b"".join(piece.content for piece in streamed) == data
        audio = streamed.response.content
    else:
        audio = speaker("Hello").content
    assert (audio, audio.format) == (data, format)
    assert audio.media_type.startswith("audio/")
    sent = server.requests[0].json()
    assert (sent["response_format"], sent["speed"], sent["voice"]) == (format, 1.5, "nova")
    assert sent["instructions"] == "Whisper"


@pytest.mark.parametrize("wrong", ["", " \n", None, b"Hello", ["Hello"], {"text": "Hello"}, 7], ids=repr)
def test_what_is_no_text_is_refused_before_anything_is_sent(wrong, make, fails):
    fails(errors.ConfigError, make(magma.Speaker), wrong, says="input")


@pytest.mark.parametrize(
    "wrong", [{"response_format": "ogg"}, {"speed": 9.0}, {"speed": "fast"}, {"stream": 1}, {"stream": None}], ids=repr
)
def test_wrong_parameters_are_refused_before_anything_is_sent(wrong, make, fails):
    fails(errors.ConfigError, make(magma.Speaker), "Hello", says=next(iter(wrong)), **wrong)


NOT_SOUND = [
    pytest.param(Reply.json({}), "application/json", id="empty-object"),
    pytest.param(Reply.json({"error": {"message": "No GPU left"}}), "No GPU left", id="json-error"),
    pytest.param(Reply.json({"message": "queued"}), "queued", id="other-json"),
    pytest.param(Reply.text("<html>Bad gateway</html>", content_type="text/html"), "<html>", id="html"),
    pytest.param(Reply.text("", content_type="audio/mpeg"), "0 bytes", id="empty"),
    pytest.param(chunked(kind="audio/mpeg"), "0 bytes", id="empty-chunks"),
    pytest.param(Reply(204), "200", id="204"),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("reply", "says"), NOT_SOUND)
def test_what_is_no_sound_is_an_error_that_says_what_came(reply, says, stream, server, make, fails):
    server.default = reply
    speaker = make(magma.Speaker, ID)
    says = "" if says == "200" else says
    call = (lambda text: list(speaker(text, stream=True))) if stream else speaker
    fails(errors.ServerError, call, "Hello", says=says, requests=1)


@pytest.mark.parametrize("stream", [False, True])
def test_a_server_error_before_the_sound_is_asked_again(stream, server, make):
    server.enqueue(Reply.error(503), sound())
    speaker = make(magma.Speaker, ID, max_retries=2)
    if stream:
        streamed = speaker("Hello", stream=True)
        assert b"".join(streamed.consume()) == MP3
        response = streamed.response
    else:
        response = speaker("Hello")
    assert response.content == MP3
    assert [one.status_code for one in response.attempts] == [503, 200]


# --- streams --------------------------------------------------------------------------------------------


@pytest.fixture
def gate(server, monkeypatch):
    """The server says the rest only once `gate.set()` was called."""
    event = threading.Event()
    real = asyncio.sleep

    async def sleep(seconds, *rest):
        if seconds != 3600:
            return await real(seconds, *rest)
        while not event.is_set():
            await real(0.002)
        return None

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return event


def test_pieces_arrive_before_the_end(gate, server, make):
    server.default = chunked(b"ID3one", Wait(3600), b"two")
    stream = make(magma.Speaker, ID)("Hello", stream=True)
    assert next(stream).content == b"ID3one"
    assert server.in_flight == 1
    gate.set()
    assert b"".join(piece.content for piece in stream) == b"two"
    assert stream.response.content == b"ID3onetwo"
    assert stream.response.content.format == "mp3"
    assert stream.response.cost == pytest.approx(5 * 15e-6)


def test_pieces_arrive_before_the_end_on_an_event_loop(gate, server, make):
    async def main():
        stream = await make(magma.Speaker, ID).acall("Hello", stream=True)
        first = await anext(stream)
        gate.set()
        return [first.content, *[piece.content async for piece in stream]], stream.response

    server.default = chunked(b"ID3one", Wait(3600), b"two")
    pieces, response = asyncio.run(main())
    assert (pieces, response.content) == ([b"ID3one", b"two"], b"ID3onetwo")


@pytest.mark.parametrize("way", ["close", "with", "break"])
def test_a_stream_left_early_closes_the_connection_and_keeps_what_came(way, server, make):
    server.default = chunked(b"ID3one", Hang())
    stream = make(magma.Speaker, ID)("Hello", stream=True)
    if way == "with":
        with stream:
            next(stream)
    else:
        next(stream)
        stream.close()
    assert server.wait_for(lambda server: server.disconnects == 1)
    assert stream.response.content == b"ID3one"
    assert any("left" in one for one in stream.response.warnings)


BROKEN = {
    "fin": chunked(b"ID3one", Wait(0.05), Close()),
    "reset": chunked(b"ID3one", Wait(0.1), Reset()),
    "content-length": Reply.text(b"ID3one", content_type="audio/mpeg").with_headers(content_length="999").then(Close()),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_stream_that_breaks_keeps_what_came(name, server, make):
    server.default = BROKEN[name]
    stream = make(magma.Speaker, ID, max_retries=2)("Hello", stream=True)
    with pytest.raises(errors.StreamInterruptedError) as caught:
        list(stream)
    assert caught.value.partial.content == b"ID3one"
    assert len(server.requests) == len(caught.value.attempts) == 1


def test_a_stream_that_breaks_before_its_first_piece_is_asked_for_again(server, make):
    server.enqueue(chunked(Close()), sound())
    stream = make(magma.Speaker, ID, max_retries=2)("Hello", stream=True)
    assert b"".join(stream.consume()) == MP3
    assert len(server.requests) == len(stream.response.attempts) == 2


def test_speech_that_is_gzipped_is_unpacked(server, make):
    server.default = sound(gzip.compress(MP3)).with_headers(content_encoding="gzip")
    stream = make(magma.Speaker, ID)("Hello", stream=True)
    assert b"".join(stream.consume()) == stream.response.content == MP3


@pytest.mark.parametrize("name", BROKEN)
def test_a_sound_that_breaks_is_asked_for_again(name, server, make):
    server.enqueue(BROKEN[name], sound())
    response = make(magma.Speaker, ID, max_retries=2)("Hello")
    assert response.content == MP3
    assert len(server.requests) == len(response.attempts) == 2


@pytest.mark.parametrize(
    ("reply", "partial"), [(Reply.raw(Hang()), None), (chunked(Hang()), None), (chunked(b"ID3one", Hang()), b"ID3one")]
)
@pytest.mark.parametrize("timeout", [0.3, magma.Timeout(first_token=0.3, idle=0.3), magma.Timeout(total=0.3)], ids=repr)
def test_a_stream_that_says_nothing_ends_by_its_deadline(timeout, reply, partial, server, make):
    server.default = reply
    stream = make(magma.Speaker, ID, timeout=timeout)("Hello", stream=True)
    with pytest.raises(errors.TimeoutError) as caught:
        list(stream)
    assert (caught.value.partial and caught.value.partial.content) == partial
    assert server.wait_for(lambda server: server.in_flight == 0)


@pytest.mark.parametrize("first", [False, True])
def test_a_cached_sound_streams_again(first, server, make):
    server.default = sound()
    speaker = make(magma.Speaker, ID, enable_cache=True)
    before = speaker("Hello", stream=True) if first else speaker("Hello")
    assert (b"".join(before.consume()) if first else before.content) == MP3
    again = speaker("Hello", stream=True)
    assert b"".join(piece.content for piece in again) == MP3
    assert (again.response.cached, again.response.cost, again.response.content) == (True, 0, MP3)
    assert speaker("Hello").content == MP3
    assert len(server.requests) == 1


def test_a_cache_on_disk_holds_sound(server, make, tmp_path):
    server.default = sound()
    made = [make(magma.Speaker, ID, cache=magma.Cache(str(tmp_path / "c.db")))("Hello") for _ in range(2)]
    assert [one.content for one in made] == [MP3, MP3]
    assert [one.cached for one in made] == [False, True]
    assert made[1].content.media_type == "audio/mpeg"


def test_azure_is_asked_at_its_deployment(server, make):
    server.default = sound()
    assert make(magma.Speaker, "azure/mine", "", api_version="2024-10-21")("Hello").content == MP3
    assert (server.requests[0].path, server.requests[0].query) == (
        "/openai/deployments/mine/audio/speech",
        "api-version=2024-10-21",
    )


@pytest.mark.parametrize("stream", [False, True])
def test_elevenlabs_is_asked_in_its_own_shape(stream, server, make):
    server.default = sound()
    speaker = make(magma.Speaker, "elevenlabs/eleven_multilingual_v2", "", voice="mine")
    made = b"".join(speaker("Hello", stream=True).consume()) if stream else speaker("Hello").content
    assert made == MP3
    assert server.requests[0].path == "/v1/text-to-speech/mine"
    assert server.requests[0].json() == {"text": "Hello", "model_id": "eleven_multilingual_v2"}
    assert server.requests[0].headers["xi-api-key"]
