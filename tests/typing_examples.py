"""What type checkers must accept and infer; checked by mypy --strict and pyright, not run."""

from collections.abc import Sequence
from typing import Any, assert_type

import msgspec

from magma import (
    Cache,
    ChatBlock,
    ConfigError,
    Cost,
    Embedder,
    Embedding,
    Generation,
    Model,
    ModelAsync,
    Reranker,
    Response,
    Speaker,
    Stream,
    SystemMessage,
    TextClassifier,
    Timeout,
    Usage,
    get_model_profile,
    register_hook,
)
from magma.errors import ModelError, TimeoutError

model = Model(
    "openai/gpt-4o", temperature=0.7, stop=["a"], timeout=Timeout(total=3), cache=Cache(), thinking={"type": "enabled"}
)
assert_type(model.id, str)
assert_type(model.temperature, float | None)
assert_type(model.with_(temperature=0.1), Model)
assert_type(ModelAsync("openai/gpt-4o").with_(seed=1), ModelAsync)
assert_type(model.provider, str)

assert_type(model("Hi"), Generation)
assert_type(model([{"role": "user", "content": "Hi"}], stream=False, temperature=0.0), Generation)
assert_type(model("Hi", stream=True), Stream[Generation])


def either(flag: bool) -> Generation | Stream[Generation]:
    return model("Hi", stream=flag)


for delta in model("Hi", stream=True):
    assert_type(delta, Generation)
for piece in model("Hi", stream=True).consume():
    assert_type(piece, str)


class Event(msgspec.Struct):
    name: str


assert_type(model("Hi", schema=Event), Generation[Event])
assert_type(model("Hi", schema=Event).parsed, Event | None)
assert_type(model("Hi", schema={"type": "object"}), Generation)
assert_type(model("Hi", schema=Event, stream=True), Stream[Generation[Event]])
assert_type(model("Hi", schema=Event, stream=True).response.parsed, Event | None)
assert_type(model("Hi", tools=[len, {"type": "function", "function": {"name": "f"}}], tool_choice=len), Generation)

assert_type(Embedder("openai/e", dimensions=3, timeout=3)("Hi"), Embedding)
assert_type(Model.text_embedder("openai/e"), Embedder)
assert_type(Model.chat_completion("openai/gpt-4o", temperature=0.1), Model)
assert_type(Speaker("openai/tts-1", voice="alloy")("Hi"), Response)
assert_type(Speaker("openai/tts-1")("Hi", stream=True), Stream[Response])
assert_type(TextClassifier("openai/gpt-4o", labels=["a"])("Hi"), Response)
assert_type(Reranker("jina_ai/r")("q", ["a"]).content, Any)
for sound in Speaker("openai/tts-1")("Hi", stream=True).consume():
    assert_type(sound, bytes)
messages = [SystemMessage("Be brief."), ChatBlock.user("Hi", media=ChatBlock.image("https://example.com/a.png"))]
assert_type(model(messages), Generation)
profile = get_model_profile("gpt-4o", provider_id="openai")
if profile:
    assert_type(profile.cost.calculate(1, 2), float | None)


async def main() -> None:
    assert_type(await model.acall("Hi", schema=Event), Generation[Event])
    assert_type(await Embedder("openai/e").acall(["Hi"]), Embedding)
    assert_type(await model.acall("Hi"), Generation)
    stream = await model.acall("Hi", stream=True)
    assert_type(stream, Stream[Generation])
    async for delta in stream:
        assert_type(delta, Generation)
    assert_type(stream.response, Generation)


response = model("Hi")
assert_type(response.usage, Usage | None)
assert_type(response.cost, Cost | None)
assert_type(response.message, dict[str, Any])
assert_type(response.warnings, tuple[str, ...])


def build(handle: Model, prompts: Sequence[str]) -> list[str]:
    try:
        return [handle(prompt).text for prompt in prompts]
    except TimeoutError as error:
        assert_type(error.retry_after, float | None)
        raise
    except (ModelError, ConfigError):
        return []


with register_hook("before_call", lambda request: None):
    build(model, ["Hi"])
