"""What a model costs and which providers there are, from LiteLLM's tables read as files.

LiteLLM is not imported for this; its price table is decoded once (20 ms), on first use.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import pathlib
import re
from functools import cache
from typing import Any

from .responses import Cost, Usage

ALIASES = {"google": "gemini", "together": "together_ai", "jinaai": "jina_ai", "vllm": "hosted_vllm"}
"""Provider names of other libraries -> LiteLLM's."""

# A snapshot of litellm 1.109's `LlmProviders`, so that a known provider costs no file access; a name that is
# not here is looked up in the installed LiteLLM.
_KNOWN = frozenset(
    """offline ai21 ai21_chat aiml anthropic azure azure_ai azure_text baseten bedrock bedrock_converse cerebras chatgpt
    clarifai cloudflare codestral cohere cohere_chat cometapi custom custom_openai dashscope databricks deepgram
    deepinfra deepseek elevenlabs fal_ai featherless_ai fireworks_ai friendliai gemini github github_copilot
    gradient_ai groq hosted_vllm huggingface hyperbolic infinity jina_ai lambda_ai litellm_proxy llamafile lm_studio
    meta_llama minimax mistral moonshot nebius novita nscale nvidia_nim oci ollama ollama_chat openai openai_like
    openrouter ovhcloud perplexity recraft replicate sagemaker sagemaker_chat sambanova snowflake
    text-completion-codestral text-completion-openai together_ai topaz triton v0 vercel_ai_gateway vertex_ai
    vertex_ai_beta vllm volcengine voyage wandb watsonx watsonx_text xai xinference zai""".split()
)


def is_provider(name: str) -> bool:
    """Whether LiteLLM knows a provider of this name.

    >>> is_provider("openai"), is_provider("opnai")
    (True, False)
    """
    return name in _KNOWN or name in _installed_providers()


def providers() -> frozenset[str]:
    """The names of all providers that the installed LiteLLM knows, and `offline`."""
    return _KNOWN | _installed_providers()


def _folder() -> pathlib.Path | None:
    spec = importlib.util.find_spec("litellm")
    return None if spec is None or spec.origin is None else pathlib.Path(spec.origin).parent


@cache
def _installed_providers() -> frozenset[str]:
    folder = _folder()
    try:
        source = (folder / "types" / "utils.py").read_text(encoding="utf-8") if folder else ""
    except OSError:
        return frozenset()
    body = re.search(r"^class LlmProviders\b.*?(?=^\S)", source + "\nend", re.MULTILINE | re.DOTALL)
    return frozenset(re.findall(r'^\s+\w+ = "([^"]+)"', body[0], re.MULTILINE)) if body else frozenset()


@cache
def _table() -> dict[str, dict[str, Any]]:
    import msgspec

    folder = _folder()
    try:
        data = (folder / "model_prices_and_context_window_backup.json").read_bytes() if folder else b"{}"
        table: dict[str, dict[str, Any]] = msgspec.json.decode(data)
    except (OSError, msgspec.DecodeError):
        return {}
    return table


@cache
def _source() -> str:
    return f"litellm {importlib.metadata.version('litellm')}"


@cache
def entry(model: str) -> tuple[str, dict[str, Any]] | None:
    """The table's key and entry for a model id such as "openai/gpt-4o"; None for a model it does not know."""
    provider, _, name = model.partition("/")
    for key in (model, name):
        found = _table().get(key)
        if found is not None and (key == model or _is_of(found, provider)):
            return key, found
    return None


def _is_of(found: dict[str, Any], provider: str) -> bool:
    """Whether an entry without a provider in its key is this provider's: a local model never costs OpenAI's price."""
    owner = str(found.get("litellm_provider") or "")
    return owner == provider or owner.partition("-")[0] == provider or owner.startswith(provider + "_")


def price(model: str, usage: Usage | None, *, reported: float | None = None) -> tuple[Cost | None, str | None]:
    """The dollars of a call and None, or None and the reason why they are unknown.

    Args:
        model: the model id that was asked.
        usage: its tokens.
        reported: the dollars that the provider itself says, which win.

    >>> price("openai/gpt-4o", None)
    (None, 'the provider reported no usage')
    """
    if reported is not None:
        return Cost(reported, source="provider"), None
    if usage is None or usage.input_tokens is None or usage.output_tokens is None:
        return None, "the provider reported no usage"
    if model.startswith("offline/"):
        return Cost(0.0, input=0.0, output=0.0, source="offline: nothing was asked"), None
    found = entry(model)
    if found is None:
        return None, f"{_source()} has no price for {model}"
    key, row = found
    rates = {name: _rate(row, name, usage.input_tokens) for name in ("input_cost_per_token", "output_cost_per_token")}
    if None in rates.values():
        return None, f"{_source()} has no price for {model}"
    input_cost = _input_cost(row, usage, float(rates["input_cost_per_token"] or 0))
    output_cost = _output_cost(row, usage, float(rates["output_cost_per_token"] or 0))
    return Cost(input_cost + output_cost, input=input_cost, output=output_cost, source=f"{_source()}: {key}"), None


def _rate(row: dict[str, Any], name: str, tokens: int) -> float | None:
    """The price per token, of the highest tier (`…_above_200k_tokens`) that this many input tokens reach."""
    rate, reached = row.get(name), 0
    for key, value in row.items():
        match = re.fullmatch(rf"{name}_above_(\d+)k_tokens", key)
        if match and value is not None and tokens > int(match[1]) * 1000 > reached:
            rate, reached = value, int(match[1]) * 1000
    return rate


def _input_cost(row: dict[str, Any], usage: Usage, rate: float) -> float:
    tokens = usage.input_tokens or 0
    read, written = usage.cache_read_tokens or 0, usage.cache_write_tokens or 0
    read_rate = _rate(row, "cache_read_input_token_cost", tokens)
    write_rate = _rate(row, "cache_creation_input_token_cost", tokens)
    cost = max(tokens - read - written, 0) * rate
    return (
        cost
        + read * (rate if read_rate is None else read_rate)
        + written * (rate if write_rate is None else write_rate)
    )


def _output_cost(row: dict[str, Any], usage: Usage, rate: float) -> float:
    tokens, thought = usage.output_tokens or 0, usage.reasoning_tokens or 0
    thought_rate = row.get("output_cost_per_reasoning_token")
    if thought_rate is None:
        return tokens * rate
    return max(tokens - thought, 0) * rate + thought * float(thought_rate)
