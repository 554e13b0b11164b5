"""Test code that calls models: scripted answers, no accidental requests, cassettes, and a server with faults.

>>> from magma import Model, testing
>>> with testing.scripted() as script:
...     script.enqueue("Hello there!", testing.structured({"name": "Alice"}))
...     Model("openai/gpt-4o")("Hi").content, Model("anthropic/claude-sonnet-4-5")("Who?").content
('Hello there!', '{"name":"Alice"}')
>>> [request.text for request in script.requests]
['Hi', 'Who?']

Every other type of model is scripted with plain values too: a vector, a transcript, bytes of sound, an image's URL, a
bool (flagged?), a label, scores.

>>> from magma import Embedder, Moderator, Speaker
>>> with testing.scripted() as script:
...     script.enqueue([0.5, 0.25], True, b"ID3 sound")
...     Embedder("openai/any")("Hi").content, Moderator("openai/any")("Hi").content.safe, Speaker("openai/any")("Hi").content
([0.5, 0.25], False, <Audio mp3 9 B>)

With pytest, the fixtures `magma_script`, `magma_no_requests`, `magma_cassette` and `magma_server` do the same for one
test each; they come with magma, nothing has to be switched on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

# Not lazy, and light: a submodule that is imported later would take the place of the function of its name.
from .scripted import NoScriptedAnswer, Recorded, Script, enqueue, no_requests, requests, scripted, structured

if TYPE_CHECKING:
    from .cassettes import cassette
    from .faults import FAULTS
    from .server import Server
    from .wire import Received, Reply

_HOMES = {"FAULTS": "faults", "Received": "wire", "Reply": "wire", "Server": "server", "cassette": "cassettes"}

__all__ = [
    "FAULTS",
    "NoScriptedAnswer",
    "Received",
    "Recorded",
    "Reply",
    "Script",
    "Server",
    "cassette",
    "enqueue",
    "no_requests",
    "requests",
    "scripted",
    "structured",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
