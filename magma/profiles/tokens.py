"""What messages hold, and how long they are in tokens: counted from characters, for no tokenizer is loaded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

HOW = (
    "counted from characters, without the model's tokenizer: 4 letters a token, 2 digits or signs, 2.5 of text without "
    "spaces, 1.5 of other scripts, 4 tokens a message, 800 an image; the range is what such texts have with cl100k_base"
)

# Characters that make a token (low, likely, high count), by kind of text; the ends hold for prose in ten scripts, code,
# JSON, numbers, emoji, base64 and blanks as cl100k_base counts them.
_WEIGHTS = {
    "letter": (6.5, 4.0, 2.5),
    "sign": (4.0, 2.0, 1.0),
    "dense": (6.0, 2.5, 1.2),
    "other": (3.5, 1.5, 1 / 3),
    "run": (150.0, 16.0, 4.0),
}
_MESSAGE, _IMAGE = (3, 4, 10), (85, 800, 2500)  # tokens
_RUN, _BLANKS = re.compile(r"(.)\1{7,}", re.DOTALL), re.compile(r"\s+")
_DENSE = re.compile(r"[!-~]{40,}")
_LETTERS, _SIGNS = re.compile(r"[A-Za-z ]"), re.compile(r"[!-@\[-`{-~]")
_BLOCKS = {
    "image_url": "image",
    "image": "image",
    "input_image": "image",
    "input_audio": "audio",
    "audio": "audio",
    "audio_url": "audio",
    "video_url": "video",
    "video": "video",
    "file": "file",
    "input_file": "file",
    "document": "file",
}


def _blocks(messages: Sequence[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    for message in messages:
        content = message.get("content")
        for block in content if isinstance(content, (list, tuple)) else ():
            if isinstance(block, Mapping):
                yield block


def kinds_of(messages: Sequence[Mapping[str, Any]]) -> set[str]:
    """The modalities that messages hold: text, image, audio, video, pdf, file.

    >>> sorted(kinds_of([{"role": "user", "content": [{"type": "input_audio"}]}]))
    ['audio', 'text']
    """
    found = {"text"}
    for block in _blocks(messages):
        kind = _BLOCKS.get(str(block.get("type")))
        if kind == "file" and "pdf" in _head(block):
            kind = "pdf"
        if kind:
            found.add(kind)
    return found


def _head(value: Any) -> str:
    """The beginnings of all texts in a block, where names and media types stand."""
    if isinstance(value, Mapping):
        return " ".join(_head(item) for item in value.values())
    return value[:200].lower() if isinstance(value, str) else ""


def estimate(messages: Sequence[Mapping[str, Any]], tools: Any = None, schema: Any = None) -> tuple[int, int, int]:
    """The lowest, likely and highest number of tokens of a prompt; audio, video and files are not in it.

    >>> estimate([{"role": "user", "content": "The quick brown fox jumps over the lazy dog."}])
    (10, 15, 28)
    """
    texts = [text for message in messages for text in _texts(message)]
    texts += [msgspec.json.encode(part, enc_hook=repr).decode() for part in (tools, schema) if part]
    images = sum(1 for block in _blocks(messages) if _BLOCKS.get(str(block.get("type"))) == "image")
    kinds = _characters("\n".join(texts))
    low, likely, high = (
        round(
            sum(number / _WEIGHTS[kind][at] for kind, number in kinds.items())
            + len(messages) * _MESSAGE[at]
            + images * _IMAGE[at]
        )
        for at in range(3)
    )
    return low, likely, high


def _characters(text: str) -> dict[str, int]:
    """How many characters of each kind there are."""
    found = {}
    for kind, pattern in (("run", _RUN), ("dense", _DENSE)):
        rest = pattern.sub(" ", text)
        found[kind], text = len(text) - len(rest), rest
    text = _BLANKS.sub(" ", text)
    for kind, pattern in (("letter", _LETTERS), ("sign", _SIGNS)):
        rest = pattern.sub("", text)
        found[kind], text = len(text) - len(rest), rest
    return {**found, "other": len(text)}


def _texts(message: Mapping[str, Any]) -> Iterable[str]:
    content = message.get("content")
    if isinstance(content, str):
        yield content
    for block in _blocks([message]):
        if isinstance(block.get("text"), str):
            yield block["text"]
    if message.get("tool_calls"):
        yield msgspec.json.encode(message["tool_calls"], enc_hook=repr).decode()
