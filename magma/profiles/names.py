"""The names of providers: which there are, and what other libraries call them.

Making a handle asks here, so nothing is imported or read for a provider that is known.
"""

from __future__ import annotations

import pathlib
import re
from functools import cache

ALIASES = {"google": "gemini", "together": "together_ai", "jinaai": "jina_ai", "vllm": "hosted_vllm"}
"""Provider names of other libraries -> LiteLLM's."""


COMPATIBLE = {"imagerouter": ("https://api.imagerouter.io/v1/openai", "IMAGEROUTER_API_KEY")}
"""Provider -> base URL and the variable of its key, for those that LiteLLM does not know and that speak OpenAI's wire."""

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
).union(COMPATIBLE)


def is_provider(name: str) -> bool:
    """Whether LiteLLM, or `COMPATIBLE`, knows a provider of this name.

    >>> is_provider("openai"), is_provider("imagerouter"), is_provider("opnai")
    (True, True, False)
    """
    return name in _KNOWN or name in installed()


def providers() -> frozenset[str]:
    """The names of all providers that the installed LiteLLM knows, of those in `COMPATIBLE`, and `offline`."""
    return _KNOWN | installed()


@cache
def folder() -> pathlib.Path | None:
    """Where LiteLLM is installed; None where it is not. It is not imported."""
    import importlib.util

    spec = importlib.util.find_spec("litellm")
    return None if spec is None or spec.origin is None else pathlib.Path(spec.origin).parent


def text_of(*path: str) -> str:
    """A file of the installed LiteLLM; "" where there is none."""
    home = folder()
    try:
        return home.joinpath(*path).read_text(encoding="utf-8") if home else ""
    except (OSError, UnicodeDecodeError):
        return ""


@cache
def members() -> dict[str, str]:
    """LiteLLM's enumeration of providers: member -> name, e.g. `{"TOGETHER_AI": "together_ai", …}`."""
    source = text_of("types", "utils.py")
    body = re.search(r"^class LlmProviders\b.*?(?=^\S)", source + "\nend", re.MULTILINE | re.DOTALL)
    return dict(re.findall(r'^\s+(\w+) = "([^"]+)"', body[0], re.MULTILINE)) if body else {}


@cache
def installed() -> frozenset[str]:
    """The providers that the installed LiteLLM knows."""
    return frozenset(members().values())
