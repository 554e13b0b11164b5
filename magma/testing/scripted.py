"""Scripted answers: a test double for code that calls magma models, without a network.

A `Script` stands in `flow.LOCAL`, where `offline/` stands too: a scripted call walks the real line (hooks, cache,
parsing, streaming), only nothing is sent. `enqueue` says what is answered, `requests` tells what was asked.
"""

from __future__ import annotations

import copy
import json
import os
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from ..errors import ConfigError, ModelError

if TYPE_CHECKING:
    from .._call.request import Request
    from ..responses import Generation


class NoScriptedAnswer(AssertionError):
    """A scripted model was asked more often than it has answers; no `ModelError`, so that no fallback hides it."""


@dataclass(frozen=True)
class Recorded:
    """One request as the provider would have got it: a copy of plain data, yours to keep."""

    model: str
    """The id as LiteLLM spells it, e.g. "gemini/gemini-2.0-flash"."""
    inputs: dict[str, Any]
    """What belonged to this call: for chat `messages`, `tools`, `tool_choice`, `response_format`."""
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
        """The last user text, "" without one."""
        return next((_text(message) for message in reversed(self.messages) if message["role"] == "user"), "")


class Script:
    """Answers to come and the requests that came; made by `scripted()`."""

    def __init__(self, default: Any = None) -> None:
        self.requests: list[Recorded] = []
        """Every request that was answered here, in order; a cache hit is none."""
        self._default = None if default is None else _checked(default)
        self._queue: deque[Any] = deque()
        self._lock = threading.Lock()

    def enqueue(self, *answers: Any) -> None:
        """The next calls are answered with these, each one once, whatever the model.

        Args:
            answers: in order, each one of
                a str: the text;
                a dict `{"name", "arguments"}`: a tool call; a list of them: parallel calls;
                a dict with `choices` (or `data`, `results`, `text`): the whole answer in OpenAI's shape;
                a `Generation`: that answer;
                `structured(…)`, a pydantic or msgspec object: its JSON;
                an exception or its class: raised, without retries;
                a function of the `Recorded` request that returns any of these.

        >>> from magma import Model, testing
        >>> with testing.scripted() as script:
        ...     script.enqueue({"name": "get_weather", "arguments": {"location": "Oslo"}}, "Rain.")
        ...     Model("openai/gpt-4o")("Weather in Oslo?").tool_calls[0].arguments, Model("groq/any")("So?").content
        ({'location': 'Oslo'}, 'Rain.')

        Raises:
            ConfigError: something that cannot be an answer.
        """
        self._queue.extend([_checked(answer) for answer in answers])

    @property
    def left(self) -> int:
        """How many answers nobody has asked for yet."""
        return len(self._queue)

    def __enter__(self) -> Script:
        from .._call import flow

        with _changing:
            _active.append(self)
            flow.LOCAL.insert(0, self._answer)
        return self

    def __exit__(self, *_: object) -> None:
        from .._call import flow

        with _changing:
            _active.remove(self)
            flow.LOCAL.remove(self._answer)

    def __repr__(self) -> str:
        return f"<Script {len(self.requests)} asked, {self.left} left>"

    def _answer(self, asked: Request) -> dict[str, Any]:
        model = asked.model
        request = Recorded(model, _plain(asked.inputs), _plain(asked.params), asked.operation, asked.stream)
        with self._lock:
            self.requests.append(request)
            number = len(self.requests)
            answer = self._queue.popleft() if self._queue else self._default
        if answer is None:
            raise NoScriptedAnswer(
                f"{model} was asked {request.text[:200]!r}, but the script has no answer left after {number - 1}: "
                'script.enqueue("…") one more, or use scripted(default="…")'
            )
        while callable(answer):
            answer = _checked(answer(request))
        if isinstance(answer, ModelError):
            answer.provider, answer.model = answer.provider or model.partition("/")[0], answer.model or model
        if isinstance(answer, BaseException):
            raise answer
        return _completed(answer, request, number)


_active: list[Script] = []
_changing = threading.Lock()


def scripted(*, default: Any = None) -> Script:
    """A script that answers every call of every model, `offline/` too, while its `with` block runs.

    It holds for the whole process: all threads and tasks. Of nested scripts the innermost answers.

    Args:
        default: the answer once nothing is enqueued any more; None makes that a `NoScriptedAnswer`.

    >>> from magma import Model, testing
    >>> with testing.scripted(default="Hello there!") as script:
    ...     Model("openai/gpt-4o", temperature=0.7)("Hi").content
    'Hello there!'
    >>> script.requests[0].messages, script.requests[0].params
    ([{'role': 'user', 'content': 'Hi'}], {'temperature': 0.7})
    """
    return Script(default)


