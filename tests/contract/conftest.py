"""Every model type by every driver: the rows and columns of the contract suite.

`kind` is a model type with something to ask and a good answer; `way` is a kind and a driver that applies to it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
import trio

import magma
from magma._call import dispatch
from magma._call.engine import engine
from magma.testing import Reply, Server
from magma.testing.others import SOUND, pixel

KEY = "sk-contract-0123456789abcdef"
LABELS = ["positive", "negative"]
SAID = Reply.chat('{"label": "positive"}')


@dataclass(frozen=True)
class Kind:
    """A model type: what is asked, and what comes."""

    type: Any
    id: str
    inputs: tuple[Any, ...]
    shape: Callable[[Any], Any]
    """What of the content is compared."""
    content: Any
    params: dict[str, Any] = field(default_factory=dict)
    """Parameters that its handle can have."""
    needs: dict[str, Any] = field(default_factory=dict)
    """Fields without which it cannot be called."""
    reply: Reply | None = None
    streamed: Reply | None = None
    path: str = "/v1"

    def handle(self, server: Any, **changes: Any) -> Any:
        """A handle that asks this server."""
        base = {"api_base": f"{server.url}{self.path}", "api_key": KEY, "timeout": 30}
        return self.type(self.id, **self.needs | base | changes)

    def good(self, streams: bool) -> Any:
        """The good answer; None is what the server says by itself."""
        return self.streamed if streams else self.reply


@dataclass(frozen=True)
class Way:
    """A kind and a driver."""

    kind: Kind
    driver: str

    @property
    def streams(self) -> bool:
        return "stream" in self.driver

    @property
    def good(self) -> Any:
        return self.kind.good(self.streams)

    def ask(self, handle: Any) -> Any:
        """The response of one call; of a stream, after its end."""
        return DRIVERS[self.driver](handle, self.kind.inputs)


def _consumed(handle: Any, inputs: Any) -> Any:
    stream = handle(*inputs, stream=True)
    pieces = [delta.content for delta in stream]
    assert pieces, "a stream that ended well had deltas"
    return stream.response


async def _aconsumed(handle: Any, inputs: Any) -> Any:
    stream = await handle.acall(*inputs, stream=True)
    assert [delta.content async for delta in stream]
    return stream.response


DRIVERS: dict[str, Callable[[Any, Any], Any]] = {
    "called": lambda handle, inputs: handle(*inputs),
    "call": lambda handle, inputs: handle.call(*inputs),
    "acall on asyncio": lambda handle, inputs: asyncio.run(handle.acall(*inputs)),
    "acall on trio": lambda handle, inputs: trio.run(partial(handle.acall, *inputs)),
    "stream": _consumed,
    "stream on asyncio": lambda handle, inputs: asyncio.run(_aconsumed(handle, inputs)),
    "stream on trio": lambda handle, inputs: trio.run(_aconsumed, handle, inputs),
}


def _label(content: Any) -> Any:
    return content["label"]


def _all(content: Any) -> Any:
    return content


KINDS = [
    Kind(
        magma.Model,
        "openai/gpt-4o",
        ("Hi",),
        _all,
        "Hello there!",
        {"temperature": 0.7, "stop": ("a", "b"), "logit_bias": {"1": 2.0}},
        reply=Reply.chat(),
        streamed=Reply.stream(),
    ),
    Kind(magma.Embedder, "openai/text-embedding-3-small", (["Hi", "you"],), len, 2, {"dimensions": 8}),
    Kind(magma.ImageEmbedder, "openai/clip", (pixel(),), len, 1536, {"input_type": "image"}),
    Kind(
        magma.Transcriber,
        "openai/whisper-1",
        (b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(28),),
        _all,
        "Hello, this is a test.",
        {"language": "en", "timestamp_granularities": ("word", "segment")},
    ),
    Kind(
        magma.Speaker,
        "openai/tts-1",
        ("Hello",),
        _all,
        SOUND,
        {"voice": "nova", "speed": 1.5},
        streamed=Reply.speech([SOUND[:100], SOUND[100:]]),
    ),
    Kind(
        magma.ImageGenerator,
        "openai/dall-e-3",
        ("A cat",),
        _all,
        "https://example.com/image.png",
        {"size": "1024x1024"},
    ),
    Kind(magma.ImageEditor, "openai/gpt-image-1", ("Night", pixel()), lambda image: image.bytes(), pixel(), {"n": 1}),
    Kind(magma.Moderator, "openai/omni-moderation-latest", ("Hi",), lambda verdict: verdict["safe"], True),
    Kind(
        magma.TextClassifier,
        "openai/gpt-4o",
        ("Good!",),
        _label,
        "positive",
        {"max_tokens": 9},
        {"labels": LABELS},
        SAID,
    ),
    Kind(
        magma.ImageClassifier,
        "openai/gpt-4o",
        (pixel(),),
        _label,
        "positive",
        {"max_tokens": 9},
        {"labels": LABELS},
        SAID,
    ),
    Kind(
        magma.Reranker,
        "cohere/rerank-v3.5",
        ("query", ["a", "b", "c"]),
        lambda ranked: [one["document"] for one in ranked],
        ["c", "b", "a"],
        {"top_n": 2},
        path="",
    ),
]
STREAMING = (magma.Model, magma.Speaker)
WAYS = [Way(kind, driver) for kind in KINDS for driver in DRIVERS if "stream" not in driver or kind.type in STREAMING]


@pytest.fixture
def kinds():
    """All of them."""
    return KINDS


@pytest.fixture(params=KINDS, ids=lambda kind: kind.type.__name__)
def kind(request):
    return request.param


@pytest.fixture(params=WAYS, ids=lambda way: f"{way.kind.type.__name__}-{way.driver}")
def way(request):
    return request.param


@pytest.fixture(scope="session", autouse=True)
def litellm_is_loaded():
    """Its import is nobody's half a second."""
    engine().start(lambda job: asyncio.to_thread(dispatch.load, "openai")).take()


@pytest.fixture(scope="session")
def one_server():
    with Server() as server:
        yield server


@pytest.fixture
def server(one_server):
    """A server that answers by itself, as new."""
    default = one_server.default
    yield one_server
    one_server.reset()
    one_server.default = default
