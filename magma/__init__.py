"""magma: an AI model is a value.

>>> import magma
>>> magma.Model("offline/echo")("Say hi!").content
'Say hi!'

Names are loaded on first use (PEP 562): importing magma loads neither LiteLLM nor pydantic.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import batch, dsl, errors, generation, model, parsers, profiles, testing
    from ._call.cache import Cache
    from ._call.hooks import HookHandle, register_hook
    from ._call.stream import Stream
    from ._call.timeout import Timeout
    from .batch import map_gather
    from .blocks import AssistantMessage, ChatBlock, SystemMessage, ToolMessage, UserMessage
    from .contents import Audio, Image, Transcript
    from .environment import load_env, set_envs
    from .errors import ConfigError, MissingExtraError, ModelError, ParseError
    from .model._state import load, save
    from .model.chat import Model, ModelAsync
    from .model.classify import ImageClassifier, TextClassifier
    from .model.embed import Embedder, ImageEmbedder
    from .model.image import ImageEditor, ImageGenerator
    from .model.moderate import Moderator
    from .model.rerank import Reranker
    from .model.speak import Speaker
    from .model.transcribe import Transcriber
    from .parsers.json_parsers import JsonBlockParser, JsonDictParser
    from .profiles import get_model_profile
    from .responses import Attempt, Cost, Generation, Response, Usage
    from .tools import ToolCall, ToolCalls
    from .vectors import Embedding

__version__ = "0.1.0"

_HOMES = {
    "AssistantMessage": "blocks",
    "Attempt": "responses",
    "Audio": "contents",
    "Cache": "_call.cache",
    "ChatBlock": "blocks",
    "ConfigError": "errors",
    "Cost": "responses",
    "Embedder": "model.embed",
    "Embedding": "vectors",
    "Generation": "responses",
    "HookHandle": "_call.hooks",
    "Image": "contents",
    "ImageClassifier": "model.classify",
    "ImageEditor": "model.image",
    "ImageEmbedder": "model.embed",
    "ImageGenerator": "model.image",
    "JsonBlockParser": "parsers.json_parsers",
    "JsonDictParser": "parsers.json_parsers",
    "MissingExtraError": "errors",
    "Model": "model.chat",
    "ModelAsync": "model.chat",
    "ModelError": "errors",
    "Moderator": "model.moderate",
    "ParseError": "errors",
    "Reranker": "model.rerank",
    "Response": "responses",
    "Speaker": "model.speak",
    "Stream": "_call.stream",
    "SystemMessage": "blocks",
    "TextClassifier": "model.classify",
    "Timeout": "_call.timeout",
    "ToolCall": "tools",
    "ToolCalls": "tools",
    "ToolMessage": "blocks",
    "Transcriber": "model.transcribe",
    "Transcript": "contents",
    "Usage": "responses",
    "UserMessage": "blocks",
    "batch": "",
    "dsl": "",
    "errors": "",
    "generation": "",
    "get_model_profile": "profiles",
    "load": "model._state",
    "load_env": "environment",
    "map_gather": "batch",
    "model": "",
    "parsers": "",
    "profiles": "",
    "register_hook": "_call.hooks",
    "save": "model._state",
    "set_envs": "environment",
    "testing": "",
}

__all__ = [
    "AssistantMessage",
    "Attempt",
    "Audio",
    "Cache",
    "ChatBlock",
    "ConfigError",
    "Cost",
    "Embedder",
    "Embedding",
    "Generation",
    "HookHandle",
    "Image",
    "ImageClassifier",
    "ImageEditor",
    "ImageEmbedder",
    "ImageGenerator",
    "JsonBlockParser",
    "JsonDictParser",
    "MissingExtraError",
    "Model",
    "ModelAsync",
    "ModelError",
    "Moderator",
    "ParseError",
    "Reranker",
    "Response",
    "Speaker",
    "Stream",
    "SystemMessage",
    "TextClassifier",
    "Timeout",
    "ToolCall",
    "ToolCalls",
    "ToolMessage",
    "Transcriber",
    "Transcript",
    "Usage",
    "UserMessage",
    "batch",
    "dsl",
    "errors",
    "generation",
    "get_model_profile",
    "load",
    "load_env",
    "map_gather",
    "model",
    "parsers",
    "profiles",
    "register_hook",
    "save",
    "set_envs",
    "testing",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'magma' has no attribute {name!r}")
    value = getattr(import_module(f".{home}", __name__), name) if home else import_module(f".{name}", __name__)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