def current() -> Script:
    """The innermost active script.

    Raises:
        RuntimeError: there is none.
    """
    if not _active:
        raise RuntimeError("no script is active: use `with magma.testing.scripted():` or the fixture magma_script")
    return _active[-1]


def enqueue(*answers: Any) -> None:
    """As `Script.enqueue`, for the script that is active."""
    current().enqueue(*answers)


class _Requests(Sequence[Recorded]):
    """The requests of the script that is active, looked up anew each time."""

    @overload
    def __getitem__(self, index: int) -> Recorded: ...
    @overload
    def __getitem__(self, index: slice) -> list[Recorded]: ...
    def __getitem__(self, index: int | slice) -> Recorded | list[Recorded]:
        return current().requests[index]

    def __len__(self) -> int:
        return len(current().requests)

    def __repr__(self) -> str:
        return repr(_active[-1].requests) if _active else "<requests of no script>"


requests: Sequence[Recorded] = _Requests()
"""The requests of the script that is active."""


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


@contextmanager
def no_requests() -> Iterator[None]:
    """Forbids every call that would need a network: they raise `ConfigError`; scripts, `offline/` and cassettes answer.

    It sets `MAGMA_ALLOW_REQUESTS=0`, so it holds for the whole process and the processes that it starts.

    >>> from magma import Model
    >>> with no_requests():
    ...     Model("openai/gpt-4o")("Hi")
    Traceback (most recent call last):
    magma.errors.ConfigError: MAGMA_ALLOW_REQUESTS=0 forbids asking openai/gpt-4o; ...
    """
    with environment("MAGMA_ALLOW_REQUESTS", "0"):
        yield


@contextmanager
def environment(name: str, value: str) -> Iterator[None]:
    """Sets an environment variable for a while."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before


# From what was enqueued to an answer in OpenAI's wire shape.


_WHOLE = frozenset(
    ("choices", "data", "results", "text")
)  # whole bodies of chat, embeddings and images, reranking, audio


def _checked(answer: Any) -> Any:
    """An exception, a function or a body; a mistake shows where it is enqueued, not where it is asked for."""
    from ..responses import Generation

    if isinstance(answer, type) and issubclass(answer, BaseException):
        return _instance(answer)
    if isinstance(answer, BaseException):
        return answer
    if isinstance(answer, str):
        return _body({"content": answer})
    if isinstance(answer, Generation):
        return _body_of(answer)
    if isinstance(answer, Mapping):
        return _calls([answer]) if _WHOLE.isdisjoint(answer) else _plain(answer)
    if isinstance(answer, (list, tuple)) and answer:
        return _calls(answer)
    if callable(answer):
        return answer
    if (
        hasattr(answer, "model_dump_json")
        or hasattr(answer, "__struct_fields__")
        or hasattr(answer, "__dataclass_fields__")
    ):
        return _body({"content": structured(answer)})
    raise ConfigError(f"{answer!r:.80} cannot be an answer: enqueue a str, a tool call, an exception, a Generation, …")


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
    text = arguments if isinstance(arguments, str) else json.dumps(_plain(arguments), ensure_ascii=False)
    return {"id": call.get("id"), "type": "function", "function": {"name": function["name"], "arguments": text}}


def _body(message: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    reason = reason or ("tool_calls" if message.get("tool_calls") else "stop")
    return {"choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}]}


def _completed(body: dict[str, Any], request: Recorded, number: int) -> dict[str, Any]:
    """A copy of the body with what a provider would have added: ids, the model's name, tokens counted in words."""
    body = {"id": f"scripted-{number}", "model": request.model, **copy.deepcopy(body)}
    if "choices" not in body:
        return body
    messages = [choice.get("message") or {} for choice in body["choices"]]
    calls = [call for message in messages for call in message.get("tool_calls") or ()]
    for index, call in enumerate(calls, 1):
        call["id"] = call.get("id") or f"call_{number}_{index}"
    if "usage" not in body:
        read = sum(len(_text(message).split()) for message in request.messages)
        arguments = [str((call.get("function") or {}).get("arguments")) for call in calls]
        count = sum(len(text.split()) for text in [*map(_text, messages), *arguments])
        body["usage"] = {"prompt_tokens": read, "completion_tokens": count, "total_tokens": read + count}
    return body


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    blocks = content if isinstance(content, list) else []
    return content if isinstance(content, str) else " ".join(str(block.get("text") or "") for block in blocks)


def _plain(value: Any) -> Any:
    """A deep copy in which every mapping is a dict and every sequence a list."""
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return copy.deepcopy(value)
