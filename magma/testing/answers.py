"""From what was enqueued to an answer in OpenAI's wire shape.

`checked` refuses, where it is enqueued, what cannot be an answer of any model. `answered` makes the body, once it is
known what is asked: a text is what a chat model says, what was heard in a recording, or where an image is.
"""

from __future__ import annotations

import copy
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from .others import embedding_body, moderation_body, rerank_body
from .recorded import Recorded, plain, text_of

if TYPE_CHECKING:
    from .._call.request import Request
    from ..responses import Generation

# Whole bodies of chat, embeddings and images, moderation and reranking, transcription, speech.
_WHOLE = frozenset(("choices", "data", "results", "text", "audio"))
_VERDICT = frozenset(("flagged", "safe", "categories", "category_scores", "scores"))
_LABELS = ({"label"}, {"labels"})


def checked(answer: Any) -> Any:
    """An exception, a function, a whole body, or what `answered` makes one of.

    Raises:
        ConfigError: something that cannot be an answer.
    """
    from ..responses import Generation, Response

    if isinstance(answer, type) and issubclass(answer, BaseException):
        return _instance(answer)
    if isinstance(answer, (BaseException, str, bytes, bool)):
        return answer
    if isinstance(answer, Generation):
        return _body_of(answer)
    if isinstance(answer, Response):
        return copy.deepcopy(answer.raw) if answer.raw else checked(answer.content)
    if isinstance(answer, Mapping):
        return _checked_mapping(answer)
    if isinstance(answer, (list, tuple)) and answer:
        return plain(answer) if _is_of_one_kind(answer) else _calls(answer)
    if callable(answer):
        return answer
    if any(hasattr(answer, name) for name in ("model_dump_json", "__struct_fields__", "__dataclass_fields__")):
        return structured(answer)
    raise ConfigError(f"{answer!r:.80} cannot be an answer: enqueue a str, a tool call, an exception, a Generation, …")


def _checked_mapping(answer: Mapping[str, Any]) -> Any:
    if not _WHOLE.isdisjoint(answer) or not _VERDICT.isdisjoint(answer):
        return plain(answer)
    return structured(plain(answer)) if set(answer) in _LABELS else _calls([answer])


def _is_of_one_kind(items: Sequence[Any]) -> bool:
    """Whether these are numbers, vectors, verdicts, or images: what a list for a model that does not chat holds."""
    from ..media import is_url

    first = items[0]
    if isinstance(first, bool) or (isinstance(first, Mapping) and not _VERDICT.isdisjoint(first)):
        return all(isinstance(one, (bool, Mapping)) for one in items)
    if isinstance(first, (int, float)):
        return all(_is_number(one) for one in items)
    if isinstance(first, (list, tuple)):
        return all(isinstance(one, (list, tuple)) and one and all(map(_is_number, one)) for one in items)
    return all(isinstance(one, bytes) or (isinstance(one, str) and is_url(one)) for one in items)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _instance(kind: type[BaseException]) -> BaseException:
    try:
        return kind(f"scripted {kind.__name__}")
    except TypeError:
        raise ConfigError(f"{kind.__name__} needs more than a message: enqueue an instance") from None


