"""What type checkers must accept and infer; checked by mypy --strict and pyright, not run."""

from collections.abc import Sequence
from typing import Any, assert_type

from magma import Cache, ConfigError, Cost, Generation, Model, ModelAsync, Stream, Timeout, Usage, register_hook
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


async def main() -> None:
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
