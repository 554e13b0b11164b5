"""What goes in: chat messages in OpenAI's shape, checked before anything is sent.

`to_messages` turns everything a caller may pass (a str, a dict, a sequence of dicts) into a list of
plain dicts that are magma's own copies: the caller's objects are never changed, nor held. Paths and bytes in media
blocks become data URLs; a text in a message is never taken for a path, as it may come from outside.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from . import media
from .errors import ConfigError

MAX_DEPTH = 100  # levels of nesting; JSON Schemas in the field stay below 30
ROLES = ("system", "developer", "user", "assistant", "tool", "function")
SHAPE = 'a str, a message {"role": "user", "content": "…"}, or a sequence of messages'


def to_messages(messages: Any, system_prompt: str | None = None) -> list[dict[str, Any]]:
    """`messages` as a list of plain dicts, the system prompt first.

    A `system_prompt` before messages that begin with a system message is joined to it by a blank line.

    >>> to_messages("Hi", system_prompt="Be brief.")
    [{'role': 'system', 'content': 'Be brief.'}, {'role': 'user', 'content': 'Hi'}]

    Raises:
        ConfigError: empty, wrong-typed or malformed messages, naming the message and the way out.
    """
    result = [_message(message, where) for where, message in _items(messages)]
    if system_prompt is None:
        return result
    if not isinstance(system_prompt, str):
        raise ConfigError(f"system_prompt must be a str, not {_kind(system_prompt)}")
    _check_text(system_prompt, "system_prompt")
    if result[0]["role"] == "system" and isinstance(result[0]["content"], str):
        result[0]["content"] = f"{system_prompt}\n\n{result[0]['content']}"
    elif result[0]["role"] == "system":
        result[0]["content"] = [{"type": "text", "text": system_prompt}, *(result[0]["content"] or [])]
    else:
        result.insert(0, {"role": "system", "content": system_prompt})
    return result


def _items(messages: Any) -> list[tuple[str, Any]]:
    if isinstance(messages, str):
        if not messages.strip():
            raise ConfigError("messages is an empty text: give the model something to answer")
        return [("messages", {"role": "user", "content": messages})]
    if isinstance(messages, Mapping):
        return [("messages", messages)]
    if messages is None or isinstance(messages, (bytes, bytearray)) or not isinstance(messages, Sequence):
        raise ConfigError(f"messages must be {SHAPE}; not {_kind(messages)}")
    items = [(f"messages[{index}]", message) for index, message in enumerate(messages)]
    if not items:
        raise ConfigError(f"messages is empty: give {SHAPE}")
    return items


def _message(message: Any, where: str) -> dict[str, Any]:
    if not isinstance(message, Mapping):
        raise ConfigError(f'{where} must be a message {{"role": …, "content": …}}, not {_kind(message)}')
    role = message.get("role")
    if role not in ROLES:
        raise ConfigError(f"{where}: role {role!r} does not exist; use one of {', '.join(ROLES)}")
    _check_content(message, where)
    content = message.get("content")
    if isinstance(content, (list, tuple)) and any(block["type"] in _MEDIA for block in content):
        message = {**message, "content": [_media(block, f"{where}: content[{n}]") for n, block in enumerate(content)]}
    return {_name(name, where): own(value, f"{where}.{name}") for name, value in message.items()}


def _check_content(message: Mapping[str, Any], where: str) -> None:
    content, role = message.get("content"), message["role"]
    if role == "tool" and not isinstance(message.get("tool_call_id"), str):
        raise ConfigError(f"{where}: a tool message needs tool_call_id, the id of the call that it answers")
    calls = message.get("tool_calls")
    if calls is not None and not (
        isinstance(calls, (list, tuple)) and all(isinstance(call, Mapping) for call in calls)
    ):
        raise ConfigError(f"{where}: tool_calls must be a list of tool calls, not {_kind(calls)}")
    if content is None:
        if role == "assistant" and (calls or message.get("function_call")):
            return
        raise ConfigError(
            f"{where}: {'an' if role == 'assistant' else 'a'} {role} message needs content, a str or a list of blocks"
        )
    if isinstance(content, str):
        if role in ("user", "system", "developer") and not content.strip():
            raise ConfigError(f"{where}: content is an empty text: give the model something to answer")
        return
    if not isinstance(content, (list, tuple)):
        raise ConfigError(f"{where}: content must be a str or a list of blocks, not {_kind(content)}")
    if not content:
        raise ConfigError(f"{where}: content is an empty list; give at least one block")
    for index, block in enumerate(content):
        _check_block(block, f"{where}: content[{index}]")


def _check_block(block: Any, where: str) -> None:
    if not isinstance(block, Mapping) or not isinstance(block.get("type"), str):
        raise ConfigError(f'{where} must be a block such as {{"type": "text", "text": "…"}}, not {_kind(block)}')
    if block["type"] == "text" and not isinstance(block.get("text"), str):
        raise ConfigError(f"{where}: a text block needs text, a str; not {_kind(block.get('text'))}")


_MEDIA: dict[str, tuple[media.Kind, str]] = {
    "image_url": ("image", "url"),
    "video_url": ("video", "url"),
    "audio_url": ("audio", "url"),
    "input_audio": ("audio", "data"),
    "file": ("file", "file_data"),
}
_RAW = (bytes, bytearray, memoryview, os.PathLike, media.File)  # what only the caller's own program can put there
_DATA_URL = re.compile(r"(?i)data:[a-z]+/[\w.+-]+(?:;[\w=.+\"-]+)*,.")


def _media(block: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """A media block checked, its path or bytes read into it; other blocks as they are."""
    kind = block["type"]
    if kind not in _MEDIA:
        return block
    what, name = _MEDIA[kind]
    inner = block.get(kind)
    source = inner.get(name) if isinstance(inner, Mapping) else inner
    if isinstance(source, _RAW):
        made = _read(source, what, kind, where)
        return {**block, kind: {**made, **inner, name: made[name]} if isinstance(inner, Mapping) else made}
    if name == "url":
        if not isinstance(source, str):
            raise ConfigError(f'{where}: a block of type {kind} needs "{kind}": {{"url": "…"}}, not {_kind(source)}')
        _check_url(source, what, where)
    return block


def _read(source: Any, what: media.Kind, kind: str, where: str) -> dict[str, Any]:
    try:
        file = media.load(source, what=what)
        if kind == "input_audio":
            return {"data": file.base64(), "format": file.extension}
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    if kind == "file":
        return {"file_data": file.data_url(), "filename": file.name}
    return {"url": file.data_url()}


def _check_url(url: str, what: str, where: str) -> None:
    scheme = url[:12].partition(":")[0].lower()
    if scheme == "data":
        if not _DATA_URL.match(url[:400]):
            shape = f"data:{what}/…;base64,<data>"
            raise ConfigError(
                f"{where}: the data URL {url[:40]!r}… is malformed; write {shape}, or use ChatBlock.{what}"
            )
    elif not media.is_url(url) or scheme not in media.REMOTE:
        raise ConfigError(
            f"{where}: {url[:80]!r} is no URL that a provider reads ({', '.join(media.REMOTE)}, data); "
            f"for a file on this machine use ChatBlock.{what}(path), or a pathlib.Path"
        )


def own(value: Any, where: str, depth: int = 0) -> Any:
    """A deep copy of plain data; what JSON cannot carry is a `ConfigError` that names the place."""
    if depth > MAX_DEPTH:
        raise ConfigError(f"{where[:80]}… is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, str):
        _check_text(value, where)
        return str.__str__(value)  # a plain str of a str Enum too
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ConfigError(f"{where} is {value}, which JSON cannot carry")
        return value
    if isinstance(value, Mapping):
        return {_name(name, where): own(item, f"{where}.{name}", depth + 1) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [own(item, f"{where}[{index}]", depth + 1) for index, item in enumerate(value)]
    raise ConfigError(f"{where} is {_kind(value)}, which JSON cannot carry; use str, number, bool, None, list or dict")


def _name(name: Any, where: str) -> str:
    if not isinstance(name, str):
        raise ConfigError(f"{where}: the key {name!r} is {_kind(name)}; JSON keys are str")
    _check_text(name, where)
    return name


def _check_text(text: str, where: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        lone = text[error.start]
        raise ConfigError(
            f"{where} holds a lone surrogate {lone!r} at character {error.start}, which UTF-8 cannot carry; "
            "decode the text with errors='replace' first"
        ) from None


def _kind(value: Any) -> str:
    if value is None:
        return "None"
    name = type(value).__name__
    return f"an {name}" if name[0] in "aeiouAEIOU" else f"a {name}"
