"""What `.content` of a response can be beside text: a sound, a picture, a transcript.

Each is the plain value that one would expect (bytes, a URL, a text) and knows a little more. All pickle.
"""

from __future__ import annotations

import builtins
import os
import pathlib
import secrets
import stat
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from . import media, media_types
from .errors import ConfigError

S = TypeVar("S", bound=msgspec.Struct)


class Audio(bytes):
    """Sound: the bytes of a file.

    >>> Audio(b"ID3" + bytes(12_300)), Audio(b"ID3").media_type
    (<Audio mp3 12.3 kB>, 'audio/mpeg')
    """

    format: str | None
    """"mp3", "wav", "opus", …: as told, else by the first bytes; None when neither says it."""
    media_type: str
    """E.g. "audio/mpeg"."""

    def __new__(cls, data: Any = b"", format: str | None = None, media_type: str | None = None) -> Audio:
        """Sound of these bytes; `format` and `media_type` are as the provider told them."""
        self = super().__new__(cls, data)
        seen = media_types.sniff(self)
        named = media_types.guess(f"a.{format}") if format else None
        self.media_type = media_type or named or seen or "application/octet-stream"
        known = media_type or seen
        self.format = format or (media_types.extension_of(known) if known else None)
        return self

    def save(self, path: str | os.PathLike[str]) -> pathlib.Path:
        """Writes the file and returns its path; an existing file is replaced, whole or not at all.

        Raises:
            ConfigError: a directory, or a place that cannot be written.
        """
        return _save(self, path)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return type(self), (bytes(self), self.format, self.media_type)

    def __repr__(self) -> str:
        return f"<Audio {self.format + ' ' if self.format else ''}{media.size_of(len(self))}>"


class Image(str):
    """A picture: its URL, or a data URL that holds it.

    >>> Image("https://example.com/a.png?sig=1"), str(Image("https://example.com/a.png"))
    (<Image https://example.com/a.png>, 'https://example.com/a.png')
    """

    __slots__ = ("revised_prompt",)

    revised_prompt: str | None
    """The prompt as the provider rewrote it, None where it did not."""

    def __new__(cls, url: str, *, revised_prompt: str | None = None) -> Image:
        """The picture at a URL or in a data URL."""
        self = super().__new__(cls, url)
        self.revised_prompt = revised_prompt
        return self

    @classmethod
    def from_base64(cls, text: str, *, media_type: str | None = None, revised_prompt: str | None = None) -> Image:
        """The picture in a base64 text; its type is told by its first bytes, else `media_type`.

        Raises:
            ConfigError: no valid base64.
        """
        data, _ = media.read_data_url(f"data:;base64,{text}")
        told = media_types.sniff(data) or media_type or "image/png"
        return cls(f"data:{told};base64,{text}", revised_prompt=revised_prompt)

    @property
    def media_type(self) -> str | None:
        """Of a data URL, e.g. "image/png"; None for a URL."""
        return self[5:].partition(",")[0].partition(";")[0].lower() or None if self._inline else None

    @property
    def _inline(self) -> bool:
        return self[:5].lower() == "data:"

    def bytes(self, *, most: int = media.LIMITS["video"], timeout: float = 60.0) -> builtins.bytes:
        """The picture itself: decoded from a data URL, else downloaded, at most `most` bytes in `timeout` seconds.

        Raises:
            ConfigError: a broken data URL, no http(s) URL, too large, or MAGMA_ALLOW_REQUESTS=0.
            ModelError: the download failed.
        """
        if self._inline:
            return media.read_data_url(str(self), most=most)[0]
        return media.fetch(str(self), most=most, timeout=timeout)

    def save(self, path: str | os.PathLike[str]) -> pathlib.Path:
        """Writes the picture to a file and returns its path; see `bytes` and `Audio.save`."""
        return _save(self.bytes(), path)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return _image, (str(self), self.revised_prompt)

    def __repr__(self) -> str:
        if not self._inline:
            return f"<Image {media.shown(self)}>"
        size = len(self.partition(",")[2]) * 3 // 4
        return f"<Image {media_types.extension_of(self.media_type or '')} {media.size_of(size)}>"


def _image(url: str, revised_prompt: str | None) -> Image:
    return Image(url, revised_prompt=revised_prompt)


