"""Which provider serves which model type, as far as LiteLLM's own files tell.

They are read as text: the table's modes, LiteLLM's list of endpoints, the providers that its functions name, and the
folders of its providers. None of these is complete, so together they say who can; nobody is refused whom one names.
"""

from __future__ import annotations

import re
from functools import cache

import msgspec

from ..errors import ConfigError
from .names import ALIASES, COMPATIBLE, folder, installed, is_provider, members, text_of
from .table import owner_of, table

MODEL_TYPES = (
    "chat_completion",
    "text_embedder",
    "text_to_image",
    "image_text_to_image",
    "text_to_speech",
    "speech_to_text",
    "moderation",
    "text_classifier",
    "image_classifier",
    "image_embedder",
    "text_reranker",
)
"""The model types, in the order in which they are shown."""

ALWAYS = frozenset("openai azure hosted_vllm litellm_proxy openai_like custom_openai custom offline".split())
"""Providers that only say which wire to speak, or serve everything: never refused."""

# Of those and others, what LiteLLM refuses before anything is sent: each was tried, on 1.106.2.
_NEVER = {
    "text_reranker": "openai azure cohere_chat custom custom_openai openai_like",
    "text_embedder": "aiml apertis chutes custom custom_openai poe synthetic",
    "image_embedder": "custom custom_openai",
    "text_to_speech": "azure_text custom custom_openai oobabooga openai_like text-completion-openai",
    "speech_to_text": "azure_text custom custom_openai oobabooga openai_like text-completion-openai",
    "image_text_to_image": "custom custom_openai meta openai_like",
}
_REFUSED = {model_type: frozenset(names.split()) for model_type, names in _NEVER.items()}

_FIRST = "openai google anthropic groq together replicate ollama cerebras sambanova jinaai openrouter imagerouter vllm".split()

# model type -> the table's modes, the key in LiteLLM's list of endpoints, and (file, function) that name providers
_EVIDENCE: dict[str, tuple[tuple[str, ...], str, tuple[tuple[str, str], ...]]] = {
    "chat_completion": (("chat", "responses", "completion"), "chat_completions", ()),
    "text_embedder": (
        ("embedding",),
        "embeddings",
        (("main.py", "embedding"), ("utils.py", r"\w*_embedding_config")),
    ),
    "text_to_image": (
        ("image_generation",),
        "image_generations",
        (("images/main.py", "image_generation"), ("utils.py", r"\w*_image_generation_config")),
    ),
    "image_text_to_image": (
        ("image_edit",),
        "image_edits",
        (("images/main.py", "image_edit"), ("utils.py", r"\w*_image_edit_config")),
    ),
    "text_to_speech": (
        ("audio_speech",),
        "audio_speech",
        (("main.py", "speech"), ("utils.py", r"\w*_text_to_speech_config")),
    ),
    "speech_to_text": (
        ("audio_transcription",),
        "audio_transcriptions",
        (("main.py", "transcription"), ("utils.py", r"\w*_audio_transcription_config")),
    ),
    "moderation": (("moderation",), "moderations", (("main.py", "moderation"), ("main.py", "amoderation"))),
    "text_reranker": (
        ("rerank",),
        "rerank",
        (("rerank_api/main.py", "rerank"), ("utils.py", r"\w*_rerank_config")),
    ),
}
_FOLDERS = {
    "text_embedder": "embed",
    "text_to_image": "image_gen",
    "image_text_to_image": "image_edit",
    "text_to_speech": "speech",
    "speech_to_text": "transcription",
    "moderation": "moderation",
    "text_reranker": "rerank",
}
"""What the folder is called in which LiteLLM keeps a provider's code for this operation."""
_COMPATIBLE_TYPES = {"imagerouter": ("chat_completion", "text_to_image", "image_text_to_image")}
# Some of what the evidence says, so that making a usual handle reads no file.
_SURE = {
    "text_embedder": frozenset("bedrock cohere gemini jina_ai mistral ollama together_ai vertex_ai voyage".split()),
    "text_to_image": frozenset("bedrock gemini vertex_ai xai".split()),
    "text_to_speech": frozenset("elevenlabs gemini groq vertex_ai".split()),
    "speech_to_text": frozenset("deepgram elevenlabs gemini groq".split()),
    "text_reranker": frozenset("bedrock cohere jina_ai together_ai voyage".split()),
}
_SERVED_BY = {
    "text_classifier": "chat_completion",
    "image_classifier": "chat_completion",
    "image_embedder": "text_embedder",
}
"""Types that are served by another type's operation."""


def providers_by_type() -> dict[str, list[str]]:
    """Model type -> the providers that can serve it: the best known first, under their usual names, then the rest.

    >>> providers_by_type()["chat_completion"][:5]
    ['openai', 'google', 'anthropic', 'groq', 'together']
    """
    return {model_type: _sorted(_serving(model_type)) for model_type in MODEL_TYPES}


