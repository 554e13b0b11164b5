"""Messages and their parts, spelt short: `UserMessage("Hi")`, `ChatBlock.image("photo.jpg")`.

They are dicts in OpenAI's shape and nothing more; `magma.messages` checks them, as it checks any dict.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from . import media
from .errors import ConfigError

Block = dict[str, Any]


class Message(dict[str, Any]):
    """One message of a chat, a dict `{"role": …, "content": …}` with both as attributes.

    >>> message = Message("user", "Hi", name="Ada")
    >>> message.role, message["name"], message == {"role": "user", "content": "Hi", "name": "Ada"}
    ('user', 'Ada', True)
    """

    _typed: ClassVar[tuple[str, ...]] = ("role", "content")  # what its repr gives by position

    def __init__(self, role: str, content: Any, **others: Any) -> None:
        super().__init__(role=role, content=content, **others)

    @property
    def role(self) -> str:
        """Who speaks: system, developer, user, assistant or tool."""
        return str(self["role"])

    @property
    def content(self) -> Any:
        """The text, or a list of blocks; None for an assistant that only calls tools."""
        return self["content"]

    def __repr__(self) -> str:
        first = [_shown(self.get(name)) for name in self._typed]
        others = [f"{name}={_shown(value)}" for name, value in self.items() if name not in ("role", *self._typed)]
        return f"{type(self).__name__}({', '.join([*first, *others])})"


class SystemMessage(Message):
    """What the model is told to be.

    >>> SystemMessage("Be brief.")
    SystemMessage('Be brief.')
    """

    _typed = ("content",)

    def __init__(self, content: Any, **others: Any) -> None:
        super().__init__("system", content, **others)


class UserMessage(Message):
    """What the user says, with pictures, sounds, films or files where `media` gives their blocks.

    >>> UserMessage("Hi") == {"role": "user", "content": "Hi"}
    True
    >>> UserMessage("What is this?", media=ChatBlock.image("https://example.com/a.png")).content[1]["type"]
    'image_url'

    Raises:
        ConfigError: `media` is no block, nor a list of them.
    """

    _typed = ("content",)

    def __init__(self, content: Any = None, media: Any = None, **others: Any) -> None:
        super().__init__("user", content if media is None else [*_parts(content), *_blocks(media)], **others)


class AssistantMessage(Message):
    """What the model said, and the tools that it called.

    >>> AssistantMessage("Hello!")
    AssistantMessage('Hello!')
    """

    _typed = ("content",)

    def __init__(self, content: Any = None, tool_calls: Sequence[Any] | None = None, **others: Any) -> None:
        """`tool_calls` are `ToolCall`s or dicts; arguments given as a dict become the JSON text that providers take."""
        if tool_calls:
            others["tool_calls"] = [_call(call) for call in tool_calls]
        super().__init__("assistant", content, **others)


class ToolMessage(Message):
    """What a tool returned.

    >>> ToolMessage("22 degrees", tool_call_id="call_1")
    ToolMessage('22 degrees', tool_call_id='call_1')
    """

    _typed = ("content",)

    def __init__(self, content: Any, tool_call_id: str, **others: Any) -> None:
        super().__init__("tool", content, tool_call_id=tool_call_id, **others)


class ChatBlock:
    """Messages and blocks, made by name.

    >>> ChatBlock.user("What is this?", media=[ChatBlock.image("https://example.com/a.png", detail="low")])
    UserMessage([{'type': 'text', 'text': 'What is this?'}, {'type': 'image_url', 'image_url': {'url': ...}}])

    A `source` is a path, bytes, an open binary file, a data URL, or a URL, which the provider reads itself.
    """

    @staticmethod
    def system(text: str, **others: Any) -> SystemMessage:
        """A system message."""
        return SystemMessage(text, **others)

    @staticmethod
    def user(text: Any = None, media: Any = None, **others: Any) -> UserMessage:
        """A user message; `media` is one block or a list of blocks, which follow the text."""
        return UserMessage(text, media=media, **others)

    @staticmethod
    def assistant(text: Any = None, tool_calls: Sequence[Any] | None = None, **others: Any) -> AssistantMessage:
        """An assistant message."""
        return AssistantMessage(text, tool_calls=tool_calls, **others)

    @staticmethod
    def tool(content: Any, tool_call_id: str, **others: Any) -> ToolMessage:
        """The result of a tool call."""
        return ToolMessage(content, tool_call_id, **others)

    @staticmethod
    def text(text: str) -> Block:
        """A text block."""
        return {"type": "text", "text": text}

    @staticmethod
    def image(source: Any, detail: str | None = None) -> Block:
        """A picture; `detail` is "low", "high" or "auto", for providers that know it.

        Raises:
            ConfigError: no such file, no picture, too large (20 MB).
        """
        url = media.load(source, what="image").data_url()
        return {"type": "image_url", "image_url": {"url": url} if detail is None else {"url": url, "detail": detail}}

    @staticmethod
    def audio(source: Any) -> Block:
        """A recording: bytes as an input_audio block, a URL as a file block (see `ChatBlock.video`).

        Raises:
            ConfigError: no such file, no audio, too large (25 MB).
        """
        file = media.load(source, what="audio")
        if file.data is None:
            return _file_block(file)
        return {"type": "input_audio", "input_audio": {"data": file.base64(), "format": file.extension}}

    @staticmethod
    def video(source: Any) -> Block:
        """A film, as a file block.

        LiteLLM makes of it what Gemini and vLLM take; a video_url block it silently leaves out for Gemini. Where a
        server knows nothing but video_url, write `{"type": "video_url", "video_url": {"url": …}}`.

        Raises:
            ConfigError: no such file, no film, too large (100 MB).
        """
        return _file_block(media.load(source, what="video"))

    @staticmethod
    def file(source: Any, name: str | None = None) -> Block:
        """A document, such as a PDF, under the given name or its own.

        Raises:
            ConfigError: no such file, empty, too large (50 MB).
        """
        return _file_block(media.load(source, what="file"), name)


def _file_block(file: media.File, name: str | None = None) -> Block:
    """A file in the keys that LiteLLM reads; there `file_id` is a URL, too.

    `format` is only said of sounds and films: Gemini wants it, but it makes LiteLLM take a document's URL for the id
    of an uploaded file (Anthropic).
    """
    if file.data is None:
        timed = file.media_type.startswith(("audio/", "video/"))
        extras = {"format": file.media_type if timed else None, "filename": name}
        return {"type": "file", "file": {"file_id": file.url} | {key: value for key, value in extras.items() if value}}
    return {"type": "file", "file": {"file_data": file.data_url(), "filename": name or file.name}}


def _parts(content: Any) -> list[Any]:
    """A message's content as blocks; an empty text beside media is none."""
    if isinstance(content, str) or content is None:
        return [ChatBlock.text(content)] if content else []
    return list(content) if isinstance(content, (list, tuple)) else [content]


