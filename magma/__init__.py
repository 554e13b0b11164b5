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
    from . import errors, model, profiles, testing
    from ._call.cache import Cache
    from ._call.hooks import HookHandle, register_hook
    from ._call.stream import Stream
    from ._call.timeout import Timeout
    from .errors import ConfigError, MissingExtraError, ModelError
    from .model.chat import Model, ModelAsync
    from .responses import Attempt, Cost, Generation, ToolCall, Usage

__version__ = "0.1.0"

_HOMES = {
    "Attempt": "responses",
    "Cache": "_call.cache",
    "ConfigError": "errors",
    "Cost": "responses",
    "Generation": "responses",
    "HookHandle": "_call.hooks",
    "MissingExtraError": "errors",
    "Model": "model.chat",
    "ModelAsync": "model.chat",
    "ModelError": "errors",
    "Stream": "_call.stream",
    "Timeout": "_call.timeout",
    "ToolCall": "responses",
    "Usage": "responses",
    "errors": "",
    "model": "",
    "profiles": "",
    "register_hook": "_call.hooks",
    "testing": "",
}

__all__ = [
    "Attempt",
    "Cache",
    "ConfigError",
    "Cost",
    "Generation",
    "HookHandle",
    "MissingExtraError",
    "Model",
    "ModelAsync",
    "ModelError",
    "Stream",
    "Timeout",
    "ToolCall",
    "Usage",
    "errors",
    "model",
    "profiles",
    "register_hook",
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
