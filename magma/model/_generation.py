"""From an answer in OpenAI's wire shape to the `Generation` that the caller gets; from a chunk to a delta.

Loaded with the first call, so it may import what the making of a handle must not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import profiles
from ..responses import LEFT_EARLY, Generation, Usage, text_of
from ..tools import ToolCall, read_calls

if TYPE_CHECKING:
    from .._call.answer import Answer
    from .._call.request import Request


def generation(request: Request, answer: Answer) -> Generation:
    """The `Generation` that an answer in OpenAI's wire shape is."""
    body = answer.body
    choice = (body.get("choices") or [{}])[0]
    message = choice.get("message") or {}
    used = usage(body.get("usage"))
    cost, reason = profiles.price(request.model, used, reported=reported_cost(body.get("usage")))
    calls = read_calls(message.get("tool_calls"))
    warnings = tuple(answer.warnings) if answer.complete else (*answer.warnings, LEFT_EARLY)
    return Generation(
        content=text_of(body),
        id=body.get("id"),
        model=body.get("model"),
        usage=used,
        cost=cost,
        cost_reason=reason,
        finish_reason=choice.get("finish_reason"),
        tool_calls=calls,
        reasoning=_reasoning(message),
        refusal=message.get("refusal"),
        logprobs=choice.get("logprobs"),
        response_type="tool_call" if calls else "text_generation",
        warnings=warnings,
        request_id=answer.request_id,
        raw=body,
    )


def delta(chunk: dict[str, Any]) -> Generation | None:
    """What a stream's consumer gets out of a chunk: None when it carries nothing for them."""
    for choice in chunk["choices"]:
        change = choice.get("delta")
        if not change or choice.get("index"):
            continue
        content, calls = change.get("content"), change.get("tool_calls")
        thought = change.get("reasoning_content") or change.get("reasoning")
        if content or calls or thought or change.get("refusal"):
            return Generation(
                content=content if isinstance(content, str) else _blocks(content),
                reasoning=thought,
                refusal=change.get("refusal"),
                tool_calls=_partial_calls(calls) if calls else (),
                id=chunk.get("id"),
                model=chunk.get("model"),
                response_type="tool_call" if calls else "text_generation",
                raw=chunk,
            )
    return None


def _partial_calls(calls: list[dict[str, Any]]) -> tuple[ToolCall, ...]:
    functions = [(call, call.get("function") or {}) for call in calls]
    return tuple(
        ToolCall(
            id=call.get("id") or "",
            name=function.get("name") or "",
            arguments=None,
            raw=str(function.get("arguments") or ""),
        )
        for call, function in functions
    )


def _blocks(content: Any) -> str:
    return text_of({"choices": [{"message": {"content": content}}]})


def _reasoning(message: dict[str, Any]) -> str | None:
    told = message.get("reasoning_content") or message.get("reasoning")
    if told:
        return str(told)
    blocks = [block for block in message.get("thinking_blocks") or () if isinstance(block, dict)]
    return "".join(str(block.get("thinking") or "") for block in blocks) or None


def usage(told: Any) -> Usage | None:
    """The tokens in OpenAI's `usage`; None when the provider told none."""
    if not isinstance(told, dict):
        return None
    read, written = told.get("prompt_tokens_details") or {}, told.get("completion_tokens_details") or {}
    found = Usage(
        input_tokens=_count(told.get("prompt_tokens", told.get("input_tokens"))),
        output_tokens=_count(told.get("completion_tokens", told.get("output_tokens"))),
        total_tokens=_count(told.get("total_tokens")),
        cache_read_tokens=_count(read.get("cached_tokens") or told.get("cache_read_input_tokens")) or None,
        cache_write_tokens=_count(told.get("cache_creation_input_tokens")) or None,
        reasoning_tokens=_count(written.get("reasoning_tokens")) or None,
    )
    return None if found == Usage() else found


def _count(tokens: Any) -> int | None:
    return int(tokens) if isinstance(tokens, (int, float)) and not isinstance(tokens, bool) and tokens >= 0 else None


def reported_cost(told: Any) -> float | None:
    """The dollars that a provider says in its usage (openrouter); None where it says none."""
    cost = told.get("cost") if isinstance(told, dict) else None
    return float(cost) if isinstance(cost, (int, float)) and not isinstance(cost, bool) and cost > 0 else None