def is_provider_of(provider: str, model_type: str) -> bool:
    """Whether this provider is one, and the installed LiteLLM may serve this type with it.

    False for a name that `is_provider` does not know, and where LiteLLM certainly cannot; every doubt is a yes.

    >>> is_provider_of("anthropic", "chat_completion"), is_provider_of("anthropic", "text_embedder")
    (True, False)
    >>> is_provider_of("google", "text_embedder"), is_provider_of("opnai", "chat_completion")
    (True, False)

    Raises:
        ConfigError: there is no such model type.
    """
    if model_type not in MODEL_TYPES:
        raise ConfigError(f"there is no model type {model_type!r}: use one of {', '.join(MODEL_TYPES)}")
    operation, name = _SERVED_BY.get(model_type, model_type), ALIASES.get(provider, provider)
    if name in _REFUSED.get(model_type, ()):
        return False
    if name in COMPATIBLE:
        return operation in _COMPATIBLE_TYPES[name]
    if name in ALWAYS or name in _SURE.get(operation, ()):
        return True
    if operation == "chat_completion" or not is_provider(name):
        return is_provider(name)
    if name in _compatible() or name in _evident(operation) or name in _named_in(operation):
        return True
    return name not in _endpoints()  # LiteLLM's list does not have it: nothing is certain


def _serving(model_type: str) -> frozenset[str]:
    operation = _SERVED_BY.get(model_type, model_type)
    found = _evident(operation)
    if operation == "chat_completion":
        found |= _compatible()
    if model_type == "image_embedder":
        found = _image_embedders()
    ours = {name for name, served in _COMPATIBLE_TYPES.items() if operation in served}
    return ((found & installed()) | ALWAYS | ours) - _REFUSED.get(model_type, frozenset())


def _sorted(names: frozenset[str]) -> list[str]:
    usual = [name for name in _FIRST if ALIASES.get(name, name) in names]
    shown = {ALIASES.get(name, name) for name in usual}
    return usual + sorted(names - shown - set(ALIASES))  # LiteLLM's own "vllm" cannot be named: it is an alias


@cache
def _evident(operation: str) -> frozenset[str]:
    """The providers that a row of the table, the list of endpoints, a branch of the code or a folder is about."""
    modes, endpoint, places = _EVIDENCE[operation]
    owners = {name for row in table().values() if row.get("mode") in modes for name in (owner_of(row), _owner(row))}
    listed = {name for name, ends in _endpoints().items() if ends.get(endpoint) is True}
    branches: set[str] = set()
    for place in places:
        code = _code(*place)
        branches.update(re.findall(r'custom_llm_provider\s*==\s*"([\w-]+)"', code))
        branches.update(members().get(member, "") for member in re.findall(r"LlmProviders\.(\w+)", code))
    edits = _editors() if operation == "image_text_to_image" else frozenset()
    return (edits | owners | listed | branches | _with_folder(_FOLDERS.get(operation))) - {""}


def _owner(row: dict[str, object]) -> str:
    return str(row.get("litellm_provider") or "")


def _editors() -> frozenset[str]:
    edits = (row for row in table().values() if "/v1/images/edits" in (row.get("supported_endpoints") or ()))
    return frozenset(owner_of(row) for row in edits)


def _with_folder(word: str | None) -> set[str]:
    home = folder()
    if home is None or word is None:
        return set()
    return {place.parent.name for place in home.glob(f"llms/*/*{word}*")}


@cache
def _image_embedders() -> frozenset[str]:
    flags = ("supports_embedding_image_input", "supports_image_input")
    rows = (row for row in table().values() if row.get("mode") == "embedding")
    takes = (
        row for row in rows if any(row.get(flag) for flag in flags) or "image" in str(row.get("supported_modalities"))
    )
    return frozenset(owner_of(row) for row in takes) | {
        "jina_ai"
    }  # its CLIP models; the table has none of its embeddings


@cache
def _named_in(operation: str) -> frozenset[str]:
    """Every provider whose name is quoted anywhere in the operation's code: reason enough not to refuse it."""
    codes = [_code(*place) for place in _EVIDENCE[operation][2]]
    if not any(codes):
        return installed()  # LiteLLM is not built as expected: nothing is certain
    return frozenset(re.findall(r'"([\w-]+)"', "\n".join(codes))) & installed()


@cache
def _compatible() -> frozenset[str]:
    """The providers that LiteLLM asks with OpenAI's client, for whatever operation."""
    start, end = r"^openai_compatible_providers\b.*?=\s*\[", r"(.*?)^\]"
    lists = re.search(start + end, text_of("constants.py"), re.MULTILINE | re.DOTALL)
    try:
        more = msgspec.json.decode(text_of("llms", "openai_like", "providers.json") or "{}", type=dict[str, object])
    except msgspec.MsgspecError:
        more = {}
    return frozenset([*re.findall(r'"([\w.-]+)"', lists[1] if lists else ""), *more]) & installed()


@cache
def _endpoints() -> dict[str, dict[str, object]]:
    try:
        data = msgspec.json.decode(text_of("provider_endpoints_support_backup.json") or "{}")
        return {name: entry["endpoints"] for name, entry in data["providers"].items()}
    except (msgspec.MsgspecError, KeyError, TypeError, AttributeError):
        return {}


@cache
def _code(file: str, function: str) -> str:
    """The text of a function, all its overloads; "" where there is none."""
    text, parts = text_of(*file.split("/")), []
    for head in re.finditer(rf"^( *)(?:async )?def {function}\(", text, re.MULTILINE):
        next_one = re.compile(rf"^ {{0,{len(head[1])}}}(?:(?:async )?def |class |@)", re.MULTILINE)
        end = next_one.search(text, head.end())
        parts.append(text[head.start() : end.start() if end else len(text)])
    return "\n".join(parts)
