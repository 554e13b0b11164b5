"""How an object is asked for: the provider's own structured output, a tool whose arguments it is, or a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from .. import profiles
from .._call.request import Request
from ..errors import BadRequestError, ContentFilterError, ContextWindowError, ModelError
from ..parsers.schema import Schema

NATIVE, TOOL, INSTRUCTION = MODES = ("native", "tool", "instruction")
TOOL_NAME = "json_tool_call"  # as LiteLLM calls the tool whose arguments are an object
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


def chosen(model: Any) -> tuple[str, str]:
    """The mode for this model and its id: the one that was found to work, else the one that is likely to."""
    id = f"{model.provider}/{model.name}"
    return _learnt.get((id, model.api_base)) or mode_of(model), id


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
        thinking, effort = model.extra.get("thinking") or {"type": "disabled"}, getattr(model, "reasoning_effort", None)
        thinks = thinking.get("type") != "disabled" or effort not in (None, "none")
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


def asked_for(inputs: dict[str, Any], schema: Schema, how: tuple[str, str]) -> dict[str, Any]:
    """The inputs of a request that asks for the schema's object in this mode of this model, with a warning if it is not native."""
    mode, model = how
    if mode != NATIVE:
        inputs = {**inputs, "warnings": (_told(model, mode),)}
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


_NO_SCHEMAS = (
    "response_format",
    "json_schema",
    "response format",
    "structured output",
    "output_config",
    "responseschema",
)


def asks_by_tool(request: Request) -> bool:
    """Whether the object is asked for by a tool."""
    return any(_is_tool(tool) for tool in request.inputs.get("tools") or ())


def _is_tool(tool: Mapping[str, Any]) -> bool:
    return (tool.get("function") or {}).get("name") == TOOL_NAME


def asked_otherwise(request: Request, error: ModelError, schema: Schema, *, had_tools: bool) -> Request | None:
    """The request in the next mode, where the provider refuses the one that was tried; it is remembered."""
    if not isinstance(error, BadRequestError) or isinstance(error, (ContextWindowError, ContentFilterError)):
        return None
    words = f"{error} {error.body or ''}".lower()
    if "logprobs" in words and "logprobs" in request.inputs:  # they are nice to have, for a classifier's scores
        return _with_inputs(request, logprobs=None, top_logprobs=None)
    if "response_format" in request.inputs and any(mark in words for mark in _NO_SCHEMAS):
        mode = TOOL
    elif asks_by_tool(request) and not had_tools and "tool" in words:
        mode = INSTRUCTION
    else:
        return None
    if len(_learnt) < _MOST and "invalid schema" not in words:  # which says something of this schema alone
        _learnt[request.model, request.api_base] = mode
    tools = [tool for tool in request.inputs.get("tools", ()) if not _is_tool(tool)] or None
    plain = {**request.inputs, "response_format": None, "tool_choice": None, "tools": tools}
    changed = asked_for(plain, schema, (mode, request.model))
    warnings = changed.pop("warnings")
    return msgspec.structs.replace(_with_inputs(request, **changed), warnings=warnings)


def _with_inputs(request: Request, **changes: Any) -> Request:
    """The request with these inputs, without those that are None."""
    inputs = {name: value for name, value in {**request.inputs, **changes}.items() if value is not None}
    return msgspec.structs.replace(request, inputs=type(request.inputs)(inputs))
