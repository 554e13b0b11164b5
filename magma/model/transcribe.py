"""`Transcriber`: speech to text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from ..contents import Transcript
from ..errors import ConfigError
from ._answers import uploaded
from ._base import Connected
from ._handle import handle

if TYPE_CHECKING:
    from .._call.answer import Answer
    from .._call.request import Request
    from ..responses import Response

_PLAIN = ("text", "srt", "vtt")


@handle
class Transcriber(Connected):
    """Turns speech into text: a path, bytes, an open file, a data URL or a URL, which is fetched.

    >>> from magma import Transcriber
    >>> Transcriber("offline/echo")(b"RIFF\\x00\\x00\\x00\\x00WAVEfmt ").consume()
    'audio.wav: 16 bytes of sound'
    """

    operation: ClassVar[str] = "transcription"
    model_type: ClassVar[str] = "speech_to_text"
    env_name: ClassVar[str] = "TRANSCRIBER"
    aliases: ClassVar[Mapping[str, str]] = {"audio": "file", "data": "file"}

    language: str | None = None
    """The language spoken, as ISO 639-1 ("en"); None lets the model find out."""
    prompt: str | None = None
    """Words and spellings that the model should expect."""
    response_format: Literal["json", "text", "srt", "verbose_json", "vtt", "diarized_json"] | None = None
    """How the provider answers; "srt" and "vtt" give subtitles as the text."""
    timestamp_granularities: tuple[Literal["word", "segment"], ...] | None = None
    """("word", "segment"): fills `.words` and `.segments` of the transcript; asks for "verbose_json"."""
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    """Randomness, 0 to 1; None is the provider's default."""

    if TYPE_CHECKING:

        def __init__(self, id: str | None = None, *, language: str | None = ..., **others: Any) -> None: ...

        def __call__(self, file: Any, **overrides: Any) -> Response:
            """Transcribes a recording."""
            ...

        async def acall(self, file: Any, **overrides: Any) -> Response:
            """As calling the handle, awaited."""
            ...

    def _inputs(self, file: Any) -> dict[str, Any]:
        """Transcribes a recording.

        `.content` is a `Transcript`: the text, with `.words`, `.segments` (times in seconds), `.language` and `.duration`
        where the provider tells them.

        Args:
            file: a path, bytes, open file, data URL or URL (which is fetched) of at most 25 MB.
            overrides: fields for this call only.

        Raises:
            ConfigError: no file, an empty or too large one, one that is no sound, or a format without timestamps; before anything is sent.
            ParseError: an answer without a text; `.response` holds what came.
            ModelError: the call failed; see `magma.errors` for the tree.
        """
        inputs = {"file": uploaded(file, "audio")}
        if self.timestamp_granularities and self.response_format in _PLAIN:
            raise ConfigError(f"response_format={self.response_format!r} has no timestamps; use 'verbose_json'")
        if self.timestamp_granularities and self.response_format is None:
            return {**inputs, "response_format": "verbose_json"}
        return inputs

    def _parse(self, request: Request, answer: Answer) -> Response:
        from ..responses import Response
        from ._answers import response_of

        body = answer.body

        def read() -> Transcript:
            text = body.get("text")
            if not isinstance(text, str):
                raise ValueError(f"the answer has no text, but {sorted(body)}")
            lists = {name: told for name in ("words", "segments") if isinstance(told := body.get(name), list)}
            language = body.get("language")
            return Transcript(
                text, **lists, language=language if isinstance(language, str) else None, duration=duration
            )

        duration = None if isinstance(body.get("duration"), bool) else body.get("duration")
        seconds = Transcript(duration=duration).duration  # whisper tells it as a text
        if seconds is not None and not 0 <= seconds < math.inf:
            seconds = None
        return response_of(Response, request, answer, read, "transcription", seconds=seconds)
