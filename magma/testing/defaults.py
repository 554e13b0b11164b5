"""What a `Server` answers by itself: a sensible answer for each operation, by path. Pure functions."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from .others import SOUND, TRANSCRIPT, pixel, timed, vector
from .steps import Received
from .wire import Reply

_SIZE = 1536  # of text-embedding-3-small
_TYPES = {"mp3": "audio/mpeg", "opus": "audio/opus", "aac": "audio/aac", "flac": "audio/flac", "wav": "audio/wav"}


def default_answers(delta_count: int | None = None) -> Callable[[Received], Reply]:
    """A reply by path: chat completions and messages (streamed if asked), every other operation, a list of models.

    As many vectors, images, verdicts and results come as were asked for, in the encoding that was asked for; anything
    else is 404. Every reply is made once and is one write, so that a benchmark measures its client.
    """
    pieces = None if delta_count is None else ["word "] * delta_count
    content = "Hello there!" if pieces is None else pieces
    models = {"object": "list", "data": [{"id": "gpt-4o", "object": "model", "created": 1, "owned_by": "magma"}]}
    chat, chat_stream = Reply.chat().packed(), Reply.stream(content).packed()
    message, message_stream = Reply.anthropic().packed(), Reply.anthropic_stream(content).packed()
    others = {True: Reply.json(models).packed(), False: Reply.error(404).packed()}

    def answer(received: Received) -> Reply:
        if received.path.endswith("/chat/completions"):
            return chat_stream if _streamed(received) else chat
        if received.path.endswith("/messages"):
            return message_stream if _streamed(received) else message
        made = _BY_END.get(received.path.rpartition("/")[2])
        return others[received.path.endswith("/models")] if made is None else made(received)

    return answer


def _streamed(received: Received) -> bool:
    return b'"stream"' in received.body and json.loads(received.body).get("stream") is True


def _asked(received: Received) -> dict[str, Any]:
    """The request's fields, of a form too."""
    if "json" in received.headers.get("content-type", "json"):
        asked: dict[str, Any] = received.json()
        return asked
    return {
        name: values[0].decode("utf-8", "replace") for name, values in received.form().items() if len(values[0]) < 1000
    }


def _embeddings(received: Received) -> Reply:
    asked = _asked(received)
    count, size = _count(asked["input"]), asked.get("dimensions") or _SIZE
    return _vectors(count, size, asked.get("encoding_format") == "base64")


def _count(given: Any) -> int:
    """How many inputs: a list of numbers is one text's tokens."""
    return len(given) if isinstance(given, list) and given and not isinstance(given[0], int) else 1


@lru_cache(16)
def _vectors(count: int, size: int, base64: bool) -> Reply:
    vectors = [vector(number, size) for number in range(count)]
    return Reply.embedding(vectors, base64=base64, usage=(count, 0)).packed()


def _transcriptions(received: Received) -> Reply:
    return _transcript(_asked(received).get("response_format", "json"))


@lru_cache(8)
def _transcript(form: str) -> Reply:
    if form in ("text", "srt", "vtt"):
        head = {"text": "", "srt": "1\n00:00:00,000 --> 00:00:02,500\n", "vtt": "WEBVTT\n\n00:00.000 --> 00:02.500\n"}
        return Reply.text(f"{head[form]}{TRANSCRIPT}\n").packed()
    return (Reply.json(timed()) if form == "verbose_json" else Reply.transcription()).packed()


def _speech(received: Received) -> Reply:
    return _sound(_asked(received).get("response_format") or "mp3")


@lru_cache(8)
def _sound(form: str) -> Reply:
    data = (
        SOUND if form == "mp3" else b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(28) if form == "wav" else bytes(range(64))
    )
    return Reply.speech(data, content_type=_TYPES.get(form, "application/octet-stream")).packed()


def _images(received: Received) -> Reply:
    asked = _asked(received)
    inside = asked.get("response_format") == "b64_json" or "gpt-image" in str(asked.get("model"))
    return _pictures(int(asked.get("n") or 1), inside)


@lru_cache(32)
def _pictures(count: int, inside: bool) -> Reply:
    return Reply.image(b64=pixel() if inside else None, n=count).packed()


def _moderations(received: Received) -> Reply:
    return _verdicts(_count(_asked(received)["input"]))


@lru_cache(64)
def _verdicts(count: int) -> Reply:
    return Reply.moderation(n=count).packed()


def _rerank(received: Received) -> Reply:
    asked = _asked(received)
    return _ranking(len(asked["documents"]), asked.get("top_n"))


@lru_cache(64)
def _ranking(count: int, top_n: int | None) -> Reply:
    """The last document is the best."""
    return Reply.rerank([(index + 1) / (count + 1) for index in range(count)], top_n=top_n).packed()


_BY_END: dict[str, Callable[[Received], Reply]] = {
    "embeddings": _embeddings,
    "transcriptions": _transcriptions,
    "speech": _speech,
    "generations": _images,
    "edits": _images,
    "moderations": _moderations,
    "rerank": _rerank,
}
