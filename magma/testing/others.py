"""Bodies of the operations besides chat: vectors, transcripts, images, verdicts and rankings. Pure functions.

They are in OpenAI's shape, rankings in Cohere's; sounds are no JSON, but bytes.
"""

from __future__ import annotations

import base64 as encoding
import hashlib
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, TypedDict, Unpack

from .bodies import Json, Usage

Vectors: TypeAlias = Sequence[float] | Sequence[Sequence[float]]
"""One vector, or several."""
SOUND = b"ID3\x04\x00\x00\x00\x00\x00\x00" + b"\xff\xfb\x90\x00" + bytes(413)
"""A frame of silence as MP3."""
TRANSCRIPT = "Hello, this is a test."


class TranscriptFields(TypedDict, total=False):
    """What `transcription_body` and `Reply.transcription` take besides the text; None leaves one out."""

    words: Sequence[Mapping[str, Any]] | None
    segments: Sequence[Mapping[str, Any]] | None
    language: str | None
    duration: float | None


def embedding_body(
    vectors: Vectors = (0.25, -0.5, 0.75),
    *,
    base64: bool = False,
    usage: Usage = (2, 0),
    model: str = "text-embedding-3-small",
) -> Json:
    """An OpenAI embeddings list; with `base64` the floats are packed as its clients ask for them.

    >>> [item["embedding"] for item in embedding_body([[0.5], [1.0]], base64=True)["data"]]
    ['AAAAPw==', 'AACAPw==']
    """
    several: Sequence[Any] = vectors if vectors and isinstance(vectors[0], Sequence) else [vectors]
    data = [
        {"object": "embedding", "index": index, "embedding": packed(vector) if base64 else list(vector)}
        for index, vector in enumerate(several)
    ]
    return {"object": "list", "data": data, "model": model} | usage_of(usage)


def packed(vector: Sequence[float]) -> str:
    """A vector as base64 of 32-bit floats."""
    return encoding.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def vector(number: int, size: int = 1536) -> list[float]:
    """The vector of this number: always the same, and the same in 32 bits.

    >>> vector(0, 2), vector(1, 2)
    ([-0.88763427734375, -0.379119873046875], [-0.625640869140625, -0.3956298828125])
    """
    digest = hashlib.shake_128(str(number).encode()).digest(size * 2)
    return [value / 32768 for value in struct.unpack(f"<{size}h", digest)]


def transcription_body(text: str = TRANSCRIPT, **parts: Unpack[TranscriptFields]) -> Json:
    """An OpenAI transcription, the verbose one where more than the text is given.

    >>> transcription_body("Hi", language="english")
    {'text': 'Hi', 'language': 'english'}
    """
    return {"text": text} | {name: value for name, value in parts.items() if value is not None}


def timed(text: str = TRANSCRIPT) -> Json:
    """The verbose transcription of a text in which each word takes half a second.

    >>> timed("Hi you")["words"][1]
    {'word': 'you', 'start': 0.5, 'end': 1.0}
    """
    words = [{"word": word, "start": at / 2, "end": (at + 1) / 2} for at, word in enumerate(text.split())]
    duration = len(words) / 2
    segment = {"id": 0, "start": 0.0, "end": duration, "text": text}
    return transcription_body(text, words=words, segments=[segment], language="english", duration=duration)


def image_body(
    url: str | None = None,
    *,
    b64: str | bytes | None = None,
    n: int = 1,
    revised_prompt: str | None = None,
    usage: Usage = None,
) -> Json:
    """OpenAI's answer of `n` images: at a URL, or with `b64` (bytes, or base64 text) inside.

    >>> image_body("https://example.com/cat.png")["data"]
    [{'url': 'https://example.com/cat.png'}]
    """
    revised = {} if revised_prompt is None else {"revised_prompt": revised_prompt}
    if b64 is None:
        item = {"url": url or "https://example.com/image.png"}
    else:
        item = {"b64_json": encoding.b64encode(b64).decode() if isinstance(b64, bytes) else b64}
    return {"created": 1_700_000_000, "data": [item | revised] * n} | usage_of(usage, "input_tokens", "output_tokens")


def pixel(colour: tuple[int, int, int] = (255, 0, 0)) -> bytes:
    """A PNG of one pixel.

    >>> pixel()[:8]
    b'\\x89PNG\\r\\n\\x1a\\n'
    """
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0" + bytes(colour))),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def moderation_body(flagged: bool | Sequence[bool | Mapping[str, Any]] = False, *, n: int = 1) -> Json:
    """OpenAI's verdicts on `n` texts, or on as many as `flagged` has; a mapping says more than whether it is flagged.

    >>> [result["flagged"] for result in moderation_body([True, {"violence": 0.9}, False])["results"]]
    [True, True, False]
    """
    each = [flagged] * n if isinstance(flagged, bool) else flagged
    return {"id": "modr-1", "model": "omni-moderation-latest", "results": [verdict(one) for one in each]}


def verdict(told: bool | Mapping[str, Any]) -> Json:
    """One verdict: flagged or not, or by category a bool or a score, which flags from 0.5 on.

    >>> verdict({"flagged": True, "categories": {"hate": True}})["category_scores"]
    {'hate': 0.99}
    """
    if isinstance(told, bool):
        told = {"violence": told}
    scores = told.get("category_scores", told.get("scores"))
    named = "flagged" in told or "categories" in told
    categories: Mapping[str, Any] = told.get("categories", {}) if named else told
    by_category = {name: bool(value is True or value >= 0.5) for name, value in categories.items()}
    if scores is None:
        scores = {
            name: (0.99 if value else 0.01) if isinstance(value, bool) else float(value)
            for name, value in categories.items()
        }
    flagged = told["flagged"] if "flagged" in told else any(by_category.values())
    return {"flagged": flagged, "categories": by_category, "category_scores": dict(scores)}


def rerank_body(scores: Sequence[float] = (0.1, 0.9), *, top_n: int | None = None) -> Json:
    """Cohere's ranking, best first; `scores` are in the order of the documents.

    >>> [result["index"] for result in rerank_body([0.1, 0.9, 0.5], top_n=2)["results"]]
    [1, 2]
    """
    best = sorted(range(len(scores)), key=lambda index: (-scores[index], index))[:top_n]
    results = [{"index": index, "relevance_score": scores[index]} for index in best]
    return {"id": "rerank-1", "results": results, "meta": {"billed_units": {"search_units": 1}}}


def usage_of(usage: Usage, *names: str) -> Json:
    """`{"usage": …}` of (tokens in, tokens out), or of the provider's own object; {} for None."""
    if usage is None:
        return {}
    if isinstance(usage, Mapping):
        return {"usage": dict(usage)}
    counted = dict(zip(names, usage, strict=True)) if names else {"prompt_tokens": usage[0]}
    return {"usage": {**counted, "total_tokens": sum(usage)}}
