"""What the provider itself said, against what LiteLLM makes of it.

LiteLLM turns a missing usage into zeros, an odd finish_reason into "stop", and a body that is no answer into "".
Plain data in, plain data or a `ModelError` out.
"""

from __future__ import annotations

from typing import Any

import msgspec

from . import failure
from .request import Request
from .wire import Exchange

_REASONS = (
    ("stop_reason",),
    ("stopReason",),
    ("done_reason",),
    ("candidates", 0, "finishReason"),
    ("delta", "stop_reason"),
    ("delta", "finish_reason"),
    ("choices", 0, "finish_reason"),
)
_KNOWN = frozenset(
    "stop length tool_calls content_filter function_call end_turn max_tokens stop_sequence tool_use refusal pause_turn"
    " guardrail_intervened content_filtered model_context_window_exceeded load unload"
    " stop max_tokens safety recitation language other blocklist prohibited_content spii"
    " malformed_function_call image_safety unexpected_tool_call complete tool_call error_toxic".split()
)
_USAGE = ("usage", "usageMetadata", "prompt_eval_count", "eval_count", "meta", "token_usage", "x_groq")


FILLS: dict[str, dict[str, Any]] = {
    "anthropic": {"usage": {"input_tokens": 0, "output_tokens": 0}},
    "gemini": {"usageMetadata": {"promptTokenCount": 0, "candidatesTokenCount": 0, "totalTokenCount": 0}},
    "bedrock": {"usage": {"inputTokens": 0, "outputTokens": 0, "totalTokens": 0}},
}
"""Per provider what LiteLLM raises KeyError for when it is missing; `correct` takes it out again."""


def correct(body: dict[str, Any], raw: Any) -> None:
    """Puts the provider's own facts back into an answer that LiteLLM converted: finish_reason, usage, id and model."""
    if not isinstance(raw, dict):
        return
    if all(raw.get(name) is None for name in _USAGE):
        body["usage"] = None
    for name in ("id", "model"):
        if isinstance(raw.get(name), str) and raw[name]:
            body[name] = raw[name]
    theirs = raw.get("choices")
    if isinstance(theirs, list):
        body["usage"] = raw.get("usage")
        for choice, their in zip(body.get("choices") or [], theirs, strict=False):
            if isinstance(their, dict):
                choice["finish_reason"] = their.get("finish_reason")
                told = their.get("message")
                if isinstance(told, dict) and isinstance(told.get("refusal"), str):
                    choice["message"]["refusal"] = told["refusal"]
        return
    reason = reason_of(raw)
    for choice in body.get("choices") or []:
        if reason is None and _tells_reason(raw):
            choice["finish_reason"] = None
        elif reason is not None and not is_known(reason):
            choice["finish_reason"] = reason


def reason_of(raw: dict[str, Any]) -> str | None:
    """Why an answer or event of a provider says that it ends; None where it does not say."""
    reason = next((found for path in _REASONS if (found := _dig(raw, path)) is not None), None)
    return reason if isinstance(reason, str) else None


def is_known(reason: str) -> bool:
    """Whether LiteLLM translates this reason rightly."""
    return reason.lower() in _KNOWN


def _tells_reason(raw: dict[str, Any]) -> bool:
    """Whether this is an answer of a wire that tells the reason in a place that is known here."""
    return "stop_reason" in raw or "stopReason" in raw or "candidates" in raw


def tidy(chunk: dict[str, Any], part: str) -> str | None:
    """Makes the members of a body ("message") or chunk ("delta") what they must be, in place.

    What is told beside the answer becomes None where its type is wrong; a wrong answer itself is the reason returned.
    """
    for name in ("id", "model"):
        if not isinstance(chunk.get(name, ""), str):
            chunk[name] = None
    if not isinstance(chunk.get("usage"), dict):
        chunk["usage"] = None
    return next((wrong for choice in chunk.get("choices") or () if (wrong := _tidy_choice(choice, part))), None)


def _tidy_choice(choice: dict[str, Any], part: str) -> str | None:
    if not isinstance(choice.get("finish_reason", ""), str):
        choice["finish_reason"] = None
    if not isinstance(choice.get("index"), int):
        choice["index"] = 0
    if not isinstance(choice.get("logprobs"), dict):
        choice.pop("logprobs", None)
    content = choice.get(part)
    if content is None:
        choice[part] = {}
        return None
    if not isinstance(content, dict):
        return f"{part} is no object"
    for name, value in tuple(content.items()):
        if value is None or (value.__class__ is str and name not in _LISTS):
            continue
        if wrong := _tidy_member(content, name, value):
            return wrong
    return None


_LISTS = frozenset({"tool_calls", "thinking_blocks"})


def _tidy_member(content: dict[str, Any], name: str, value: Any) -> str | None:
    if name == "content":
        return None if isinstance(value, list) else "content is no text"
    if name == "tool_calls":
        if not isinstance(value, list) or not all(isinstance(call, dict) for call in value):
            return "tool_calls is no list of objects"
        return next((wrong for call in value if (wrong := _tidy_call(call))), None)
    if name in ("refusal", "reasoning_content", "reasoning", "role") or (
        name == "thinking_blocks" and not (isinstance(value, list) and all(isinstance(one, dict) for one in value))
    ):
        content[name] = None
    return None


def _tidy_call(call: dict[str, Any]) -> str | None:
    function = call.get("function")
    if function is None:
        function = call["function"] = {}
    if not isinstance(function, dict):
        return "the function of a tool call is no object"
    if not isinstance(function.get("name", ""), str):
        function["name"] = None
    if not isinstance(function.get("arguments", ""), (str, dict)):
        given = function["arguments"]
        function["arguments"] = "" if given is None else msgspec.json.encode(given).decode()
    for name, kind in (("id", str), ("index", int)):
        if name in call and not isinstance(call[name], kind):
            call[name] = None
    return None


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
    if wrong := tidy(body, "message"):
        raise failure.malformed(exchange, request, wrong)
    message = body["choices"][0]["message"]
    says_nothing = not (message.get("content") or message.get("tool_calls") or message.get("reasoning_content"))
    if says_nothing and isinstance(raw, dict) and _ANSWER_NAMES.isdisjoint(raw):
        raise failure.malformed(exchange, request, "the answer is in no known form")


# Where providers put their answers; LiteLLM makes "" of a body that has none of these.
_ANSWER_NAMES = frozenset(
    "choices content candidates promptFeedback output outputs message messages response text generation generations"
    " generated_text completion completions predictions result results data completionMessage".split()
)