class Word(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A word of a transcript."""

    word: str
    """The word."""
    start: float | None = None
    """Seconds from the beginning of the recording."""
    end: float | None = None
    """Seconds from the beginning of the recording."""
    speaker: str | None = None
    """Who speaks, where the provider tells speakers apart."""


class Segment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A stretch of a transcript."""

    id: int | str | None = None
    """The provider's number of the segment."""
    start: float | None = None
    """Seconds from the beginning of the recording."""
    end: float | None = None
    """Seconds from the beginning of the recording."""
    text: str = ""
    """What was said."""
    speaker: str | None = None
    """Who speaks, where the provider tells speakers apart."""
    temperature: float | None = None
    """The temperature that it was sampled with."""
    avg_logprob: float | None = None
    """Mean log probability of its tokens; below -1 it is doubtful."""
    compression_ratio: float | None = None
    """Above 2.4 the text repeats itself."""
    no_speech_prob: float | None = None
    """The probability that nobody speaks."""


class Transcript(str):
    """What was said: the text, which also knows words, segments, language and duration where the provider told them.

    >>> said = Transcript("Hello.", words=[{"word": "Hello", "start": 0, "end": 0.5}], language="en")
    >>> said == "Hello.", said.words, said.segments
    (True, (Word(word='Hello', start=0.0, end=0.5, speaker=None),), None)
    """

    __slots__ = ("duration", "language", "segments", "words")

    words: tuple[Word, ...] | None
    """Each word with its time in seconds; None when not given."""
    segments: tuple[Segment, ...] | None
    """Each segment with its time in seconds; None when not given."""
    language: str | None
    """The language, in the provider's spelling ("en" or "english"); None when not given."""
    duration: float | None
    """Seconds of the recording; None when not given."""

    def __new__(
        cls,
        text: str = "",
        *,
        words: Iterable[Word | Mapping[str, Any]] | None = None,
        segments: Iterable[Segment | Mapping[str, Any]] | None = None,
        language: str | None = None,
        duration: float | str | None = None,
    ) -> Transcript:
        """A transcript of these parts; words and segments may be dicts in OpenAI's shape, where odd values are left out."""
        self = super().__new__(cls, text)
        self.words = None if words is None else tuple(filter(None, (_struct(Word, one) for one in words)))
        self.segments = None if segments is None else tuple(filter(None, (_struct(Segment, one) for one in segments)))
        self.language = language
        self.duration = None if duration is None else _lenient(duration, float | None)
        return self

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return _transcript, (str(self), self.words, self.segments, self.language, self.duration)


def _transcript(text: str, words: Any, segments: Any, language: Any, duration: Any) -> Transcript:
    return Transcript(text, words=words, segments=segments, language=language, duration=duration)


def _struct(kind: type[S], told: Any) -> S | None:
    """A provider's dict as a struct: values of the wrong type are left out, and what is no word at all is None."""
    if isinstance(told, kind):
        return told
    if not isinstance(told, Mapping):
        return None
    fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
    given = {name: _lenient(told.get(name), type_) for name, type_ in fields.items()}
    try:
        return msgspec.convert({name: value for name, value in given.items() if value is not None}, kind)
    except msgspec.ValidationError:
        return None


def _lenient(value: Any, kind: Any) -> Any:
    """`value` as that type ("8.47" is a number, 1 a speaker's name too), else None."""
    if isinstance(value, int) and not isinstance(value, bool) and kind == (str | None):
        return str(value)
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError:
        return None


def _save(data: bytes, path: str | os.PathLike[str]) -> pathlib.Path:
    """Writes beside the target and moves it there, so that nobody reads half a file."""
    try:
        target = pathlib.Path(path)
        real = pathlib.Path(os.path.realpath(target))
        if real.is_dir():
            raise ConfigError(f"{str(target)!r:.80} is a directory: give the name of a file in it")
        if real.exists() and not stat.S_ISREG(real.stat().st_mode):
            real.write_bytes(data)  # a device or a pipe is written to, not replaced
            return target
        beside = real.with_name(f".magma-{secrets.token_hex(8)}")
        try:
            beside.write_bytes(data)
            beside.replace(real)
        finally:
            beside.unlink(missing_ok=True)
    except (OSError, ValueError, TypeError) as error:
        if isinstance(error, ConfigError):
            raise
        why = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path!r:.80} cannot be written ({why}): give a path in an existing directory") from None
    return target
