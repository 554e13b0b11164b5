"""`Recorded`: one request of a script, as the provider would have got it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..media import File


@dataclass(frozen=True)
class Recorded:
    """One request as the provider would have got it: a copy of plain data, yours to keep.

    Files in it are `magma.media.File`s: `request.files[0].name`.
    """

    model: str
    """The id as LiteLLM spells it, e.g. "gemini/gemini-2.0-flash"."""
    inputs: dict[str, Any]
    """What belonged to this call: for chat `messages`, `tools`, `tool_choice`, `response_format`; for vectors `input`; …"""
    params: dict[str, Any]
    """What belonged to the handle, e.g. `{"temperature": 0.0}`; nothing unset."""
    operation: str = "completion"
    """The LiteLLM function."""
    stream: bool = False
    """Whether the answer was wanted in pieces."""

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages of a chat request; empty for other operations."""
        messages: list[dict[str, Any]] = self.inputs.get("messages", [])
        return messages

    @property
    def tools(self) -> list[dict[str, Any]]:
        """The tool schemas in OpenAI's shape."""
        tools: list[dict[str, Any]] = self.inputs.get("tools", [])
        return tools

    @property
    def text(self) -> str:
        """The last user text; of other operations the input, the prompt or the query, several a line each; "" without one.

        >>> Recorded("openai/x", {"input": ["one", "two"]}, {}, "embedding").text
        'one\\ntwo'
        """
        if self.operation == "completion":
            return next((text_of(message) for message in reversed(self.messages) if message["role"] == "user"), "")
        found = next((self.inputs[name] for name in ("input", "prompt", "query") if name in self.inputs), "")
        return "\n".join(one for one in (found if isinstance(found, list) else [found]) if isinstance(one, str))

    @property
    def files(self) -> list[File]:
        """The files that were sent: a recording, images, a mask."""
        from ..media import File

        values = (value if isinstance(value, list) else [value] for value in self.inputs.values())
        return [one for value in values for one in value if isinstance(one, File)]


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message, its text blocks joined by blanks."""
    content = message.get("content")
    blocks = content if isinstance(content, list) else []
    return content if isinstance(content, str) else " ".join(str(block.get("text") or "") for block in blocks)


def plain(value: Any) -> Any:
    """A deep copy in which every mapping is a dict and every sequence a list; what is frozen is not copied."""
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    config = getattr(type(value), "__struct_config__", None)  # of a File: megabytes that nobody can change
    return value if isinstance(value, (str, bytes, int, float)) or (config and config.frozen) else copy.deepcopy(value)
