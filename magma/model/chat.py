"""`Model`: a chat model as a value, and `ModelAsync`, whose calls are awaited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, overload

from pydantic import Field, InstanceOf, SecretStr

from .._call.cache import Cache
from .._call.timeout import Timeout
from ..errors import ConfigError
from ..messages import own, to_messages
from ._base import Handle, handle
from ._frozen import FrozenDict

if TYPE_CHECKING:
    from .._call.answer import Answer
    from .._call.request import Request
    from .._call.stream import Stream
    from ..responses import Generation

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max", "default"]
Messages = str | Mapping[str, Any] | Sequence[Mapping[str, Any]]


@handle
class Model(Handle):
    """A chat model as a value: frozen, hashable, picklable, and callable.

    >>> from magma import Model
    >>> model = Model("offline/echo", max_tokens=64)
    >>> model("Say hi!").content
    'Say hi!'

    Every field's default can be set by the environment: `MAGMA_MODEL_DEFAULT_TEMPERATURE=0.3`. Keywords that
    are no field go to `extra` and so to the provider.

    Raises:
        ConfigError: a value of the wrong type or out of range, an id without provider, an unknown provider, a
            keyword that looks like a misspelt field.
    """

    operation: ClassVar[str] = "completion"
    model_type: ClassVar[str] = "chat_completion"
    env_name: ClassVar[str] = "MODEL"

    id: str
    """`provider/name`, e.g. "openai/gpt-4o"."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.0
    """Randomness, 0 to 2; None is the provider's default. The default 0 is left out where a model does not take it."""
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    """Nucleus sampling: the share of probability that is sampled from, 0 to 1."""
    top_k: Annotated[int, Field(ge=-1)] | None = None
    """How many of the likeliest tokens are sampled from; -1 is all (vLLM)."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """Most tokens of an answer; None is the provider's default."""
    stop: str | tuple[str, ...] | None = None
    """Text, or several, at which the answer ends."""
    seed: int | None = None
    """Makes sampling repeatable, where the provider can."""
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    """-2 to 2: against tokens by how often they occurred."""
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    """-2 to 2: against tokens that occurred at all."""
    logit_bias: InstanceOf[FrozenDict] | None = None
    """Token id (as a str) -> bias from -100 to 100."""
    logprobs: bool | None = None
    """Whether log probabilities of the answer's tokens are wanted."""
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    """How many alternatives per token, 0 to 20; needs `logprobs=True`."""
    reasoning_effort: Effort | None = None
    """How much a reasoning model thinks."""
    parallel_tool_calls: bool | None = None
    """Whether several tools may be called at once."""
    service_tier: str | None = None
    """The provider's processing tier, e.g. "flex" or "priority"."""
    user: str | None = None
    """Your end user, for the provider's abuse detection."""
    api_base: str | None = None
    """Base URL of the server; None is the provider's own."""
    api_key: SecretStr | None = None
    """The key, a secret; None is the provider's variable, e.g. OPENAI_API_KEY, read at each call."""
    api_version: str | None = None
    """The API's version, for providers that have several (azure)."""
    organization: str | None = None
    """The organization to bill (openai)."""
    timeout: Annotated[float, Field(gt=0)] | InstanceOf[Timeout] | None = 600.0
    """Seconds for the whole call; for a stream, to the first delta and between two. Or a `Timeout` with four parts."""
    max_retries: Annotated[int, Field(ge=0, le=100)] = 2
    """How often a failed request is sent again: 2 means at most 3 HTTP requests."""
    cache: InstanceOf[Cache] | None = None
    """Where answers are kept; `enable_cache=True, cache_size=128` makes one in memory."""
    on_unsupported: Literal["raise", "drop"] = "raise"
    """What happens to a parameter that the model does not take: an error, or left out with a warning."""
    extra_headers: InstanceOf[FrozenDict] | None = None
    """HTTP headers to send along."""
    extra: InstanceOf[FrozenDict] = Field(default_factory=FrozenDict)
    """Provider-specific parameters, passed on as they are."""

    if TYPE_CHECKING:
        # What a constructor takes, for type checkers: every field, and anything else into `extra`.
        def __init__(
            self,
            id: str | None = None,
            *,
            temperature: float | None = ...,
            top_p: float | None = ...,
            top_k: int | None = ...,
            max_tokens: int | None = ...,
            stop: str | Sequence[str] | None = ...,
            seed: int | None = ...,
            frequency_penalty: float | None = ...,
            presence_penalty: float | None = ...,
            logit_bias: Mapping[str, float] | None = ...,
            logprobs: bool | None = ...,
            top_logprobs: int | None = ...,
            reasoning_effort: Effort | None = ...,
            parallel_tool_calls: bool | None = ...,
            service_tier: str | None = ...,
            user: str | None = ...,
            api_base: str | None = ...,
            api_key: str | SecretStr | None = ...,
            api_version: str | None = ...,
            organization: str | None = ...,
            timeout: float | Timeout | None = ...,
            max_retries: int = ...,
            cache: Cache | None = ...,
            enable_cache: bool = ...,
            cache_size: int = ...,
            on_unsupported: Literal["raise", "drop"] = ...,
            extra_headers: Mapping[str, str] | None = ...,
            extra: Mapping[str, Any] = ...,
            **others: Any,
        ) -> None: ...

    @overload
    def __call__(
        self,
        messages: Messages,
        *,
        system_prompt: str | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        stream: Literal[False] = False,
        **overrides: Any,
    ) -> Generation: ...

    @overload
    def __call__(
        self,
        messages: Messages,
        *,
        system_prompt: str | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        stream: Literal[True],
        **overrides: Any,
    ) -> Stream[Generation]: ...

    @overload
    def __call__(
        self,
        messages: Messages,
        *,
        system_prompt: str | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        stream: bool,
        **overrides: Any,
    ) -> Generation | Stream[Generation]: ...

    def __call__(
        self, messages: Messages, *, stream: bool = False, **arguments: Any
    ) -> Generation | Stream[Generation]:
        """Asks the model; blocks this thread until the answer is there.

        Args:
            messages: a str, one message, or a sequence of messages `{"role", "content"}`.
            system_prompt: goes before the messages.
            tools: tool schemas in OpenAI's shape (`tool_schemas` is an alias).
            tool_choice: "auto", "required", "none", a tool's name, or a dict.
            stream: True gives a `Stream` at once instead.
            overrides: fields for this call only: `model(x, temperature=0)` is `model.with_(temperature=0)(x)`.

        Raises:
            ConfigError: messages or values that cannot work, before anything is sent.
            ModelError: the call failed; see `magma.errors` for the tree.
        """
        from .._call import flow

        model, inputs = self._prepared(messages, arguments)
        if _flag(stream):
            return model._stream(inputs)
        return flow.run(model._request(inputs), model._parse)

    @overload
    async def acall(
        self,
        messages: Messages,
        *,
        system_prompt: str | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        stream: Literal[False] = False,
        **overrides: Any,
    ) -> Generation: ...

    @overload
    async def acall(
        self,
        messages: Messages,
        *,
        system_prompt: str | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        stream: Literal[True],
        **overrides: Any,
    ) -> Stream[Generation]: ...

    @overload
    async def acall(
        self,
        messages: Messages,
        *,
        system_prompt: str | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        stream: bool,
        **overrides: Any,
    ) -> Generation | Stream[Generation]: ...

    async def acall(
        self, messages: Messages, *, stream: bool = False, **arguments: Any
    ) -> Generation | Stream[Generation]:
        """As calling the model, awaited; on asyncio's or trio's loop."""
        from .._call import flow

        model, inputs = self._prepared(messages, arguments)
        if _flag(stream):
            return model._stream(inputs)
        return await flow.arun(model._request(inputs), model._parse)

    def call(self, messages: Messages, **arguments: Any) -> Any:
        """The same as calling the model."""
        return Model.__call__(self, messages, **arguments)

    def format(self, *messages: Messages) -> list[dict[str, Any]]:
        """The messages as they would be sent: a list of plain dicts.

        >>> Model("offline/echo").format("Hi", {"role": "assistant", "content": "Hello!"})
        [{'role': 'user', 'content': 'Hi'}, {'role': 'assistant', 'content': 'Hello!'}]

        Raises:
            ConfigError: as for a call.
        """
        return [made for one in messages for made in to_messages(one)] or to_messages([])

    # What this type sends, and what it returns.

    def _prepared(self, messages: Messages, arguments: dict[str, Any]) -> tuple[Model, dict[str, Any]]:
        """The model with the call's overrides, and the inputs of its request."""
        for alias, name in (("tool_schemas", "tools"),):
            if alias in arguments:
                if arguments.get(name) is not None:
                    raise ConfigError(f"{alias} and {name} are the same: give one")
                arguments[name] = arguments.pop(alias)
        own_names = ("system_prompt", "tools", "tool_choice", "response_format")
        mine = {name: arguments.pop(name, None) for name in own_names}
        return (self.with_(**arguments) if arguments else self), self._inputs(messages, **mine)

    def _inputs(
        self, messages: Any, *, system_prompt: Any, tools: Any, tool_choice: Any, response_format: Any
    ) -> dict[str, Any]:
        sent = _tools(tools)
        if tool_choice is not None and sent is None:
            raise ConfigError(f"tool_choice={tool_choice!r} needs tools")
        return {
            "messages": to_messages(messages, system_prompt),
            "tools": sent,
            "tool_choice": _tool_choice(tool_choice, sent or []),
            "response_format": None if response_format is None else own(response_format, "response_format"),
        }

    def _parse(self, request: Request, answer: Answer) -> Generation:
        from ._generation import generation

        return generation(request, answer)

    def _stream(self, inputs: dict[str, Any]) -> Stream[Generation]:
        from .._call.stream import Stream
        from ._generation import delta

        return Stream(self._request(inputs, stream=True), self._parse, delta)


