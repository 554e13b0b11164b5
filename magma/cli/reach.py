"""Which keys and addresses of providers the environment names, and whether the addresses take a connection."""

from __future__ import annotations

import os
import socket
import threading
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

PATIENCE = 2.0  # seconds for one connection

# provider -> where LiteLLM calls it, and the variables of its key beside <PROVIDER>_API_KEY
_HOSTS: dict[str, tuple[str | None, str]] = {
    "ai21": ("api.ai21.com", ""),
    "anthropic": ("api.anthropic.com", ""),
    "azure": (None, "AZURE_OPENAI_API_KEY AZURE_AD_TOKEN"),
    "bedrock": (None, "AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_BEARER_TOKEN_BEDROCK"),
    "cerebras": ("api.cerebras.ai", ""),
    "codestral": ("codestral.mistral.ai", ""),
    "cohere": ("api.cohere.ai", "CO_API_KEY"),
    "dashscope": ("dashscope-intl.aliyuncs.com", ""),
    "databricks": (None, "DATABRICKS_TOKEN"),
    "deepgram": ("api.deepgram.com", ""),
    "deepinfra": ("api.deepinfra.com", ""),
    "deepseek": ("api.deepseek.com", ""),
    "elevenlabs": ("api.elevenlabs.io", ""),
    "fireworks_ai": ("api.fireworks.ai", "FIREWORKS_API_KEY FIREWORKSAI_API_KEY FIREWORKS_AI_TOKEN"),
    "gemini": ("generativelanguage.googleapis.com", "GOOGLE_API_KEY"),
    "groq": ("api.groq.com", ""),
    "huggingface": ("router.huggingface.co", "HF_TOKEN"),
    "jina_ai": ("api.jina.ai", "JINA_API_KEY"),
    "mistral": ("api.mistral.ai", ""),
    "moonshot": ("api.moonshot.ai", ""),
    "nvidia_nim": ("integrate.api.nvidia.com", ""),
    "openai": ("api.openai.com", ""),
    "openrouter": ("openrouter.ai", "OR_API_KEY"),
    "perplexity": ("api.perplexity.ai", "PERPLEXITYAI_API_KEY"),
    "replicate": ("api.replicate.com", "REPLICATE_API_TOKEN"),
    "sambanova": ("api.sambanova.ai", ""),
    "together_ai": ("api.together.xyz", "TOGETHERAI_API_KEY TOGETHER_API_KEY TOGETHER_AI_TOKEN"),
    "voyage": ("api.voyageai.com", "VOYAGE_AI_API_KEY VOYAGE_AI_TOKEN"),
    "watsonx": (None, "WATSONX_APIKEY WATSONX_TOKEN WX_API_KEY"),
    "xai": ("api.x.ai", ""),
}


@dataclass(frozen=True, slots=True)
class Target:
    """An address, and what names it: a provider or a variable."""

    name: str
    host: str
    port: int = 443


def keys() -> dict[str, str]:
    """The variables in the environment that hold a provider's key -> the provider."""
    from .. import profiles

    known = {f"{provider.upper().replace('-', '_')}_API_KEY": provider for provider in profiles.providers()}
    known |= {variable: provider for provider, (_, names) in _HOSTS.items() for variable in names.split()}
    return {name: known[name] for name in sorted(known) if os.environ.get(name)}


def bases() -> dict[str, str]:
    """The variables in the environment that give a provider's address, or the default one -> the provider, or ""."""
    from .. import profiles

    found = {}
    for name in sorted(os.environ):
        for ending in ("_API_BASE", "_BASE_URL"):
            owner = name.removesuffix(ending)
            if owner == name or not os.environ[name]:
                continue
            provider = profiles.ALIASES.get(owner.lower(), owner.lower())
            if profiles.is_provider(provider):
                found[name] = provider
            elif owner.startswith("MAGMA_") and owner.endswith("_DEFAULT"):
                found[name] = ""
    return found


def address(url: str) -> tuple[str, int]:
    """Host and port of a URL.

    >>> address("http://localhost:8000/v1"), address("https://example.com")
    (('localhost', 8000), ('example.com', 443))

    Raises:
        ValueError: it is no http(s) URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("it must be an http(s) URL such as http://localhost:8000/v1")
    return parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def host_of(provider: str) -> str | None:
    """Where the provider is called unless a variable says otherwise; None where it is not known or depends."""
    return _HOSTS.get(provider, (None, ""))[0]


def connected(targets: list[Target]) -> dict[Target, float | str]:
    """Connects to all at once and sends nothing: the seconds that it took, or why there is no connection."""
    results: dict[Target, float | str] = {}
    threads = [threading.Thread(target=_connect, args=(target, results), daemon=True) for target in targets]
    for thread in threads:
        thread.start()
    end = time.monotonic() + PATIENCE + 0.5
    for thread in threads:
        thread.join(max(end - time.monotonic(), 0))  # looking a name up has no timeout of its own
    return {target: results.get(target, f"no connection within {PATIENCE:g} s") for target in targets}


def _connect(target: Target, results: dict[Target, float | str]) -> None:
    began = time.monotonic()
    try:
        socket.create_connection((target.host, target.port), timeout=PATIENCE).close()
        results[target] = time.monotonic() - began
    except TimeoutError:
        results[target] = f"no connection within {PATIENCE:g} s"
    except (OSError, UnicodeError) as error:  # UnicodeError: a host that is no host name
        results[target] = getattr(error, "strerror", None) or str(error)
