"""A sound is bytes, a picture a URL, a transcript a text; each knows a little more."""

import base64
import copy
import json
import pathlib
import pickle

import pytest

from magma import ConfigError
from magma.contents import Audio, Image, Segment, Transcript, Word
from magma.testing.server import Reply, Server

MP3 = b"ID3\x04" + bytes(12_341)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
DATA = "data:image/png;base64," + base64.b64encode(PNG).decode()

CLONES = [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))]


# --- audio


def test_audio_is_its_bytes():
    audio = Audio(MP3)
    assert audio == MP3
    assert hash(audio) == hash(MP3)
    assert audio[:3] == b"ID3"
    assert (audio.format, audio.media_type, repr(audio)) == ("mp3", "audio/mpeg", "<Audio mp3 12.3 kB>")


@pytest.mark.parametrize(
    ("made", "format", "media_type"),
    [
        (Audio(b"raw", "pcm"), "pcm", "audio/pcm"),
        (Audio(b"OggS" + bytes(24), "opus"), "opus", "audio/opus"),
        (Audio(b"fLaC"), "flac", "audio/flac"),
        (Audio(b"raw", media_type="audio/wav"), "wav", "audio/wav"),
        (Audio(b"raw"), None, "application/octet-stream"),
        (Audio(), None, "application/octet-stream"),
    ],
)
def test_audio_knows_its_format(made, format, media_type):
    assert (made.format, made.media_type) == (format, media_type)


@pytest.mark.parametrize("clone", CLONES)
def test_audio_clones(clone):
    made = clone(Audio(b"raw", "pcm"))
    assert (type(made), made, made.format, made.media_type) == (Audio, b"raw", "pcm", "audio/pcm")


def test_audio_is_saved_whole(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"x" * 99_999)
    assert Audio(MP3).save(str(path)) == path
    assert path.read_bytes() == MP3
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "target")
    Audio(MP3).save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == MP3


@pytest.mark.parametrize(
    ("name", "told"),
    [("", "directory"), ("none/a.mp3", "existing directory"), ("a\0b", "cannot be"), ("a" * 300, "cannot be")],
)
def test_places_that_cannot_be_written(tmp_path, name, told):
    with pytest.raises(ConfigError, match=told):
        Audio(MP3).save(tmp_path / name if "\0" not in name else name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", [None, 3, b"\xff/x/y"])
def test_what_is_no_place(path):
    with pytest.raises(ConfigError):
        Audio(MP3).save(path)


def test_a_device_is_written_to_and_not_replaced():
    assert Audio(MP3).save("/dev/null") == pathlib.Path("/dev/null")
    assert not pathlib.Path("/dev/null").is_file()


# --- image


def test_an_image_is_its_url():
    image = Image("https://example.com/a.png?sig=secret", revised_prompt="A cat")
    assert image == str(image) == f"{image}" == "https://example.com/a.png?sig=secret"
    assert type(str(image)) is str
    assert json.dumps(image) == '"https://example.com/a.png?sig=secret"'
    assert (image.media_type, image.revised_prompt) == (None, "A cat")
    assert repr(image) == "<Image https://example.com/a.png>"


def test_an_image_in_a_data_url(tmp_path):
    image = Image(DATA)
    assert (image.bytes(), image.media_type, repr(image)) == (PNG, "image/png", "<Image png 30 B>")
    assert image.save(tmp_path / "a.png").read_bytes() == PNG
    assert Image.from_base64(base64.b64encode(PNG).decode(), media_type="image/jpeg") == DATA


@pytest.mark.parametrize("clone", CLONES)
def test_image_clones(clone):
    made = clone(Image(DATA, revised_prompt="A cat"))
    assert (type(made), made, made.revised_prompt) == (Image, DATA, "A cat")


def test_an_image_is_downloaded_when_its_bytes_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("MAGMA_ALLOW_REQUESTS", "1")
    with Server() as server:
        server.default = Reply.text("picture")
        assert Image(server.url + "/a.png").save(tmp_path / "a.png").read_bytes() == b"picture"
        assert len(server.requests) == 1
    monkeypatch.setenv("MAGMA_ALLOW_REQUESTS", "0")
    with pytest.raises(ConfigError, match="MAGMA_ALLOW_REQUESTS"):
        Image("https://example.com/a.png").bytes()


@pytest.mark.parametrize("url", ["", "x", "data:image/png;base64,@", "data:", "file:///etc/passwd"])
def test_an_image_that_is_none(url):
    image = Image(url)
    assert repr(image).startswith("<Image")
    with pytest.raises(ConfigError):
        image.bytes()
    with pytest.raises(ConfigError):
        Image.from_base64("@")


# --- transcript


def test_a_transcript_is_its_text():
    said = Transcript("Hello there.")
    assert said == "Hello there."
    assert json.dumps(said) == '"Hello there."'
    assert (said.words, said.segments, said.language, said.duration) == (None, None, None, None)


def test_openai_s_verbose_answer():
    said = Transcript(
        "Hello.",
        words=[{"word": "Hello", "start": 0, "end": 0.5}],
        segments=[{"id": 0, "seek": 0, "start": 0.0, "end": 0.5, "text": "Hello.", "tokens": [1], "avg_logprob": -0.1}],
        language="english",
        duration="0.5",
    )
    assert said.words == (Word(word="Hello", start=0.0, end=0.5),)
    assert said.segments == (Segment(id=0, start=0.0, end=0.5, text="Hello.", avg_logprob=-0.1),)
    assert (said.language, said.duration) == ("english", 0.5)
    with pytest.raises(AttributeError):
        said.words[0].word = "x"


def test_odd_parts_are_left_out():
    said = Transcript(
        "x", words=[{"word": "a", "start": "?", "speaker": 1}, {"start": 1}, 3], segments=[{}], duration="?"
    )
    assert said.words == (Word(word="a", speaker="1"),)
    assert said.segments == (Segment(),)
    assert said.duration is None


@pytest.mark.parametrize("clone", CLONES)
def test_transcript_clones(clone):
    made = clone(Transcript("x", words=[Word(word="a")], segments=[], language="en", duration=1))
    assert (type(made), made, made.words, made.segments) == (Transcript, "x", (Word(word="a"),), ())
    assert (made.language, made.duration) == ("en", 1.0)
