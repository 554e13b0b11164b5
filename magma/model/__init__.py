"""The model types: frozen, callable configurations (`Model` for chat), and what belongs to calling them.

Names are loaded on first use, so that a handle can be made without loading what only a call needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .._call.cache import Cache
    from .._call.hooks import HookHandle, register_hook
    from .._call.stream import Stream
    from .._call.timeout import Timeout
    from ..errors import ModelError
    from ..responses import Generation
    from .chat import Model, ModelAsync
    from .classify import ImageClassifier, TextClassifier
    from .embed import Embedder, ImageEmbedder
    from .image import ImageEditor, ImageGenerator
    from .moderate import Moderator
    from .rerank import Reranker
    from .speak import Speaker
    from .transcribe import Transcriber

_HOMES = {
    "Cache": "magma._call.cache",
    "Embedder": "magma.model.embed",
    "Generation": "magma.responses",
    "HookHandle": "magma._call.hooks",
    "ImageClassifier": "magma.model.classify",
    "ImageEditor": "magma.model.image",
    "ImageEmbedder": "magma.model.embed",
    "ImageGenerator": "magma.model.image",
    "Model": "magma.model.chat",
    "ModelAsync": "magma.model.chat",
    "ModelError": "magma.errors",
    "Moderator": "magma.model.moderate",
    "Reranker": "magma.model.rerank",
    "Speaker": "magma.model.speak",
    "Stream": "magma._call.stream",
    "TextClassifier": "magma.model.classify",
    "Timeout": "magma._call.timeout",
    "Transcriber": "magma.model.transcribe",
    "register_hook": "magma._call.hooks",
}

__all__ = [
    "Cache",
    "Embedder",
    "Generation",
    "HookHandle",
    "ImageClassifier",
    "ImageEditor",
    "ImageEmbedder",
    "ImageGenerator",
    "Model",
    "ModelAsync",
    "ModelError",
    "Moderator",
    "Reranker",
    "Speaker",
    "Stream",
    "TextClassifier",
    "Timeout",
    "Transcriber",
    "register_hook",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
