"""`Speaker`: text to speech."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, overload

from pydantic import Field

from .._call.inline import OPENAI_LIKE
from ..contents import Audio
from ..errors import ConfigError
from ..messages import own
from ._base import Connected, Handle
from ._handle import handle

if TYPE_CHECKING:
    from .._call.answer import Answer
    from .._call.request import Request
    from .._call.stream import Stream
    from ..responses import Response


@handle
class Speaker(Connected):
    """Turns text into speech: `content` is `Audio`, bytes with `.save(path)`; with `stream=True` they come in pieces.

    >>> from magma import Speaker
    >>> Speaker("offline/echo")("Hello").consume()
    <Audio wav 16 kB>
    """

    operation: ClassVar[str] = "speech"
    model_type: ClassVar[str] = "text_to_speech"
    env_name: ClassVar[str] = "SPEAKER"
    aliases: ClassVar[Mapping[str, str]] = {"text": "input", "prompt": "input", "data": "input"}

    voice: str | None = None
    """The voice, e.g. "alloy"; None is "alloy" where the provider insists on one."""
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] | None = None
    """The format of the sound; None is the provider's, mostly mp3."""
    speed: Annotated[float, Field(ge=0.25, le=4)] | None = None
    """How fast, 0.25 to 4."""
    instructions: str | None = None
    """How to speak, in words (gpt-4o-mini-tts)."""

    if TYPE_CHECKING:

        def __init__(self, id: str | None = None, *, voice: str | None = ..., **others: Any) -> None: ...

        @overload
        def __call__(self, input: str, *, stream: Literal[False] = False, **overrides: Any) -> Response: ...
        @overload
        def __call__(self, input: str, *, stream: Literal[True], **overrides: Any) -> Stream[Response]: ...
        def __call__(self, input: str, **arguments: Any) -> Any:
            """Speaks a text; with `stream=True` a `Stream` of its bytes."""
            ...

        @overload
        async def acall(self, input: str, *, stream: Literal[False] = False, **overrides: Any) -> Response: ...
        @overload
        async def acall(self, input: str, *, stream: Literal[True], **overrides: Any) -> Stream[Response]: ...
        async def acall(self, input: str, **arguments: Any) -> Any:
            """As calling the handle, awaited."""
            ...

    else:

        def __call__(self, *args, stream=False, **arguments):
            """Speaks a text; with `stream=True` a `Stream` of its bytes."""
            return self._stream(args, arguments) if _flag(stream) else Handle.__call__(self, *args, **arguments)

        async def acall(self, *args, stream=False, **arguments):
            """As calling the handle, awaited."""
            return self._stream(args, arguments) if _flag(stream) else await Handle.acall(self, *args, **arguments)

    def _inputs(self, input: str) -> dict[str, Any]:
        """Speaks a text.

        `.content` is `Audio`: bytes, with `.save(path)`, `.format` and `.media_type`.

        Args:
            input: the text.
            stream: True gives a `Stream` at once instead, whose deltas' `.content` is bytes as they arrive.
            overrides: fields for this call only.

        Raises:
            ConfigError: no text, or something else; before anything is sent.
            ParseError: an answer without sound; `.response` holds what came.
            ModelError: the call failed; see `magma.errors` for the tree.
        """
        if not isinstance(input, str):
            raise ConfigError(f"input must be a str, not {type(input).__name__}")
        if not input.strip():
            raise ConfigError("input is an empty text: give the text to speak")
        voice = "alloy" if self.voice is None and self.provider in OPENAI_LIKE else None
        return {"input": own(input, "input"), "voice": voice}

    def _stream(self, args: tuple[Any, ...], arguments: dict[str, Any]) -> Stream[Response]:
        from .._call.stream import Stream

        me, inputs = self._settled(args, arguments)
        return Stream(me._request(inputs, stream=True), me._parse, _piece)

    def _parse(self, request: Request, answer: Answer) -> Response:
        from ..responses import Response
        from ._answers import response_of

        body = answer.body
        if isinstance(body.get("audio"), str):  # out of a cache, which holds JSON
            body["audio"] = b64decode(body["audio"])

        def read() -> Audio:
            if not isinstance(body.get("audio"), bytes) or not body["audio"]:
                raise ValueError("the answer holds no sound")
            return Audio(body["audio"], request.params.get("response_format"), body.get("media_type") or None)

        characters = len(str(request.inputs.get("input") or ""))
        return response_of(Response, request, answer, read, "audio_generation", characters=characters)


def _piece(chunk: dict[str, Any]) -> Response:
    from ..responses import Response

    return Response(content=chunk["audio"], response_type="audio_generation")


def _flag(stream: Any) -> bool:
    if not isinstance(stream, bool):
        raise ConfigError(f"stream must be True or False, not {stream!r:.80}")
    return stream