def _body_of(generation: Generation) -> dict[str, Any]:
    """A `Generation`'s own raw answer, or one made of its fields."""
    if generation.raw.get("choices"):
        return copy.deepcopy(generation.raw)
    content = generation.content
    message = {
        "content": content if isinstance(content, str) else structured(content),
        "reasoning_content": generation.reasoning,
        "refusal": generation.refusal,
        "tool_calls": [call.to_message() for call in generation.tool_calls],
    }
    body = _body(
        {name: value for name, value in message.items() if value or name == "content"}, generation.finish_reason
    )
    if generation.usage is not None:
        usage = generation["usage"]
        body["usage"] = {name: usage[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")}
    return body | {name: generation[name] for name in ("id", "model") if generation[name] is not None}


def _calls(calls: Sequence[Any]) -> dict[str, Any]:
    return _body({"content": None, "tool_calls": [_call(call) for call in calls]})


def _call(call: Any) -> dict[str, Any]:
    function = call.get("function", call) if isinstance(call, Mapping) else {}
    if not isinstance(function, Mapping) or not {"name"} <= set(function) <= {"id", "name", "arguments"}:
        raise ConfigError(
            f'{call!r:.80} is no answer: a dict is a tool call {{"name": …, "arguments": {{…}}}} or a whole body '
            '{"choices": […]}; for structured content enqueue testing.structured({…})'
        )
    arguments = function.get("arguments", {})
    text = arguments if isinstance(arguments, str) else json.dumps(plain(arguments), ensure_ascii=False)
    return {"id": call.get("id"), "type": "function", "function": {"name": function["name"], "arguments": text}}


def _body(message: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    reason = reason or ("tool_calls" if message.get("tool_calls") else "stop")
    return {"choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}]}


def structured(value: Any) -> str:
    """Structured content as a model would write it: the JSON text of a dict, a pydantic or msgspec object, a dataclass.

    >>> structured({"name": "Alice", "age": 31})
    '{"name":"Alice","age":31}'
    """
    if hasattr(value, "model_dump_json"):
        return str(value.model_dump_json())
    import msgspec

    try:
        return msgspec.json.encode(value).decode()
    except TypeError as error:
        raise ConfigError(f"{value!r:.80} cannot be written as JSON: {error}") from None


def answered(answer: Any, request: Recorded, asked: Request, number: int) -> dict[str, Any]:
    """The body of a checked answer, with what a provider would have added: ids, the model's name, tokens in words.

    Raises:
        ConfigError: an answer of another operation.
    """
    chats = request.operation == "completion"
    if isinstance(answer, Mapping) and not _WHOLE.isdisjoint(answer):
        body: Any = copy.deepcopy(answer)
    elif chats:
        body = _body({"content": _said(answer, asked)}) if isinstance(answer, str) else None
    else:
        body = _MAKERS[request.operation](answer, request)
    needed = "choices" if chats else _HOLDS[request.operation]
    if body is None or needed not in body:
        raise ConfigError(
            f"{answer!r:.80} is no answer of {request.model} ({request.operation}): enqueue {_WANTED[request.operation]}"
        )
    if request.operation == "speech":
        return {"media_type": "", **body}
    body = {"id": f"scripted-{number}", "model": request.model, **body}
    return _completed(body, request, number) if chats else body


def _said(text: str, asked: Request) -> str:
    """What a chat model says; a label that a classifier asked for is said as JSON."""
    schema = getattr(asked.reading, "kind", None)
    if not isinstance(schema, Mapping) or schema.get("name") != "classification":
        return text
    ((name, kind),) = schema["schema"]["properties"].items()
    labels = kind["items"]["enum"] if name == "labels" else kind["enum"]
    return text if text not in labels else structured({name: [text] if name == "labels" else text})


def _completed(body: dict[str, Any], request: Recorded, number: int) -> dict[str, Any]:
    messages = [choice.get("message") or {} for choice in body["choices"]]
    calls = [call for message in messages for call in message.get("tool_calls") or ()]
    for index, call in enumerate(calls, 1):
        call["id"] = call.get("id") or f"call_{number}_{index}"
    if "usage" not in body:
        read = sum(len(text_of(message).split()) for message in request.messages)
        arguments = [str((call.get("function") or {}).get("arguments")) for call in calls]
        count = sum(len(text.split()) for text in [*map(text_of, messages), *arguments])
        body["usage"] = {"prompt_tokens": read, "completion_tokens": count, "total_tokens": read + count}
    return body


# The operations besides chat: what is enqueued for each, None where it is something else.


def _count(request: Recorded) -> int:
    given = request.inputs.get("input")
    return len(given) if isinstance(given, list) else 1


def _vectors(answer: Any, request: Recorded) -> Any:
    """One vector is that of every input."""
    if not isinstance(answer, list) or not (_is_number(answer[0]) or isinstance(answer[0], (list, tuple))):
        return None
    vectors = [answer] * _count(request) if _is_number(answer[0]) else answer
    return embedding_body(vectors, usage=(len(request.text.split()), 0), model=request.model)


def _transcript(answer: Any, request: Recorded) -> Any:
    """The text, with what a `Transcript` knows besides."""
    if not isinstance(answer, str):
        return None
    import msgspec

    parts = {name: getattr(answer, name, None) for name in ("words", "segments", "language", "duration")}
    told = {name: list(value) if isinstance(value, tuple) else value for name, value in parts.items()}
    return {"text": str(answer), **msgspec.to_builtins(told), "usage": None}


def _sound(answer: Any, request: Recorded) -> Any:
    return (
        {"audio": bytes(answer), "media_type": getattr(answer, "media_type", "")} if isinstance(answer, bytes) else None
    )


def _images(answer: Any, request: Recorded) -> Any:
    """One image is each of the `n` that were wanted."""
    images = answer if isinstance(answer, list) else [answer] * (request.params.get("n") or 1)
    if not all(isinstance(image, (str, bytes)) for image in images):
        return None
    return {"created": 0, "data": [_image(image) for image in images], "usage": None}


def _image(image: str | bytes) -> dict[str, str]:
    if isinstance(image, bytes):
        return {"b64_json": b64encode(image).decode()}
    head, _, data = image.partition(";base64,")
    return {"b64_json": data} if data and head.startswith("data:") else {"url": str(image)}


def _verdicts(answer: Any, request: Recorded) -> Any:
    """One verdict is that on every text."""
    each = answer if isinstance(answer, list) else [answer] * _count(request)
    if not all(isinstance(one, (bool, Mapping)) for one in each):
        return None
    return moderation_body(
        [{"flagged": not one["safe"], **one} if "safe" in one else one for one in map(_verdict, each)]
    )


def _verdict(told: bool | Mapping[str, Any]) -> Mapping[str, Any]:
    return {"flagged": told, "categories": {"violence": told}} if isinstance(told, bool) else told


def _scores(answer: Any, request: Recorded) -> Any:
    if not isinstance(answer, list) or not all(map(_is_number, answer)):
        return None
    if len(answer) != len(request.inputs["documents"]):
        raise ConfigError(f"{len(answer)} scores were enqueued for {len(request.inputs['documents'])} documents")
    return rerank_body([float(score) for score in answer], top_n=request.params.get("top_n"))


_MAKERS = {
    "embedding": _vectors,
    "transcription": _transcript,
    "speech": _sound,
    "image_generation": _images,
    "image_edit": _images,
    "moderation": _verdicts,
    "rerank": _scores,
}
_HOLDS: dict[str, str] = dict.fromkeys(("embedding", "image_generation", "image_edit"), "data")
_HOLDS |= {"transcription": "text", "speech": "audio", "moderation": "results", "rerank": "results"}
_WANTED = {
    "completion": "a str, a tool call, a Generation, structured(…), or a body with choices",
    "embedding": "a list of floats, a list of such lists, or a body with data",
    "transcription": "a str, or a body with text",
    "speech": "bytes",
    "image_generation": "a URL, a data URL, bytes, a list of those, or a body with data",
    "image_edit": "a URL, a data URL, bytes, a list of those, or a body with data",
    "moderation": "a bool (flagged?), a verdict {flagged, categories}, a list of those, or a body with results",
    "rerank": "a list with a score for each document, or a body with results",
}
