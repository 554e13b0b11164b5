"""The frozen thing about to be sent, and the steps of the line."""

from __future__ import annotations

import hashlib
import itertools
from concurrent.futures import Future
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from ..errors import ConfigError, ModelError, is_secret_name, secrets_in
from ..media import File
from ..messages import own, to_messages
from .address import check_headers, check_url
from .answer import Answer
from .timeout import Timeout, check_seconds

if TYPE_CHECKING:
    from .cache import Cache

_numbers = itertools.count(1)


class Request(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One call, decided: nothing about it changes after the `before_call` hooks.

    A hook changes it by returning `request.with_(temperature=0)` or `request.with_(messages=[…])`.
    """

    operation: str
    """The LiteLLM function, e.g. "completion"."""
    model: str
    """The id as LiteLLM spells it, e.g. "gemini/gemini-2.0-flash"."""
    provider: str
    """The first part of `model`."""
    inputs: MappingProxyType[str, Any]
    """What belongs to this call: for chat `messages`, `tools`, `tool_choice`, `response_format`; for embeddings `input`."""
    params: MappingProxyType[str, Any]
    """What belongs to the handle: set parameters and `extra`, nothing unset."""
    stream: bool = False
    """Whether the answer is wanted in pieces."""
    api_base: str | None = None
    api_key: str | None = None
    api_version: str | None = None
    organization: str | None = None
    extra_headers: MappingProxyType[str, str] = MappingProxyType({})
    timeout: Timeout = Timeout()
    max_retries: int = 2
    on_unsupported: str = "raise"
    cache: Cache | None = None
    reading: Any = None
    """How the answer is read, where there is more to it than its text; its `again(request, error)` may want another ask."""
    warnings: tuple[str, ...] = ()
    """What is asked for in another way than it was wanted, one sentence each; they go to the response."""
    call: int = 0
    """Number of the call in this process; the same for all requests of one call."""

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages of a chat request; empty for other operations."""
        messages: list[dict[str, Any]] = self.inputs.get("messages", [])
        return messages

    def with_(self, **changes: Any) -> Request:
        """A changed copy: names of fields and inputs replace them, every other name is a parameter (None removes it)."""
        fields, inputs, params = {}, dict(self.inputs), dict(self.params)
        for name, value in changes.items():
            if name in ("call", "operation", "provider", "stream", "inputs"):
                raise ConfigError(f"request.{name} cannot be changed")
            if name == "params":
                params = own(dict(value), name)
            elif name == "messages":
                inputs[name] = to_messages(value)
            elif name in _CHAT_INPUTS or name in inputs:
                inputs[name] = value if value is None or _holds_files(value) else own(value, name)
            elif name in self.__struct_fields__:
                fields[name] = self._checked(name, value)
            elif value is None:
                params.pop(name, None)
            else:
                params[name] = own(value, name)
        if "model" in fields:
            fields["provider"] = fields["model"].partition("/")[0]
        inputs = {name: value for name, value in inputs.items() if value is not None}
        return msgspec.structs.replace(self, inputs=frozen(inputs), params=frozen(params), **fields)

    def _checked(self, name: str, value: Any) -> Any:
        """A new value of a field, as a handle would check it."""
        where = f"request.{name}"
        if name == "timeout":
            if value is not None and not isinstance(value, Timeout):
                check_seconds(value, where)
            return Timeout.for_call(value, stream=self.stream)
        if name == "extra_headers":
            check_headers(value, where)
            return frozen(dict(value or {}))
        if name == "api_base":
            check_url(value, where)
        elif name == "max_retries" and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            raise ConfigError(f"{where} must be a whole number of at least 0, not {value!r:.80}")
        elif name == "model" and (not isinstance(value, str) or "/" not in value):
            raise ConfigError(f'{where} must be "provider/name", not {value!r:.80}')
        elif name == "cache" and value is not None and not hasattr(value, "lead_or_join"):
            raise ConfigError(f"{where} must be a Cache or None, not {value!r:.80}")
        elif name in ("api_key", "api_version", "organization") and not isinstance(value, (str, type(None))):
            raise ConfigError(f"{where} must be a str or None, not {type(value).__name__}")
        return value

    def fingerprint(self) -> str:
        """The cache key: everything that can change the answer, nothing that cannot (keys, timeouts, retries, stream)."""
        params = {name: value for name, value in self.params.items() if not is_secret_name(name)}
        headers = {name: value for name, value in self.extra_headers.items() if not is_secret_name(name)}
        where = (self.operation, self.model, self.api_base, self.api_version, headers)
        whole = msgspec.json.encode((where, dict(self.inputs), params), order="deterministic")
        return hashlib.blake2b(whole, digest_size=16).hexdigest()

    def secrets(self) -> tuple[str, ...]:
        """The secrets that travel with this request, for redaction."""
        found = (*secrets_in(self.params), *secrets_in(self.extra_headers))
        return (*found, self.api_key) if self.api_key else found

    def __repr__(self) -> str:
        return f"<Request {self.operation} {self.model} {', '.join(sorted(self.params))}>"

    def __reduce__(self) -> tuple[Any, ...]:
        state: dict[str, Any] = {name: getattr(self, name) for name in self.__struct_fields__}
        state |= {name: dict(state[name]) for name in ("inputs", "params", "extra_headers")}
        return _restore, (state,)


_CHAT_INPUTS = frozenset({"tools", "tool_choice", "response_format"})


def _holds_files(value: Any) -> bool:
    return isinstance(value, File) or (isinstance(value, (list, tuple)) and any(isinstance(one, File) for one in value))


def _restore(state: dict[str, Any]) -> Request:
    state |= {name: frozen(state[name]) for name in ("inputs", "params", "extra_headers")}
    return Request(**state)


def frozen(values: dict[str, Any]) -> MappingProxyType[str, Any]:
    """A read-only view of `values`."""
    return MappingProxyType(values)


def next_call() -> int:
    """The number of a new call."""
    return next(_numbers)


class Ask(msgspec.Struct, frozen=True):
    """Step: ask the provider. The line is sent the `Answer`, or thrown the `ModelError`."""

    request: Request
    deadline: float | None
    """When the whole call must have ended, on the monotonic clock."""
    began: float
    """When the call began, on the same clock."""
    local: Answer | None = None
    """An answer that needs no network."""
    sent: list[int] = []
    """Filled with a number for each HTTP request that really was made."""
    tried: list[Any] = []
    """The attempts before this one."""


class Begin(msgspec.Struct, frozen=True):
    """Step: begin another step without waiting for its outcome. The line is sent None."""

    step: Any


class First(msgspec.Struct, frozen=True):
    """Step: wait for the first outcome of steps that were begun. The line is sent its place, whether it is an error, and it."""

    steps: tuple[Any, ...]


class Sleep(msgspec.Struct, frozen=True):
    """Step: wait. The line is sent None."""

    seconds: float
    tried: list[Any] = []
    """The attempts before it."""


class Join(msgspec.Struct, frozen=True):
    """Step: wait for an identical call in flight. The line is sent its `Answer` or error, or None if it was cancelled."""

    flight: Future[Answer | ModelError | None]
    deadline: float | None
    request: Request


class Load(msgspec.Struct, frozen=True):
    """Step: have LiteLLM imported, before any clock runs. The line is sent None."""

    provider: str


Step: TypeAlias = Ask | Begin | First | Sleep | Join | Load
