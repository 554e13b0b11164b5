"""From a stream's chunks to the whole answer: text, thinking, tool calls, usage, finish_reason."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from .answer import Answer
from .chunks import Chunk, carries

_TEXTS = ("content", "reasoning_content", "reasoning", "refusal")


class Assembly:
    """Collects the chunks of one streamed answer, whose call began at `began` on the monotonic clock."""

    def __init__(self, began: float = 0.0) -> None:
        self._started = began
        self.first_token: float | None = None
        self.count = 0
        self.usage: dict[str, Any] | None = None
        self.head: dict[str, Any] = {}
        self.choices: dict[int, _Choice] = {}

    @property
    def began(self) -> bool:
        """Whether anything has reached the caller."""
        return self.count > 0

    def add(self, chunk: Chunk) -> None:
        """Takes a chunk in."""
        if carries(chunk):
            if not self.count:
                self.first_token = time.monotonic() - self._started
            self.count += 1
        if not self.head.get("id"):
            self.head = {name: chunk[name] for name in ("id", "model", "created", "service_tier") if chunk.get(name)}
        usage = chunk.get("usage")
        if usage:
            given = {name: value for name, value in usage.items() if value or name not in (self.usage or {})}
            self.usage = {**(self.usage or {}), **given}
        for choice in chunk.get("choices") or ():
            index = choice.get("index") or 0
            found = self.choices.get(index)
            if found is None:
                found = self.choices[index] = _Choice()
            found.add(choice)

    def answer(self, end: Answer | None = None) -> Answer:
        """The answer in the shape of an unstreamed one; without its `end` it is only what had arrived."""
        choices = [{"index": index, **choice.whole()} for index, choice in sorted(self.choices.items())]
        body = {
            **self.head,
            "object": "chat.completion",
            "choices": choices or [{"message": {"content": ""}}],
            "usage": self.usage,
        }
        end = end or Answer(body={}, complete=False)
        return msgspec.structs.replace(end, body=body, first_token=self.first_token)


class Sound:
    """Collects the pieces of a streamed speech; the same to its users as an `Assembly`."""

    def __init__(self, began: float = 0.0) -> None:
        self._started = began
        self._pieces: list[bytes] = []
        self.first_token: float | None = None

    @property
    def began(self) -> bool:
        """Whether anything has reached the caller."""
        return bool(self._pieces)

    def add(self, chunk: Chunk) -> None:
        """Takes a piece in."""
        if not self._pieces:
            self.first_token = time.monotonic() - self._started
        self._pieces.append(chunk["audio"])

    def answer(self, end: Answer | None = None) -> Answer:
        """The answer in the shape of an unstreamed one; without its `end` it is only what had arrived."""
        end = end or Answer(body={}, complete=False)
        return msgspec.structs.replace(
            end, body={**end.body, "audio": b"".join(self._pieces)}, first_token=self.first_token
        )


def assembly_of(operation: str, began: float) -> Assembly | Sound:
    """What collects a stream of this operation."""
    return Sound(began) if operation == "speech" else Assembly(began)


class _Choice:
    """One choice of the answer (there is one, unless `n` was asked for)."""

    def __init__(self) -> None:
        self.texts: dict[str, list[str]] = {}
        self.calls: list[dict[str, Any]] = []
        self.blocks: list[dict[str, Any]] = []
        self.others: dict[str, Any] = {}
        self.end: dict[str, Any] = {"finish_reason": None}

    def add(self, choice: dict[str, Any]) -> None:
        if choice.get("finish_reason") is not None:
            self.end["finish_reason"] = choice["finish_reason"]
        if choice.get("logprobs"):
            self._add_logprobs(choice["logprobs"])
        for name, value in (choice.get("delta") or {}).items():
            if value is None or name == "role":
                continue
            if name in _TEXTS and isinstance(value, str):
                self.texts.setdefault(name, []).append(value)
            elif name == "tool_calls":
                for part in value:
                    self._add_call(part)
            elif name == "thinking_blocks":
                for block in value:
                    self._add_block(block)
            else:
                self.others[name] = value

    def _add_logprobs(self, logprobs: dict[str, Any]) -> None:
        whole = self.end.setdefault("logprobs", {})
        for name, values in logprobs.items():
            whole[name] = (whole.get(name) or []) + values if isinstance(values, list) else values

    def _add_call(self, part: dict[str, Any]) -> None:
        """A piece of a tool call: it belongs to its index; without one, a new id or name begins a new call."""
        function = part.get("function") or {}
        call = self._call_of(part, function)
        if part.get("id"):
            call["id"] = part["id"]
        for name in ("name", "arguments"):
            value = function.get(name)
            if isinstance(value, dict):
                value = msgspec.json.encode(value).decode()
            if value and name == "arguments":
                call["function"][name].append(value)
            elif value and not call["function"][name]:
                call["function"][name] = value
        extras = {
            name: value for name, value in part.items() if name not in ("id", "index", "type", "function") and value
        }
        call.update(extras)

    def _call_of(self, part: dict[str, Any], function: dict[str, Any]) -> dict[str, Any]:
        index = part.get("index")
        if index is None:
            same = [call for call in self.calls if part.get("id") and call["id"] == part["id"]]
            if same or (self.calls and not part.get("id") and not function.get("name")):
                return same[0] if same else self.calls[-1]
        else:
            for call in self.calls:
                if call["index"] == index and not (part.get("id") and call["id"] and part["id"] != call["id"]):
                    return call
        call = {"index": index, "id": None, "type": "function", "function": {"name": "", "arguments": []}}
        self.calls.append(call)
        return call

    def _add_block(self, block: dict[str, Any]) -> None:
        """A piece of a thinking block: its signature ends it."""
        last = self.blocks[-1] if self.blocks else None
        if last is None or last.get("signature") or last.get("type") != block.get("type"):
            last = {name: value for name, value in block.items() if value is not None}
            self.blocks.append(last)
            return
        for name in ("thinking", "data"):
            if block.get(name):
                last[name] = (last.get(name) or "") + block[name]
        if block.get("signature"):
            last["signature"] = block["signature"]

    def whole(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": None, **self.others}
        message |= {name: "".join(pieces) for name, pieces in self.texts.items()}
        if self.calls:
            calls = sorted(self.calls, key=lambda call: call["index"] if call["index"] is not None else 1 << 30)
            message["tool_calls"] = [_whole_call(call) for call in calls]
        if self.blocks:
            message["thinking_blocks"] = self.blocks
        return {"message": message, **self.end}


def _whole_call(call: dict[str, Any]) -> dict[str, Any]:
    function = {**call["function"], "arguments": "".join(call["function"]["arguments"])}
    return {name: value for name, value in call.items() if name != "index"} | {"function": function}
