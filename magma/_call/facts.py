"""What the provider itself said, against what LiteLLM makes of it.

LiteLLM turns a missing usage into zeros, an odd finish_reason into "stop", and a body that is no answer into "".
Plain data in, plain data or a `ModelError` out.
"""

from __future__ import annotations

from typing import Any

from . import failure
from .request import Request
from .wire import Exchange

_REASONS = (("stop_reason",), ("stopReason",), ("done_reason",), ("candidates", 0, "finishReason"))
_KNOWN = frozenset(
    "stop length tool_calls content_filter function_call end_turn max_tokens stop_sequence tool_use refusal pause_turn"
    " guardrail_intervened content_filtered model_context_window_exceeded load unload"
    " stop max_tokens safety recitation language other blocklist prohibited_content spii"
    " malformed_function_call image_safety unexpected_tool_call complete".split()
)
_USAGE = ("usage", "usageMetadata", "prompt_eval_count", "eval_count", "meta", "token_usage", "x_groq")


def correct(body: dict[str, Any], raw: Any) -> None:
    """Puts the provider's own facts back into an answer that LiteLLM converted: finish_reason and usage."""
    if not isinstance(raw, dict):
        return
    if all(raw.get(name) is None for name in _USAGE):
        body["usage"] = None
    for name in ("id", "model"):
        if isinstance(raw.get(name), str) and raw[name]:
            body[name] = raw[name]
    theirs = raw.get("choices")
    if isinstance(theirs, list):
        for choice, their in zip(body.get("choices") or [], theirs, strict=False):
            if isinstance(their, dict) and "finish_reason" in their:
                choice["finish_reason"] = their["finish_reason"]
        return
    reason = next((found for path in _REASONS if (found := _dig(raw, path)) is not None), None)
    if isinstance(reason, str) and reason.lower() not in _KNOWN:
        for choice in body.get("choices") or []:
            choice["finish_reason"] = reason


def _dig(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def is_answer(raw: Any) -> bool:
    choices = raw.get("choices") if isinstance(raw, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    return isinstance(first, dict) and isinstance(first.get("message"), dict)


def check(body: dict[str, Any], raw: Any, exchange: Exchange, request: Request) -> None:
    """Raises where a good status hides an error or nothing at all."""
    if isinstance(raw, dict) and raw.get("error") and not raw.get("choices"):
        raise failure.reported(raw, exchange, request)
    if exchange.response is not None and not isinstance(raw, (dict, list)):
        raise failure.malformed(exchange, request, "the answer is not JSON")
    if isinstance(raw, dict) and "choices" in raw and not is_answer(raw):
        raise failure.malformed(exchange, request, "the answer has no message")
    if not is_answer(body) or (isinstance(raw, (dict, list)) and not raw):
        raise failure.malformed(exchange, request, "the answer has no message")
    message = body["choices"][0]["message"]
    says_nothing = not (message.get("content") or message.get("tool_calls") or message.get("reasoning_content"))
    if says_nothing and isinstance(raw, dict) and _ANSWER_NAMES.isdisjoint(raw):
        raise failure.malformed(exchange, request, "the answer is in no known form")


# Where providers put their answers; LiteLLM makes "" of a body that has none of these.
_ANSWER_NAMES = frozenset(
    "choices content candidates promptFeedback output outputs message messages response text generation generations"
    " generated_text completion completions predictions result results data completionMessage".split()
)
