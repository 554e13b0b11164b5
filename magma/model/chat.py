"""`Model`: a chat model as a value, and `ModelAsync`, whose calls are awaited."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar, overload

from pydantic import Field, InstanceOf, SecretStr

from ..errors import ConfigError
from ..messages import own, to_messages
from ..tools import choose, tool_schemas
from ._base import Connected, Handle
from ._factory import Factory
from ._frozen import FrozenDict
from ._handle import handle

if TYPE_CHECKING:
    from .._call.answer import Answer
    from .._call.cache import Cache
    from .._call.request import Request
    from .._call.stream import Stream
    from .._call.timeout import Timeout
    from ..profiles.fit import Report
    from ..responses import Generation

S = TypeVar("S")
Tools = Sequence[Mapping[str, Any] | Callable[..., Any]] | Callable[..., Any]
ToolChoice = str | Mapping[str, Any] | Callable[..., Any]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max", "default"]
Messages = str | Mapping[str, Any] | Sequence[Mapping[str, Any]]


@handle
class Model(Connected, Factory):
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
    connection: ClassVar[frozenset[str]] = Connected.connection | {"max_reasks"}
    aliases: ClassVar[Mapping[str, str]] = {"tool_schemas": "tools", "generation_schema": "schema"}

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
    max_reasks: Annotated[int, Field(ge=0, le=10)] = 1
    """How often an answer that does not fit the schema is asked for again, with what was wrong."""

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
            max_reasks: int = ...,
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
        prefilling: str | None = None,
        schema: type[S],
        tools: Tools | None = None,
        tool_choice: ToolChoice | None = None,
        typed_parser: str | None = None,
        stream: Literal[False] = False,
        **overrides: Any,
    ) -> Generation[S]: ...

    @overload
    def __call__(
        self,
        messages: Messages,
        *,
        system_prompt: str | None = None,
        prefilling: str | None = None,
        schema: Any = None,
        tools: Tools | None = None,
        tool_choice: ToolChoice | None = None,
        typed_parser: str | None = None,
        stream: Literal[False] = False,
        **overrides: Any,
    ) -> Generation: ...

    @overload
    def __call__(
        self,
        messages: Messages,
        *,
        system_prompt: str | None = None,
        prefilling: str | None = None,
        schema: type[S],
        tools: Tools | None = None,
        tool_choice: ToolChoice | None = None,
        typed_parser: str | None = None,
        stream: Literal[True],
        **overrides: Any,
    ) -> Stream[Generation[S]]: ...

    @overload
    def __call__(
        self,
        messages: Messages,
        *,
        system_prompt: str | None = None,
        prefilling: str | None = None,
        schema: Any = None,
        tools: Tools | None = None,
        tool_choice: ToolChoice | None = None,
        typed_parser: str | None = None,
        stream: Literal[True],
        **overrides: Any,
    ) -> Stream[Generation]: ...

    @overload
    def __call__(
        self,
        messages: Messages,
        *,
        system_prompt: str | None = None,
        prefilling: str | None = None,
        schema: Any = None,
        tools: Tools | None = None,
        tool_choice: ToolChoice | None = None,
        typed_parser: str | None = None,
        stream: bool,
        **overrides: Any,
    ) -> Generation | Stream[Generation]: ...

    def __call__(self, messages: Messages, **arguments: Any) -> Any:
        """Asks the model; blocks this thread until the answer is there.

        Args:
            messages: a str, one message, or a sequence of messages `{"role", "content"}`.
            system_prompt: goes before the messages.
            prefilling: how the answer begins; it is the beginning of the text that comes back, once.
            schema: what the answer must be: a pydantic model, msgspec Struct, dataclass, TypedDict, Enum, Literal, a list
                of those, or a JSON schema (`generation_schema` is an alias). `.parsed` is the object, `.consume()` its
                plain data.
            tools: functions, or tool schemas in OpenAI's shape (`tool_schemas` is an alias).
            tool_choice: "auto", "required", "none", a tool's name, or a dict.
            typed_parser: "typed_xml" reads the answer as typed XML.
            stream: True gives a `Stream` at once instead.
            overrides: fields for this call only: `model(x, temperature=0)` is `model.with_(temperature=0)(x)`.

        Raises:
            ConfigError: messages or values that cannot work, before anything is sent.
            ParseError: the answer does not fit the schema, after `max_reasks` more asks; `.response` holds it.
            ModelError: the call failed; see `magma.errors` for the tree.
        """
        if _flag(arguments.pop("stream", False)):
            return self._stream(messages, arguments)
        return Handle.__call__(self, messages, **arguments)

    @overload
    async def acall(
        self,
        messages: Messages,
        *,
        system_prompt: str | None = None,
        prefilling: str | None = None,
        schema: type[S],
        tools: Tools | None = None,
        tool_choice: ToolChoice | None = None,
        typed_parser: str | None = None,
        stream: Literal[False] = False,
        **overrides: Any,
    ) -> Generation[S]: ...

    @overload
    async def acall(
        self,
        messages: Messages,
        *,
        system_prompt: str | None = None,
        prefilling: str | None = None,
        schema: Any = None,
        tools: Tools | None = None,
        tool_choice: ToolChoice | None = None,
        typed_parser: str | None = None,
        stream: Literal[False] = False,
        **overrides: Any,
    ) -> Generation: ...

    @overload
    async def acall(
        self,
        messages: Messages,
        *,
        system_prompt: str | None = None,
        prefilling: str | None = None,
        schema: type[S],
        tools: Tools | None = None,
        tool_choice: ToolChoice | None = None,
        typed_parser: str | None = None,
        stream: Literal[True],
        **overrides: Any,
    ) -> Stream[Generation[S]]: ...

    @overload
    async def acall(
        self,
        messages: Messages,
        *,
        system_prompt: str | None = None,
        prefilling: str | None = None,
        schema: Any = None,
        tools: Tools | None = None,
        tool_choice: ToolChoice | None = None,
        typed_parser: str | None = None,
        stream: Literal[True],
        **overrides: Any,
    ) -> Stream[Generation]: ...

    @overload
    async def acall(
        self,
        messages: Messages,
        *,
        system_prompt: str | None = None,
        prefilling: str | None = None,
        schema: Any = None,
        tools: Tools | None = None,
        tool_choice: ToolChoice | None = None,
        typed_parser: str | None = None,
        stream: bool,
        **overrides: Any,
    ) -> Generation | Stream[Generation]: ...

    async def acall(self, messages: Messages, **arguments: Any) -> Any:
        """As calling the model, awaited; on asyncio's or trio's loop."""
        if _flag(arguments.pop("stream", False)):
            return self._stream(messages, arguments)
        return await Handle.acall(self, messages, **arguments)

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

    def check(
        self,
        messages: Messages,
        *,
        system_prompt: str | None = None,
        schema: Any = None,
        tools: Tools | None = None,
        **overrides: Any,
    ) -> Report:
        """Whether a call would fit the model and what it may cost, out of the model's profile: nothing is asked.

        The report is false where something speaks against the call: parameters or blocks that the model does not take,
        too long a prompt, no tools, no schemas. It says what it is not sure of in `.warnings`.

        >>> report = Model("openai/gpt-4o", max_tokens=100).check("Hi")
        >>> bool(report), report.context, report.cost_range[1] < 0.01
        (True, True, True)

        Raises:
            ConfigError: as for a call.
        """
        from ..parsers.schema import schema_of
        from ..profiles.fit import fit

        me = self.with_(**overrides) if overrides else self
        params = {name: getattr(me, name) for name in me.parameters if getattr(me, name) is not None}
        if params.get("temperature") == 0.0:  # the default is left out where a model does not take it
            del params["temperature"]
        return fit(
            me.profile,
            messages=to_messages(messages, system_prompt),
            params={**params, **me.extra},
            tools=tool_schemas(tools),
            schema=None if schema is None else schema_of(schema).json_schema,
            max_tokens=me.max_tokens,
        )

    # What this type sends, and what it returns.

    def _inputs(
        self,
        messages: Messages,
        *,
        system_prompt: str | None = None,
        prefilling: str | None = None,
        schema: Any = None,
        tools: Tools | None = None,
        tool_choice: ToolChoice | None = None,
        typed_parser: str | None = None,
        response_format: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        sent = tool_schemas(tools)
        if tool_choice is not None and sent is None:
            raise ConfigError(f"tool_choice={tool_choice!r:.80} needs tools")
        inputs = {
            "messages": to_messages(messages, system_prompt),
            "tools": sent,
            "tool_choice": None if sent is None else choose(tool_choice, sent),
            "response_format": None if response_format is None else own(response_format, "response_format"),
        }
        if schema is not None or prefilling is not None or typed_parser is not None:
            from ._reading import read_as

            return read_as(self, inputs, schema=schema, prefilling=prefilling, typed_parser=typed_parser)
        return inputs

    def _parse(self, request: Request, answer: Answer) -> Generation:
        from ._generation import generation

        made = generation(request, answer)
        return made if request.reading is None else request.reading.read(request, made)

    def _stream(self, messages: Messages, arguments: dict[str, Any]) -> Stream[Generation]:
        from .._call.stream import Stream
        from ._generation import delta

        model, inputs = self._settled((messages,), arguments)
        request = model._request(inputs, stream=True)
        emit = delta if request.reading is None else request.reading.emitter(delta)
        return Stream(request, model._parse, emit)


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