def _blocks(media: Any) -> list[Any]:
    """`media` as a list of blocks, whatever is no block refused while it is clear who gave it."""
    blocks = [media] if isinstance(media, Mapping) or not isinstance(media, (list, tuple)) else list(media)
    for block in blocks:
        if not isinstance(block, Mapping) or "type" not in block:
            raise ConfigError(f"media must be blocks such as ChatBlock.image(…), not {block!r:.80}")
    return blocks


def _call(call: Any) -> Any:
    """A tool call as a dict in the wire shape."""
    made = call.to_message() if callable(getattr(call, "to_message", None)) else call
    function = made.get("function") if isinstance(made, Mapping) else None
    if isinstance(function, Mapping) and isinstance(function.get("arguments"), Mapping):
        try:
            text = json.dumps(dict(function["arguments"]), ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise ConfigError(
                f"the arguments of a tool call are no JSON ({error}); give str, numbers, lists, dicts"
            ) from None
        return {**made, "function": {**function, "arguments": text}}
    return made


def _shown(value: Any) -> str:
    """A repr in which no text, such as a data URL, runs to pages."""
    if isinstance(value, str):
        return repr(value if len(value) <= 200 else f"{value[:60]}…")
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name!r}: {_shown(item)}" for name, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return f"{value!r:.200}"
