"""Tools: functions become schemas, the model's calls are read, results become messages.

`tool_schemas` and `choose` make what is sent, `read_calls` reads what came back, `ToolCalls` collects the results.
"""

from __future__ import annotations

import copy
import inspect
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

import msgspec

from .errors import ConfigError, redact
from .functions import check_name, name_of, schema_of_function
from .messages import own

WORDS = ("auto", "required", "none")


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """The model asks for a tool."""

    id: str
    """The provider's id, to be repeated in the tool's result."""
    name: str
    """The tool's name; empty where the provider gave none (then `invalid` says so)."""
    arguments: dict[str, Any] | None
    """The decoded arguments; None when they are not a JSON object."""
    raw: str = ""
    """The arguments as the model wrote them."""
    invalid: str | None = None
    """Why the call cannot be used as it stands, else None."""

    def to_message(self) -> dict[str, Any]:
        """The call in OpenAI's wire shape: arguments are a JSON string."""
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.raw}}


# --- what is sent -----------------------------------------------------------------------------------------------------------------


def tool_schemas(tools: Any) -> list[dict[str, Any]] | None:
    """Tools as OpenAI's dicts: schemas pass (copied), functions get theirs, a bare `{"name", …}` is wrapped.

    >>> def add(a: int, b: int = 0): "Adds."
    >>> [tool["function"]["name"] for tool in tool_schemas([add, {"name": "stop", "parameters": {"type": "object"}}])]
    ['add', 'stop']

    Raises:
        ConfigError: no list of tools, a name that providers refuse, or two tools of one name.
    """
    if tools is None:
        return None
    if callable(tools) and not isinstance(tools, Mapping):
        tools = [tools]
    if isinstance(tools, (str, bytes, bytearray, Mapping)) or not isinstance(tools, Sequence):
        raise ConfigError(f"tools must be a list of tool schemas or functions, not {tools!r:.80}")
    found = [_schema(tool, f"tools[{index}]") for index, tool in enumerate(tools)]
    names = _names(found)
    for index, name in enumerate(names):
        if name in names[:index]:
            raise ConfigError(f"tools hold two tools named {name!r}; rename one, the model could not tell them apart")
    return found or None


def _schema(tool: Any, where: str) -> dict[str, Any]:
    if callable(tool) and not isinstance(tool, Mapping):
        return schema_of_function(tool)
    if isinstance(tool, Mapping) and tool.get("type", "custom") == "custom" and isinstance(tool.get("name"), str):
        function: Any = {name: value for name, value in tool.items() if name not in ("type", "input_schema")}
        if "input_schema" in tool:  # as Anthropic spells it
            function["parameters"] = tool["input_schema"]
        tool = {"type": "function", "function": function}
    if not isinstance(tool, Mapping) or not isinstance(tool.get("type"), str):
        shape = '{"type": "function", "function": {"name": …, "parameters": …}}'
        raise ConfigError(f"{where} must be a function or a schema {shape}, not {tool!r:.80}")
    if tool["type"] == "function":
        function = tool.get("function")
        if not (isinstance(function, Mapping) and isinstance(function.get("name"), str)):
            raise ConfigError(f'{where}: a function needs {{"name": …, "parameters": …}}, not {function!r:.80}')
        check_name(function["name"], where)
        if not isinstance(function.get("parameters", {}), (Mapping, type(None))):
            raise ConfigError(f"{where}: parameters must be a JSON schema, not {function['parameters']!r:.80}")
    made: dict[str, Any] = own(tool, where)
    return made


def _names(schemas: Sequence[Mapping[str, Any]]) -> list[str]:
    return [str(tool["function"]["name"]) for tool in schemas if tool["type"] == "function"]


def choose(choice: Any, schemas: Sequence[Mapping[str, Any]] | None) -> Any:
    """`tool_choice` in OpenAI's spelling: auto, required, none, or a dict that names one of the tools.

    "any" is "required"; a function, its name, and the dicts of other providers become OpenAI's dict.

    >>> def add(a: int, b: int): "Adds."
    >>> choose("any", tool_schemas(add)), choose({"type": "tool", "name": "add"}, tool_schemas(add))
    ('required', {'type': 'function', 'function': {'name': 'add'}})

    Raises:
        ConfigError: no such tool, no tools at all, or a dict of no known shape.
    """
    if choice is None:
        return None
    if not schemas:
        raise ConfigError(f"tool_choice={choice!r:.80} needs tools")
    word = choice.get("type") if isinstance(choice, Mapping) else choice
    if isinstance(word, str) and word in (*WORDS, "any"):
        if isinstance(choice, Mapping) and len(choice) > 1:
            raise ConfigError(
                f"tool_choice {dict(choice)!r:.80} holds more than a type; set parallel_tool_calls instead"
            )
        return "required" if word == "any" else str(word)
    name = _chosen(choice)
    if name is None:
        return own(choice, "tool_choice")  # of a type that is the provider's own, such as allowed_tools
    if name not in _names(schemas):
        known = ", ".join(_names(schemas))
        raise ConfigError(f"tool_choice must be auto, required, none or one of {known}; not {name!r:.80}")
    return {"type": "function", "function": {"name": name}}


