"""What makes a stream's deltas where the text is not just the provider's: behind a prefilling, out of a tool's arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ..responses import Generation
from ._mode import TOOL_NAME


def joined(prefilling: str, text: str) -> str:
    """The text with its beginning, once: some providers repeat it, some go on from it."""
    begun = prefilling.rstrip()
    if text.startswith(begun):
        return text
    if text.lstrip().startswith(begun):
        return text.lstrip()
    return (begun if text[:1].isspace() else prefilling) + text


class Prefilled:
    """Makes deltas that begin with the prefilling, whether or not the provider repeats it."""

    def __init__(self, delta: Callable[[dict[str, Any]], Any], prefilling: str) -> None:
        self._delta, self._prefilling = delta, prefilling
        self._held = ""
        self._begun = False

    def __call__(self, chunk: dict[str, Any]) -> Any:
        made = self._delta(chunk)
        if self._begun:
            return made
        ended = any(choice.get("finish_reason") for choice in chunk.get("choices") or ())
        self._held += made.content if made is not None else ""
        start = self._prefilling.rstrip()
        if not ended and (not self._held.strip() or start.startswith(self._held.lstrip())):
            if made is not None and (made.reasoning or made.tool_calls):
                return msgspec.structs.replace(made, content="")
            return None  # it may be repeating the prefilling
        self._begun = True
        whole = joined(self._prefilling, self._held)
        first = start if whole.startswith(start) and whole != self._prefilling + self._held else self._prefilling
        told = made if made is not None else Generation(raw=chunk)
        pieces = [msgspec.structs.replace(told, content=first, reasoning=None, tool_calls=())]
        if rest := whole[len(first) :]:
            pieces.append(msgspec.structs.replace(told, content=rest))
        return pieces


class ToolAsText:
    """Makes text deltas of the arguments of the schema's tool."""

    def __init__(self, delta: Callable[[dict[str, Any]], Generation | None]) -> None:
        self._delta, self._current = delta, ""

    def __call__(self, chunk: dict[str, Any]) -> Generation | None:
        made = self._delta(chunk)
        if made is None or not made.tool_calls:
            return made
        text, others = made.content, []
        for call in made.tool_calls:
            self._current = call.name or self._current
            if self._current == TOOL_NAME:
                text += call.raw
            else:
                others.append(call)
        kind = "tool_call" if others else "text_generation"
        return msgspec.structs.replace(made, content=text, tool_calls=tuple(others), response_type=kind)
