"""How a chat answer is read where more than its text is wanted: as a schema's object, as typed XML, behind a prefilling.

A `Reading` travels on the request: `read` makes the response, `again` says what to ask after an answer that does
not fit, `emitter` makes the deltas of a stream. Three modes ask for an object: the provider's own structured output
("native"), a tool whose arguments are the object ("tool"), a sentence in the prompt ("instruction").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from .. import profiles
from .._call.request import Request
from ..errors import (
    BadRequestError,
    ConfigError,
    ContentFilterError,
    ContextWindowError,
    ModelError,
    ParseError,
    shorten,
)
from ..messages import own
from ..parsers.json import partial
from ..parsers.schema import Schema, schema_of
from ..parsers.xml import typed_parser_registry
from ..responses import Generation

NATIVE, TOOL, INSTRUCTION = MODES = ("native", "tool", "instruction")
TOOL_NAME = "json_tool_call"  # as LiteLLM calls the tool whose arguments are an object
_PREFIXED = frozenset({"mistral", "deepseek"})  # these want a mark on the message that they are to go on with
_LOCAL = frozenset(
    {
        "offline",
        "openai",
        "hosted_vllm",
        "openai_like",
        "custom_openai",
        "llamafile",
        "lm_studio",
        "ollama",
        "ollama_chat",
    }
)
# What new models, which no table knows, can be taken to have: schemas, or at least tools.
_SCHEMAS = frozenset({"azure", "gemini", "vertex_ai", "mistral", "openrouter", "together_ai", "xai", "cerebras"})
_TOOLED = frozenset({"groq", "fireworks_ai", "deepseek", "cohere", "sambanova", "nvidia_nim", "deepinfra"})
_FAKED = frozenset({"anthropic", "bedrock", "bedrock_converse", "databricks"})
_learnt: dict[tuple[str, str | None], str] = {}  # model and base URL -> the mode that was found to work
_MOST = 1000


def read_as(model: Any, inputs: dict[str, Any], *, schema: Any, prefilling: Any, typed_parser: Any) -> dict[str, Any]:
    """A chat call's inputs with what asks for an object or begins the answer, and the `Reading` of its answer.

    Raises:
        ConfigError: something that is no schema, no text, no parser, or two of them at once.
    """
    if typed_parser is not None and typed_parser not in typed_parser_registry:
        known = ", ".join(typed_parser_registry)
        raise ConfigError(f"typed_parser must be one of {known}; not {typed_parser!r:.80}")
    if schema is not None and (typed_parser is not None or inputs["response_format"] is not None):
        other = "typed_parser" if typed_parser is not None else "response_format"
        raise ConfigError(f"schema and {other} both say what the answer is: give one")
    if prefilling is not None:
        _check_prefilling(prefilling)
        message: dict[str, Any] = {"role": "assistant", "content": prefilling.rstrip()}
        if model.provider in _PREFIXED:
            message["prefix"] = True
        inputs["messages"].append(message)
        if model.provider == "hosted_vllm":  # else vLLM begins a new answer after the one that is begun
            wanted = {"continue_final_message": True, "add_generation_prompt": False}
            inputs["extra_body"] = {**wanted, **model.extra.get("extra_body", {})}
    reading = Reading(
        kind=schema,
        typed_parser=typed_parser,
        prefilling=prefilling,
        reasks=model.max_reasks,
        had_tools=bool(inputs["tools"]),
    )
    if schema is not None:
        mode = _learnt.get((f"{model.provider}/{model.name}", model.api_base)) or mode_of(model)
        inputs = _asked_for(inputs, reading.schema, mode)
        if mode != NATIVE:
            inputs["warnings"] = (_told(f"{model.provider}/{model.name}", mode),)
    return {**inputs, "reading": reading}


def _check_prefilling(prefilling: Any) -> None:
    if not isinstance(prefilling, str):
        raise ConfigError(f"prefilling must be a str, not {type(prefilling).__name__}")
    if not prefilling.strip():
        raise ConfigError("prefilling is an empty text: give the beginning of the answer, or leave it out")
    own(prefilling, "prefilling")


def mode_of(model: Any) -> str:
    """How an object is best asked for, by what is known of the model; a server of one's own is taken to know schemas.

    >>> from magma import Model
    >>> mode_of(Model("openai/gpt-4o")), mode_of(Model("openai/gpt-4"))
    ('native', 'tool')
    """
    provider, name = model.provider, model.name
    native, tools = _known(provider, name)
    if provider in _FAKED or "claude" in name:  # LiteLLM makes a tool of it, and mistakes in reading its stream
        if native == "itself":
            return NATIVE
        thinks = model.extra.get("thinking") or getattr(model, "reasoning_effort", None)
        return INSTRUCTION if thinks or tools is False else TOOL  # who thinks cannot be made to call a tool
    if native is None and tools is None:
        own = provider in _LOCAL or (model.api_base is not None and provider not in _TOOLED)
        return NATIVE if own or provider in _SCHEMAS else TOOL if provider in _TOOLED else INSTRUCTION
    if native:
        return NATIVE
    return INSTRUCTION if tools is False else TOOL


@lru_cache(_MOST)
def _known(provider: str, name: str) -> tuple[Any, bool | None]:
    """Whether a model has structured output ("itself": not by LiteLLM's make-believe) and tools; None for not known."""
    profile = profiles.get_model_profile(name, provider_id=provider)
    row = profiles.entry(f"{provider}/{name}")
    if profile is None:
        return None, None
    native: Any = profile.capabilities.structured_output
    if row is not None and row[1].get("supports_native_structured_output"):
        native = "itself"
    return native, profile.capabilities.tool_call


def _asked_for(inputs: dict[str, Any], schema: Schema, mode: str) -> dict[str, Any]:
    """The inputs of a request that asks for the schema's object in this mode."""
    if mode == NATIVE:
        return {**inputs, "response_format": schema.response_format()}
    if mode == TOOL:
        tools = list(inputs.get("tools") or [])
        only = {"type": "function", "function": {"name": TOOL_NAME}}
        tool = schema.tool()
        tool["function"]["name"] = TOOL_NAME
        return {**inputs, "tools": [*tools, tool], "tool_choice": "required" if tools else only}
    messages, instruction = [dict(message) for message in inputs["messages"]], schema.instruction()
    if messages[0]["role"] in ("system", "developer") and isinstance(messages[0]["content"], str):
        messages[0]["content"] += f"\n\n{instruction}"
    else:
        messages.insert(0, {"role": "system", "content": instruction})
    return {**inputs, "messages": messages}


def _told(model: str, mode: str) -> str:
    """The warning of a mode that is not the provider's own."""
    how = "a tool call" if mode == TOOL else "an instruction in the prompt"
    return f"the schema was asked for by {how}, not by structured output of the provider's own ({model})"


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What is made of an answer."""

    kind: Any = None
    """The schema as it was given."""
    typed_parser: str | None = None
    prefilling: str | None = None
    reasks: int = 1
    """How often may still be asked again."""
    had_tools: bool = False
    """Whether the caller gave tools."""
    many: bool = False
    """Whether the answer is one of a list's."""

    @property
    def schema(self) -> Schema:
        """The compiled schema."""
        return schema_of(self.kind)

    def read(self, request: Request, answer: Generation) -> Generation:
        """The response with what was wanted as its `content`.

        Raises:
            ParseError: the answer is not that; `.response` holds it.
        """
        if self.prefilling is not None:
            answer = _with_text(answer, _joined(self.prefilling, answer.text))
        if self.kind is None and self.typed_parser is None:
            return answer
        if self.kind is not None and _asks_by_tool(request):
            answer = _from_tool(answer, any_name=not self.had_tools)
        if answer.tool_calls:
            return answer
        _check_ended(request, answer)
        try:
            if self.kind is None:
                plain = typed_parser_registry[str(self.typed_parser)].decode(answer.text)
                return msgspec.structs.replace(answer, content=plain, response_type="structured_generation")
            typed, plain = self.schema.decode(answer.text)
        except ValueError as error:
            wanted = self.typed_parser if self.kind is None else self.schema.name
            raise _unreadable(request, answer, f"the answer does not fit {wanted}: {error}") from None
        return msgspec.structs.replace(answer, content=plain, parsed=typed, response_type="structured_generation")

    def again(self, request: Request, error: ModelError) -> Request | None:
        """What to ask after this error, if anything: the same with what was wrong, or in another mode."""
        if isinstance(error, ParseError):
            return self._corrected(request, error)
        if self.kind is None or not isinstance(error, BadRequestError) or error.partial is not None:
            return None
        if isinstance(error, (ContextWindowError, ContentFilterError)):
            return None
        words, schema = f"{error} {error.body or ''}".lower(), self.schema
        if "logprobs" in words and "logprobs" in request.inputs:  # they are nice to have, for a classifier's scores
            kept = {name: value for name, value in request.inputs.items() if name not in ("logprobs", "top_logprobs")}
            return msgspec.structs.replace(request, inputs=type(request.inputs)(kept))
        if "response_format" in request.inputs and any(mark in words for mark in _NO_SCHEMAS):
            mode = TOOL
        elif _asks_by_tool(request) and not self.had_tools and "tool" in words:
            mode = INSTRUCTION
        else:
            return None
        if len(_learnt) < _MOST:
            _learnt[request.model, request.api_base] = mode
        plain = {
            name: value for name, value in request.inputs.items() if name not in ("response_format", "tool_choice")
        }
        plain["tools"] = [tool for tool in plain.get("tools", ()) if not _is_tool(tool)] or None
        inputs = {name: value for name, value in _asked_for(plain, schema, mode).items() if value is not None}
        return msgspec.structs.replace(
            request, inputs=type(request.inputs)(inputs), warnings=(_told(request.model, mode),)
        )

    def _corrected(self, request: Request, error: ParseError) -> Request | None:
        answer = error.response
        if request.stream or self.reasks < 1 or self.kind is None or answer is None or _is_final(answer):
            return None
        told = [
            *request.messages,
            {"role": "assistant", "content": answer.text.strip() or "(nothing)"},
            {"role": "user", "content": f"{_reason(error)}. Answer again, with the corrected JSON only."},
        ]
        if self.prefilling is not None:  # the answer that it began is there in whole
            told.pop(-3)
        reading = msgspec.structs.replace(self, reasks=self.reasks - 1, prefilling=None)
        return msgspec.structs.replace(
            request, inputs=type(request.inputs)({**request.inputs, "messages": told}), reading=reading
        )

    def partial(self, text: str) -> Any:
        """The plain data in an unfinished text; None while there is none."""
        value = partial(text)
        if self.kind is not None and self.schema.wrapped and isinstance(value, dict):
            return value.get("value")
        return value

    def emitter(self, delta: Callable[[dict[str, Any]], Generation | None]) -> Callable[[dict[str, Any]], Any]:
        """What makes a stream's deltas of its chunks: the prefilling first, a schema's tool call as text."""
        make = delta if self.kind is None else _ToolAsText(delta)
        return make if self.prefilling is None else _Prefilled(make, self.prefilling)


_NO_SCHEMAS = (
    "response_format",
    "json_schema",
    "response format",
    "structured output",
    "output_config",
    "responseschema",
)


def _reason(error: ParseError) -> str:
    return str(error).partition(": ")[2] or str(error)


def _is_final(answer: Generation) -> bool:
    """Whether asking again cannot help: cut off, refused or filtered."""
    return bool(answer.refusal) or answer.finish_reason in ("length", "content_filter")


def _check_ended(request: Request, answer: Generation) -> None:
    if answer.refusal:
        raise _unreadable(request, answer, f"the model refused: {answer.refusal}")
    if answer.finish_reason == "length":
        raise _unreadable(request, answer, "the answer was cut off (finish_reason 'length'); raise max_tokens")
    if answer.finish_reason == "content_filter":
        raise _unreadable(request, answer, "the provider's content filter ended the answer")


def _unreadable(request: Request, answer: Generation, why: str) -> ParseError:
    return ParseError(
        shorten(f"{request.model}: {why}"),
        provider=request.provider,
        model=request.model,
        request_id=answer.request_id,
        response=answer,
    )


def _asks_by_tool(request: Request) -> bool:
    return any(_is_tool(tool) for tool in request.inputs.get("tools") or ())


def _is_tool(tool: Mapping[str, Any]) -> bool:
    return (tool.get("function") or {}).get("name") == TOOL_NAME


def _from_tool(answer: Generation, *, any_name: bool) -> Generation:
    """The answer as if the arguments of the schema's tool were its text; `any_name`: no other tool was there to call."""
    call = next((call for call in answer.tool_calls if any_name or call.name == TOOL_NAME), None)
    if call is None:
        return answer
    others = tuple(one for one in answer.tool_calls if not any_name and one.name != TOOL_NAME)
    if others:
        return msgspec.structs.replace(answer, tool_calls=others)
    reason = "stop" if answer.finish_reason == "tool_calls" else answer.finish_reason
    return msgspec.structs.replace(_with_text(answer, call.raw), tool_calls=(), finish_reason=reason)


def _with_text(answer: Generation, text: str) -> Generation:
    """The answer with another text, in its raw message too; without the tool calls that were the text."""
    choices = [dict(choice) for choice in answer.raw.get("choices") or [{}]]
    message = dict(choices[0].get("message") or {})
    if not message.get("content"):
        message.pop("tool_calls", None)
    choices[0]["message"] = {**message, "content": text}
    return msgspec.structs.replace(answer, content=text, raw={**answer.raw, "choices": choices})


def _joined(prefilling: str, text: str) -> str:
    """The text with its beginning, once: some providers repeat it, some go on from it."""
    begun = prefilling.rstrip()
    if text.startswith(begun):
        return text
    if text.lstrip().startswith(begun):
        return text.lstrip()
    return (begun if text[:1].isspace() else prefilling) + text


class _Prefilled:
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
        whole = _joined(self._prefilling, self._held)
        first = start if whole.startswith(start) and whole != self._prefilling + self._held else self._prefilling
        told = made if made is not None else Generation(raw=chunk)
        pieces = [msgspec.structs.replace(told, content=first, reasoning=None, tool_calls=())]
        if rest := whole[len(first) :]:
            pieces.append(msgspec.structs.replace(told, content=rest))
        return pieces


class _ToolAsText:
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