def _chosen(choice: Any) -> str | None:
    """The name that a choice means; None for a dict of another type."""
    if isinstance(choice, str):
        return str.__str__(choice)
    if callable(choice) and not isinstance(choice, Mapping):
        return name_of(choice)
    if isinstance(choice, Mapping) and isinstance(choice.get("type"), str):
        function = choice.get("function")
        name = function.get("name") if isinstance(function, Mapping) else choice.get("name")
        if choice["type"] not in ("function", "tool"):
            return None
        if isinstance(name, str):
            return name
    raise ConfigError(
        "tool_choice must be auto, required, none, a tool's name, a function or "
        f'{{"type": "function", "function": {{"name": …}}}}; not {choice!r:.80}'
    )


# --- what comes back --------------------------------------------------------------------------------------------------------------


def read_calls(calls: Any) -> tuple[ToolCall, ...]:
    """The model's tool calls, from OpenAI's wire shape; one whose arguments are no JSON object is kept and marked `invalid`.

    Every call can be answered: one without an id is "call_1", "call_2", … by its place; where two have the same id the
    later ones are "id#2", "id#3". `ToolCalls.get_messages` uses the same ids on both sides.

    >>> read_calls([{"id": "a", "function": {"name": "add", "arguments": '{"a": 1'}}])[0].arguments is None
    True
    """
    read: list[ToolCall] = []
    given = [call for call in calls or () if isinstance(call, Mapping)] if isinstance(calls, (list, tuple)) else []
    told = {str(call.get("id")) for call in given if call.get("id")}
    taken: set[str] = set()
    for place, call in enumerate(given, start=1):
        id = str(call.get("id") or "")
        number, base = 2, id or f"call_{place}"
        made = base
        while made in taken or (made in told and made != id):
            made, number = f"{base}#{number}", number + 1
        taken.add(made)
        read.append(_read_call(call, made))
    return tuple(read)


def _read_call(call: Mapping[str, Any], id: str) -> ToolCall:
    function = call.get("function")
    function = function if isinstance(function, Mapping) else {}
    raw, name, invalid = function.get("arguments"), str(function.get("name") or ""), None
    arguments: Any = None
    if not isinstance(raw, str):
        raw = json.dumps(raw or {}, default=str, ensure_ascii=False)
    try:
        arguments = msgspec.json.decode(raw.strip() or "{}")
    except (ValueError, RecursionError) as error:
        invalid = f"the arguments are not JSON: {error}"
    if invalid is None and not isinstance(arguments, dict):
        arguments, invalid = None, "the arguments are not a JSON object"
    if not name:
        invalid = "the model named no tool"
    return ToolCall(id=id, name=name, arguments=arguments, raw=raw, invalid=invalid)


_NOTHING: Any = object()


