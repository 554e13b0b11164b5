"""`Handle`: what all model types share. A frozen value that knows how to become a request."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import Field, InstanceOf, SecretStr

from .. import profiles
from .._call.cache import Cache
from .._call.timeout import Timeout
from ..errors import AuthenticationError, ConfigError, masked
from ._frozen import FrozenDict, thaw
from ._handle import handle, initialize
from ._settle import misspelt

if TYPE_CHECKING:
    from typing import Self

    from .._call.answer import Answer
    from .._call.request import Request

H = TypeVar("H")


class Handle:
    """A model as a value. Subclasses add fields, `_inputs` (what they send) and `_parse` (what they return)."""

    __slots__ = ()

    operation: ClassVar[str]
    """The LiteLLM function, e.g. "completion"."""
    model_type: ClassVar[str]
    """The type's name, e.g. "chat_completion"."""
    env_name: ClassVar[str]
    """The part of environment variables that names the type, e.g. "MODEL"."""
    connection: ClassVar[frozenset[str]] = frozenset(
        "id api_base api_key api_version organization timeout max_retries cache on_unsupported extra_headers extra".split()
    )
    """Fields that say how to reach the model; every other field is a parameter that is sent."""
    aliases: ClassVar[Mapping[str, str]] = {}
    """Arguments of a call by the names that other libraries give them."""

    if TYPE_CHECKING:  # what every type has; each class declares the fields with their bounds
        id: str
        extra: Any
        fields: ClassVar[Mapping[str, Any]]
        parameters: ClassVar[tuple[str, ...]]
        arguments: ClassVar[frozenset[str]]

        def _inputs(self, *args: Any, **arguments: Any) -> dict[str, Any]:
            """What a call sends besides the handle's own parameters."""
            ...

        def _parse(self, request: Request, answer: Answer) -> Any:
            """The response that an answer is."""
            ...

    @property
    def provider(self) -> str:
        """The provider's name as LiteLLM spells it, e.g. "gemini" for the id "google/gemini-2.0-flash"."""
        name = self.id.partition("/")[0]
        return profiles.ALIASES.get(name, name)

    @property
    def name(self) -> str:
        """The id without its provider, e.g. "gpt-4o"."""
        return self.id.partition("/")[2]

    @property
    def _response_cache(self) -> Cache | None:
        """The cache, or None: as seed 001 spells it."""
        return self.cache  # type: ignore[attr-defined,no-any-return]

    def with_(self, **changes: Any) -> Self:
        """A new handle of the same class with these fields changed, validated again.

        `extra`, and keywords that are no field, are merged into `extra`; one set to None is removed.

        >>> from magma import Model
        >>> Model("openai/gpt-4o", temperature=0.7).with_(max_tokens=100)
        Model('openai/gpt-4o', temperature=0.7, max_tokens=100)

        Raises:
            ConfigError: as the constructor.
        """
        values = {name: getattr(self, name) for name in self.fields}
        if "extra" in changes:
            if not isinstance(changes["extra"], Mapping):
                raise ConfigError(f"extra must be a dict, not {type(changes['extra']).__name__}")
            changes["extra"] = {**thaw(values["extra"]), **changes["extra"]}
        if "base_url" in changes and "api_base" not in changes:
            changes["api_base"] = changes.pop("base_url")
        if "api_key" not in changes and any(name.lower().endswith("_api_key") for name in changes):
            values["api_key"] = None
        new: Self = object.__new__(type(self))
        initialize(new, values | changes, environment=False)
        return new

    def __call__(self, *args: Any, **arguments: Any) -> Any:
        """Asks the model; blocks this thread until the answer is there."""
        from .._call import flow

        me, inputs = self._settled(args, arguments)
        return flow.run(me._requests(inputs), me._parse)

    async def acall(self, *args: Any, **arguments: Any) -> Any:
        """As calling the handle, awaited; on asyncio's or trio's loop."""
        from .._call import flow

        me, inputs = self._settled(args, arguments)
        return await flow.arun(me._requests(inputs), me._parse)

    def call(self, *args: Any, **arguments: Any) -> Any:
        """The same as calling the handle."""
        return self(*args, **arguments)

    def instance_type(self) -> dict[str, str]:
        """`{"model_type": "chat_completion"}`."""
        return {"model_type": self.model_type}

    def get_model_info(self) -> dict[str, str]:
        """`{"model_id": "gpt-4o", "provider": "openai"}`."""
        return {"model_id": self.name, "provider": self.id.partition("/")[0]}

    @property
    def profile(self) -> profiles.Profile | None:
        """What is known of the model: capabilities, limits, prices; None for one that is in no table."""
        return profiles.get_model_profile(self.name, provider_id=self.provider)

    def serialize(self) -> dict[str, Any]:
        """The handle as plain data, without any secret; `from_serialized` reads it back.

        >>> from magma import Model
        >>> state = Model("openai/gpt-4o", temperature=0.7).serialize()
        >>> state["state"]["sampling_run_params"]
        {'temperature': 0.7}
        >>> Model.from_serialized(**state)
        Model('openai/gpt-4o', temperature=0.7)
        """
        from ._state import serialize

        return serialize(self)

    @classmethod
    def from_serialized(
        cls, serialized: Any = None, *, provider: Any = None, model_type: Any = None, state: Any = None, **others: Any
    ) -> Any:
        """The handle that `serialize()` described: `from_serialized(**state)`, or its parts one by one.

        What it does not know is passed over; the environment's defaults do not change it, but a key may come from there.

        Raises:
            ConfigError: a state that is none, or values that no handle can have.
        """
        from ._state import restored

        return restored(cls, serialized, others, provider=provider, model_type=model_type, state=state)

    def _settled(self, args: tuple[Any, ...], given: dict[str, Any]) -> tuple[Self, dict[str, Any]]:
        """The handle with the call's overrides, and the inputs of its request."""
        for alias, name in self.aliases.items():
            if alias in given:
                if given.get(name) is not None:
                    raise ConfigError(f"{alias} and {name} are the same: give one")
                given[name] = given.pop(alias)
        mine = {name: given.pop(name) for name in self.arguments.intersection(given)} if given else {}
        me = self.with_(**given) if given else self
        try:
            return me, me._inputs(*args, **mine)
        except TypeError:
            try:
                inspect.signature(me._inputs).bind(*args, **mine)
            except TypeError as error:  # the caller's mistake, told without the name of `_inputs`
                raise TypeError(f"{type(self).__name__}: {error}") from None
            raise

    def _requests(self, inputs: dict[str, Any]) -> list[Request]:
        """The frozen requests of one call: one, unless a list is longer than the provider takes."""
        return [self._request(inputs)]

    def __repr__(self) -> str:
        shown = [repr(self.id)]
        for name, field in self.fields.items():
            value = getattr(self, name)
            if name in ("id", "extra") or value == field.default or (name == "extra_headers" and not value):
                continue
            shown.append(f"{name}={masked(name, value)}")
        plain = {
            name: value for name, value in self.extra.items() if name.isidentifier() and not misspelt(type(self), name)
        }
        shown += [f"{name}={masked(name, value)}" for name, value in plain.items()]
        if others := {name: value for name, value in self.extra.items() if name not in plain}:
            shown.append(f"extra={masked('extra', others)}")
        return f"{type(self).__name__}({', '.join(shown)})"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def _request(self, inputs: dict[str, Any], *, stream: bool = False) -> Request:
        """The frozen request of one call."""
        from .._call.request import Request, frozen, next_call
        from .._call.timeout import Timeout

        me: Any = self
        base, key, provider = me.api_base, me.api_key, self.provider
        if provider in profiles.COMPATIBLE:
            provider, base, key = _compatible(provider, base, key)
        inputs = dict(inputs)
        reading, warnings = inputs.pop("reading", None), inputs.pop("warnings", ())
        params = {name: getattr(me, name) for name in self.parameters if getattr(me, name) is not None}
        params = {name: list(value) if isinstance(value, tuple) else value for name, value in params.items()}
        return Request(
            operation=self.operation,
            model=f"{provider}/{self.name}",
            provider=provider,
            inputs=frozen({name: value for name, value in inputs.items() if value is not None}),
            params=frozen({**params, **self.extra}),
            stream=stream,
            api_base=base,
            api_key=None if key is None else key.get_secret_value(),
            api_version=me.api_version,
            organization=me.organization,
            extra_headers=frozen(dict(me.extra_headers or {})),
            timeout=Timeout.for_call(me.timeout, stream=stream),
            max_retries=me.max_retries,
            on_unsupported=me.on_unsupported,
            cache=me.cache,
            reading=reading,
            warnings=warnings,
            call=next_call(),
        )


def _compatible(provider: str, base: str | None, key: SecretStr | None) -> tuple[str, str, SecretStr | None]:
    """How to reach a provider that LiteLLM does not know, but that speaks OpenAI's wire; its key is its own."""
    url, variable = profiles.COMPATIBLE[provider]
    if key is None:
        text = os.environ.get(variable)
        if not text:
            raise AuthenticationError(f"no API key: {variable} is not set; set it or pass api_key=", provider=provider)
        key = SecretStr(text)
    return "openai", base or url, key


@handle
class Connected(Handle):
    """The fields that every model type has: how its model is reached."""

    operation: ClassVar[str] = ""
    model_type: ClassVar[str] = ""
    env_name: ClassVar[str] = ""

    id: str
    """`provider/name`, e.g. "openai/gpt-4o"."""
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
