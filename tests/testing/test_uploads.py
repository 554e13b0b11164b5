"""Cassettes of the operations besides chat: uploads with random boundaries, sounds, base64."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

import magma
from magma import testing
from magma.errors import NotFoundError
from magma.testing import Reply, Server
from magma.testing.cassettes import UnrecordedRequest
from magma.testing.others import pixel

RECORDING = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(range(256)) * 4000
PNG = pixel()
OPERATIONS: dict[str, Any] = {
    "transcription": lambda to: magma.Transcriber("openai/whisper-1", **to)(RECORDING, language="en"),
    "edit": lambda to: magma.ImageEditor("openai/gpt-image-1", **to)("Make it night", [PNG, PNG], mask=PNG),
    "image": lambda to: magma.ImageGenerator("openai/gpt-image-1", **to)("A cat"),
    "speech": lambda to: magma.Speaker("openai/tts-1", **to)("Hello"),
    "streamed speech": lambda to: spoken(magma.Speaker("openai/tts-1", **to)("Hello", stream=True)),
    "embedding": lambda to: magma.Embedder("openai/text-embedding-3-small", **to)(["a", "b"], dimensions=8),
    "moderation": lambda to: magma.Moderator("openai/omni-moderation-latest", **to)("Hello"),
    "rerank": lambda to: magma.Reranker("cohere/rerank-v3.5", **to)("query", ["a", "b"]),
}


def spoken(stream: Any) -> Any:
    assert b"".join(stream.consume()) == stream.response.content
    return stream.response


def replayed(path: Path, ask: Any, default: Any = None) -> tuple[Any, Any]:
    with Server() as server, testing.cassette(path, record="once"):
        server.default = default or server.default
        first = ask({"api_base": f"{server.url}/v1", "api_key": "my-own-key-1234"})
    with testing.cassette(path) as tape:
        second = ask({"api_base": "http://localhost:9/v1"})
        assert tape.play_count == 1
    return first, second


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_is_replayed_as_it_was(tmp_path: Path, operation: str) -> None:
    first, second = replayed(tmp_path / "one.yaml", OPERATIONS[operation])
    assert (second.content, second.usage) == (first.content, first.usage)
    text = (tmp_path / "one.yaml").read_text(encoding="utf-8")
    assert "my-own-key-1234" not in text
    assert "127.0.0.1" not in text


def test_of_an_upload_name_size_and_digest_are_kept(tmp_path: Path) -> None:
    replayed(tmp_path / "one.yaml", OPERATIONS["transcription"])
    text = (tmp_path / "one.yaml").read_text(encoding="utf-8")
    assert "filename: audio.wav" in text
    assert f"bytes: {len(RECORDING)}" in text
    assert len(text) < 5000


def test_a_large_data_url_is_kept_as_its_digest(tmp_path: Path) -> None:
    image = PNG + bytes(range(256)) * 400
    messages = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": data_url(image)}}]}]
    _, second = replayed(
        tmp_path / "one.yaml", lambda to: magma.Model("openai/gpt-4o", **to)(messages), Reply.chat("A cat.")
    )
    assert second.content == "A cat."
    assert len((tmp_path / "one.yaml").read_text(encoding="utf-8")) < 3000


def data_url(data: bytes) -> str:
    return f"data:image/png;base64,{b64encode(data).decode()}"


def test_another_upload_is_not_in_the_cassette(tmp_path: Path) -> None:
    replayed(tmp_path / "one.yaml", OPERATIONS["transcription"])
    transcriber = magma.Transcriber("openai/whisper-1", api_base="http://localhost:9/v1")
    missing = (pytest.raises(UnrecordedRequest, match="sha256"), testing.cassette(tmp_path / "one.yaml"))
    with missing[0], missing[1], pytest.raises(NotFoundError):
        transcriber(RECORDING + b"x", language="en")


def test_a_sound_that_reads_as_text_is_not_changed(tmp_path: Path) -> None:
    sound = b"ID3 Bearer abcdefgh12345\ndata: null \r\n sk-abcdefghijklmnopqrstuvwx"
    first, second = replayed(tmp_path / "one.yaml", OPERATIONS["speech"], Reply.speech(sound))
    assert first.content == second.content == sound


def test_the_order_of_a_forms_fields_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    with Server() as server, testing.cassette(path, record="once"):
        OPERATIONS["transcription"]({"api_base": f"{server.url}/v1", "api_key": "x"})
    text = path.read_text(encoding="utf-8")
    assert text.index("model: whisper-1") < text.index("language: en")
    path.write_text(text.replace("model: whisper-1\n        language: en", "language: en\n        model: whisper-1"))
    with testing.cassette(path):
        assert OPERATIONS["transcription"]({"api_base": "http://localhost:9/v1"}).content