class ToolCalls(Sequence[ToolCall]):
    """The tools that a model asks for, and a place for their results.

    >>> calls = ToolCalls(read_calls([{"id": "a", "function": {"name": "add", "arguments": '{"a": 1, "b": 2}'}}]), {})
    >>> calls
    <ToolCalls add(a=1, b=2)>
    >>> for call in calls.get_calls():
    ...     calls.insert_results(call["id"], 3)
    >>> calls.get_messages()[1]
    {'role': 'tool', 'tool_call_id': 'a', 'name': 'add', 'content': '3'}
    """

    __slots__ = ("_calls", "_lock", "_message", "_results")

    def __init__(self, calls: Sequence[ToolCall], message: Mapping[str, Any]) -> None:
        """`message` is the assistant message that holds the calls; it is copied, never changed."""
        self._calls = tuple(calls)
        self._message = copy.deepcopy(dict(message))
        self._results: dict[str, str] = {}
        self._lock = threading.Lock()

    def get_calls(self) -> list[dict[str, Any]]:
        """`[{"id", "type", "function": {"name", "arguments": dict}}]`, copies.

        A call whose arguments are broken has `"arguments": None`, and beside it `"invalid"` (why) and `"raw"` (the text).
        """
        return [_told(call) for call in self._calls]

    def insert_results(self, id: str | Mapping[str, Any], result: Any = _NOTHING) -> None:
        """Takes the result of one call, or of several as `{id: result}`; a later result replaces an earlier one.

        A str goes as it is; pydantic, msgspec and dataclass objects, dicts, lists, numbers and None as JSON; an exception
        as "Error: …", for the model to read. May be called from many threads.

        Raises:
            ConfigError: an id that no call has, or a result that is no text or data; then none is taken.
        """
        if isinstance(id, Mapping) == (result is not _NOTHING):
            raise ConfigError("insert_results takes an id and its result, or one dict {id: result}")
        results = dict(id) if isinstance(id, Mapping) else {id: result}
        known = [call.id for call in self._calls]
        for one in results:
            if one not in known:
                raise ConfigError(f"no tool call has the id {one!r:.80}; the ids are {', '.join(known)}")
        texts = {one: _result(value, one) for one, value in results.items()}
        with self._lock:
            self._results.update(texts)

    def get_messages(self) -> list[dict[str, Any]]:
        """The assistant message, then one tool message per call, in the order of the calls; ready to be appended.

        A call whose arguments are broken needs no result: the model is told what was wrong, so that it can call again.
        In the assistant message such arguments become `{"invalid": <text>}`, as most providers take only JSON objects.

        Raises:
            ConfigError: results are missing; names their ids.
        """
        with self._lock:
            results = dict(self._results)
        for call in self._calls:
            if call.invalid is not None:
                results.setdefault(
                    call.id, f"Error: {call.invalid}. Call the tool again with a JSON object as arguments."
                )
        missing = [call.id for call in self._calls if call.id not in results]
        if missing:
            raise ConfigError(
                f"results are missing for {', '.join(missing)}; give them with insert_results(id, result)"
            )
        answers = [
            {
                "role": "tool",
                "tool_call_id": call.id,
                **({"name": call.name} if call.name else {}),
                "content": results[call.id],
            }
            for call in self._calls
        ]
        return [self._assistant(), *answers]

    def _assistant(self) -> dict[str, Any]:
        message = copy.deepcopy(self._message)
        told = message.get("tool_calls")
        parts = [part for part in told if isinstance(part, Mapping)] if isinstance(told, (list, tuple)) else []
        parts += [{}] * (len(self._calls) - len(parts))
        message["tool_calls"] = [_sent(part, call) for part, call in zip(parts, self._calls, strict=False)]
        return {"role": "assistant", "content": None, **message}

    @overload
    def __getitem__(self, index: int) -> ToolCall: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[ToolCall, ...]: ...
    def __getitem__(self, index: int | slice) -> ToolCall | tuple[ToolCall, ...]:
        return self._calls[index]

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[ToolCall]:
        return iter(self._calls)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ToolCalls):
            return NotImplemented
        return (self._calls, self._message, self._results) == (other._calls, other._message, other._results)

    __hash__ = None  # type: ignore[assignment]  # results come in later

    def __reduce__(self) -> tuple[Any, ...]:
        with self._lock:
            return type(self), (self._calls, self._message), dict(self._results)

    def __setstate__(self, results: dict[str, str]) -> None:
        self._results = results

    def __repr__(self) -> str:
        return f"<ToolCalls {', '.join(map(_shown, self._calls)) or 'none'}>"


def _told(call: ToolCall) -> dict[str, Any]:
    broken = {} if call.invalid is None else {"invalid": call.invalid, "raw": call.raw}
    function = {"name": call.name, "arguments": copy.deepcopy(call.arguments)}
    return {"id": call.id, "type": "function", "function": function, **broken}


def _sent(part: Mapping[str, Any], call: ToolCall) -> dict[str, Any]:
    """A call as it is sent back; what else the provider put beside it (a signature) is kept."""
    raw = call.raw if call.raw.strip() else "{}"
    if call.arguments is None and call.invalid is not None:
        raw = json.dumps({"invalid": call.raw})
    function = part.get("function")
    kept = dict(function) if isinstance(function, Mapping) else {}
    return {
        **part,
        "id": call.id,
        "type": "function",
        "function": {**kept, "name": call.name or "unknown", "arguments": raw},
    }


def _shown(call: ToolCall) -> str:
    if call.arguments is None:
        return f"{call.name or '?'}(invalid)"
    inside = ", ".join(f"{name}={value!r:.60}" for name, value in call.arguments.items())
    return f"{call.name or '?'}({inside if len(inside) <= 80 else inside[:79] + '…'})"


def _result(value: Any, id: str) -> str:
    """A tool's result as the text that the model reads."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, BaseException):
        return redact(f"Error: {type(value).__name__}: {value}")
    if inspect.isawaitable(value):
        raise ConfigError(
            f"the result of {id!r:.80} is a {type(value).__name__}; await the tool and give what it returns"
        )
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise ConfigError(f"the result of {id!r:.80} is bytes, which JSON cannot carry; decode it to a str first")
    try:
        return msgspec.json.encode(value, enc_hook=_plain).decode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"the result of {id!r:.80} is no JSON ({error!s:.200}); return a str or plain data") from None


def _plain(value: Any) -> Any:
    """What msgspec does not know: pydantic's models, numpy's numbers and arrays."""
    if callable(getattr(value, "model_dump", None)):
        return value.model_dump(mode="json")
    if callable(getattr(value, "tolist", None)):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} is no JSON value")