class ModelAsync(Model):
    """A `Model` whose calls are awaited: `await model("Hi")`; `async for` over `model("Hi", stream=True)` works too."""

    __slots__ = ()

    if TYPE_CHECKING:

        async def __call__(self, messages: Messages, **arguments: Any) -> Any:  # type: ignore[override]
            """As `Model.acall`."""

    else:

        def __call__(self, messages, *, stream=False, **arguments):
            """As `Model.acall`; with `stream=True` the stream itself, which may be awaited too."""
            if stream:
                return Model.__call__(self, messages, stream=stream, **arguments)
            return self.acall(messages, **arguments)


def _flag(stream: Any) -> bool:
    if not isinstance(stream, bool):
        raise ConfigError(f"stream must be True or False, not {stream!r:.80}")
    return stream


def _tools(tools: Any) -> list[dict[str, Any]] | None:
    if tools is None:
        return None
    if isinstance(tools, (str, bytes, Mapping)) or not isinstance(tools, Sequence):
        raise ConfigError(f"tools must be a list of tool schemas, not {tools!r:.80}")
    for index, tool in enumerate(tools):
        if not isinstance(tool, Mapping) or "type" not in tool:
            raise ConfigError(
                f'tools[{index}] must be a schema {{"type": "function", "function": {{"name": …, "parameters": …}}}}, '
                f"not {tool!r:.80}"
            )
        function = tool.get("function")
        if tool["type"] == "function" and not (isinstance(function, Mapping) and isinstance(function.get("name"), str)):
            raise ConfigError(f'tools[{index}]: a function needs {{"name": …, "parameters": …}}, not {function!r:.80}')
    return own(tools, "tools") or None


def _tool_choice(choice: Any, tools: list[dict[str, Any]]) -> Any:
    if choice is None or choice in ("auto", "required", "none") if isinstance(choice, (str, type(None))) else False:
        return choice
    if isinstance(choice, Mapping):
        return own(choice, "tool_choice")
    names = [str((tool.get("function") or {}).get("name")) for tool in tools]
    if not isinstance(choice, str) or choice not in names:
        raise ConfigError(f"tool_choice must be auto, required, none or one of {', '.join(names)}; not {choice!r:.80}")
    return {"type": "function", "function": {"name": choice}}
