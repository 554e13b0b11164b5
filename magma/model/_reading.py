"""How a chat answer is read where more than its text is wanted: as a schema's object, as typed XML, behind a prefilling.

A `Reading` travels on the request: `read` makes the response, `again` says what to ask after an answer that does
not fit, `emitter` makes the deltas of a stream. How an object is asked for is `_mode.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from .._call.request import Request
from ..errors import ConfigError, ModelError, ParseError, redact, redacted, shorten
from ..messages import own
from ..parsers.json import partial
from ..parsers.schema import Schema, schema_of
from ..parsers.xml import typed_parser_registry
from ..responses import LEFT_EARLY, Generation
from ._deltas import Prefilled, ToolAsText, joined
from ._mode import TOOL_NAME, asked_for, asked_otherwise, chosen

_PREFIXED = frozenset({"mistral", "deepseek"})  # these want a mark on the message that they are to go on with


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
        inputs = asked_for(inputs, reading.schema, chosen(model))
    return {**inputs, "reading": reading}


def _check_prefilling(prefilling: Any) -> None:
    if not isinstance(prefilling, str):
        raise ConfigError(f"prefilling must be a str, not {type(prefilling).__name__}")
    if not prefilling.strip():
        raise ConfigError("prefilling is an empty text: give the beginning of the answer, or leave it out")
    own(prefilling, "prefilling")


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
            answer = _with_text(answer, joined(self.prefilling, answer.text))
        if self.kind is None and self.typed_parser is None:
            return answer
        if LEFT_EARLY in answer.warnings:  # only what had arrived of it
            return answer
        if self.kind is not None and (not self.had_tools or any(call.name == TOOL_NAME for call in answer.tool_calls)):
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
        if self.kind is None or error.partial is not None:
            return None
        return asked_otherwise(request, error, self.schema, had_tools=self.had_tools)

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
        make = delta if self.kind is None else ToolAsText(delta)
        return make if self.prefilling is None else Prefilled(make, self.prefilling)


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
    secrets = request.secrets()
    answer = msgspec.structs.replace(
        answer, content=redacted(answer.content, *secrets), raw=redacted(answer.raw, *secrets)
    )
    return ParseError(
        shorten(redact(f"{request.model}: {why}", *secrets)),
        provider=request.provider,
        model=request.model,
        request_id=answer.request_id,
        response=answer,
    )


def _from_tool(answer: Generation, *, any_name: bool) -> Generation:
    """The answer as if the arguments of the schema's tool were its text; `any_name`: no other tool was there to call."""
    call = next((call for call in answer.tool_calls if any_name or call.name == TOOL_NAME), None)
    if call is None:
        return answer
    others = tuple(one for one in answer.tool_calls if not any_name and one.name != TOOL_NAME)
    if others:
        return msgspec.structs.replace(answer, tool_calls=others)
    reason = "stop" if answer.finish_reason == "tool_calls" else answer.finish_reason
    return msgspec.structs.replace(_with_text(answer, call.raw, calls=False), tool_calls=(), finish_reason=reason)


def _with_text(answer: Generation, text: str, *, calls: bool = True) -> Generation:
    """The answer with another text, in its raw message too; `calls`: with the tool calls that it made."""
    choices = [dict(choice) for choice in answer.raw.get("choices") or [{}]]
    message = dict(choices[0].get("message") or {})
    if not calls:
        message.pop("tool_calls", None)
    choices[0]["message"] = {**message, "content": text}
    return msgspec.structs.replace(answer, content=text, raw={**answer.raw, "choices": choices})
