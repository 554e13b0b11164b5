"""What comes out: `Generation` and its parts. Frozen values that pickle, compare and turn into JSON.

A number that the provider did not give is `None`, never 0.
"""

from __future__ import annotations

import copy
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from .contents import Audio, Image, Transcript
from .tools import ToolCall, ToolCalls

if TYPE_CHECKING:
    from typing_extensions import TypeVar as DefaultTypeVar

    P = DefaultTypeVar("P", default=Any)
else:
    P = TypeVar("P")
T = TypeVar("T", bound="Response")

LEFT_EARLY = "the stream was left before its end"
"""The warning of a response that is only what had arrived."""


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Tokens of one or, added up with `+`, of many calls.

    >>> Usage(input_tokens=9, output_tokens=3) + Usage(input_tokens=1, output_tokens=1)
    Usage(input_tokens=10, output_tokens=4)
    """

    input_tokens: int | None = None
    """Tokens of the prompt, those read from and written to the provider's cache included."""
    output_tokens: int | None = None
    """Tokens of the answer, reasoning included."""
    total_tokens: int | None = None
    """As the provider says; not every provider's total is the sum of the two."""
    cache_read_tokens: int | None = None
    """Input tokens that the provider had cached (cheaper)."""
    cache_write_tokens: int | None = None
    """Input tokens that the provider stored in its cache (dearer)."""
    reasoning_tokens: int | None = None
    """Output tokens spent on thinking."""

    @property
    def prompt_tokens(self) -> int | None:
        """Alias of `input_tokens`."""
        return self.input_tokens

    @property
    def completion_tokens(self) -> int | None:
        """Alias of `output_tokens`."""
        return self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        if not isinstance(other, Usage):
            return NotImplemented
        pairs = ((name, getattr(self, name), getattr(other, name)) for name in self.__struct_fields__)
        return Usage(**{name: a if b is None else b if a is None else a + b for name, a, b in pairs})

    def __radd__(self, other: int) -> Usage:
        return self if other == 0 else NotImplemented  # so that sum() works without a start value

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)}" for name in self.__struct_fields__ if getattr(self, name) is not None)
        return f"Usage({', '.join(shown)})"


class Cost(float):
    """US dollars of one call; a `float` that also says what it is made of and where the prices are from.

    >>> cost = Cost(0.0002, input=0.00015, output=0.00005, source="litellm 1.106.2: gpt-4o")
    >>> cost + 1, cost.source
    (1.0002, 'litellm 1.106.2: gpt-4o')
    """

    input: float | None
    """Dollars for the prompt, None where only the total is known."""
    output: float | None
    """Dollars for the answer, None where only the total is known."""
    source: str
    """Where the figure comes from: a price table and its entry, or the provider itself."""

    def __new__(
        cls, dollars: float, *, input: float | None = None, output: float | None = None, source: str = ""
    ) -> Cost:
        """A cost of so many dollars."""
        self = super().__new__(cls, dollars)
        self.input, self.output, self.source = input, output, source
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _cost, (float(self), self.input, self.output, self.source)

    def __repr__(self) -> str:
        return f"${float(self):.6g}"


def _cost(dollars: float, input: float | None, output: float | None, source: str) -> Cost:
    return Cost(dollars, input=input, output=output, source=source)


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request of a call."""

    number: int
    """1 for the first request."""
    model: str
    """The model id that was asked."""
    status_code: int | None = None
    """HTTP status, None when no answer came."""
    error: str | None = None
    """Class and text of the error, None for the request that worked."""
    seconds: float = 0.0
    """How long the request took."""
    wait: float = 0.0
    """Seconds waited after it before the next."""
    request_id: str | None = None
    """The provider's id of the request."""


class Dots(dict[str, Any]):
    """A dict whose keys are attributes too: `response.metadata.usage.prompt_tokens`."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """What a call returns. Also a read-only mapping of its plain data: `response["content"]`."""

    content: Any = ""
    """What was asked for; the type depends on the handle."""
    id: str | None = None
    """The provider's id of the answer."""
    model: str | None = None
    """The model that answered, in the provider's words."""
    usage: Usage | None = None
    """Tokens, None when the provider said nothing."""
    cost: Cost | None = None
    """US dollars, None when unknown; `cost_reason` says why."""
    cost_reason: str | None = None
    """Why `cost` is None, else None."""
    warnings: tuple[str, ...] = ()
    """What was done differently from what was asked, one sentence each."""
    attempts: tuple[Attempt, ...] = ()
    """One entry per HTTP request made; empty for a cache hit."""
    latency: float | None = None
    """Seconds from the call to the whole answer, retries and waits included."""
    first_token: float | None = None
    """Seconds from the call to the first delta; None unless streamed."""
    cached: bool = False
    """Whether the answer came out of the cache (then `cost` is 0)."""
    request_id: str | None = None
    """The provider's id of the request, for its support."""
    raw: dict[str, Any] = {}
    """The answer in OpenAI's wire shape."""
    response_type: str = ""
    """What `content` is, e.g. "text_generation", "text_embedding", "transcription"."""

    def consume(self) -> Any:
        """What was asked for: same as `.content`."""
        return self.content

    def joined_content(self, contents: Sequence[Any]) -> list[Any]:
        """One list of the lists that the parts of a call answered."""
        return [item for content in contents for item in content]

    @property
    def metadata(self) -> Dots:
        """`{"usage": {"completion_tokens", "prompt_tokens", "total_tokens"}}`, by key or by attribute."""
        usage = self.usage or Usage()
        names = ("completion_tokens", "prompt_tokens", "total_tokens")
        return Dots(usage=Dots((name, getattr(usage, name)) for name in names))

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain data that `json.dumps` takes; `cost` is a number, `cost_parts` says what it is made of."""
        data = {name: _plain(getattr(self, name)) for name in self.__struct_fields__}
        if self.cost is not None:
            data["cost_parts"] = {"input": self.cost.input, "output": self.cost.output, "source": self.cost.source}
        return data

    def to_json(self) -> str:
        """`to_dict()` as JSON; `from_json` reads it back."""
        return msgspec.json.encode(self.to_dict()).decode()

    @classmethod
    def from_json(cls: type[T], text: str | bytes) -> T:
        """The response that `to_json` wrote; a `.parsed` object comes back as plain data, sounds and images as what they were.

        Raises:
            ValueError: not JSON, or not a response's.
        """
        data = msgspec.json.decode(text)
        parts = data.pop("cost_parts", None) if isinstance(data, dict) else None
        if parts and data.get("cost") is not None:
            data["cost"] = Cost(data["cost"], **parts)
        if isinstance(data, dict):
            _restore(data)
        return msgspec.convert(data, cls, dec_hook=_read)

    def __getitem__(self, name: str) -> Any:
        if name == "usage" and self.usage is not None:
            aliases = {"prompt_tokens": self.usage.input_tokens, "completion_tokens": self.usage.output_tokens}
            return {**_plain(self.usage), **aliases}
        if name in self.__struct_fields__ or name in self._also:
            return _plain(getattr(self, name))
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.__struct_fields__)

    def __len__(self) -> int:
        return len(self.__struct_fields__)

    def __contains__(self, name: object) -> bool:
        return name in self.__struct_fields__ or name in self._also

    def keys(self) -> tuple[str, ...]:
        """The names of the mapping."""
        return self.__struct_fields__

    def values(self) -> tuple[Any, ...]:
        """The values of the mapping, as plain data."""
        return tuple(self[name] for name in self)

    def items(self) -> tuple[tuple[str, Any], ...]:
        """Names and values of the mapping, as plain data."""
        return tuple((name, self[name]) for name in self)

    def get(self, name: str, default: Any = None) -> Any:
        """The field of that name as plain data, or `default`."""
        return self[name] if name in self else default

    @property
    def _also(self) -> tuple[str, ...]:
        return ("metadata",)

    def __hash__(self) -> int:
        return hash((self.id, str(self.content)))

    def __repr__(self) -> str:
        return " ".join([f"<{type(self).__name__} {_short(self.content)}", *self._footing()]) + ">"

    def _footing(self) -> list[str]:
        """What a repr says besides the content."""
        cost = [] if self.cost is None else [repr(self.cost)]
        return [*cost, *(["cached"] if self.cached else [])]


class Generation(Response, Generic[P], frozen=True, kw_only=True):
    """The answer of a chat model, or one delta of a streamed answer.

    >>> Generation(content="Hello there!", usage=Usage(input_tokens=9, output_tokens=19), cost=Cost(0.0002))
    <Generation 'Hello there!' 9+19 tokens $0.0002>
    """

    content: Any = ""
    """The text ("" when the model only called tools); with a schema or a typed parser, the plain data."""
    finish_reason: str | None = None
    """`stop`, `length`, `tool_calls`, `content_filter`, `error`, or the provider's own word."""
    tool_calls: tuple[ToolCall, ...] = ()
    """The tools that the model asks for, in its order."""
    reasoning: str | None = None
    """The model's thinking, where it shows it."""
    refusal: str | None = None
    """The model's words when it refuses, where the provider tells them apart."""
    logprobs: dict[str, Any] | None = None
    """Log probabilities in OpenAI's shape, when asked for."""
    parsed: P | None = None
    """The typed object, when a schema was given."""
    response_type: str = "text_generation"
    """`text_generation`, `tool_call` or `structured_generation`."""

    def consume(self) -> Any:
        """What was asked for: the text, `ToolCalls` where the model called tools, the plain data of a schema's answer."""
        return ToolCalls(self.tool_calls, self.message) if self.tool_calls else self.content

    @property
    def text(self) -> str:
        """The text as the model wrote it, whatever `content` was made of it."""
        return self.content if isinstance(self.content, str) else text_of(self.raw)

    @property
    def message(self) -> dict[str, Any]:
        """The assistant message, ready to be appended to `messages`: thinking blocks and signatures are kept."""
        choices = self.raw.get("choices") or [{}]
        message = copy.deepcopy(choices[0].get("message") or {})
        message["role"] = "assistant"
        fields = message.pop("provider_specific_fields", None)  # LiteLLM's: Gemini's signatures, else mostly empty
        told = {name: value for name, value in fields.items() if value and name not in message} if fields else {}
        if told:
            message["provider_specific_fields"] = told
        if not message.get("tool_calls"):
            message.pop("tool_calls", None)
            message["content"] = message.get("content") or self.text
        return {name: value for name, value in message.items() if value is not None or name == "content"}

    @property
    def _also(self) -> tuple[str, ...]:
        return ("metadata", "message", "text")

    def __repr__(self) -> str:
        parts = [f"<Generation {_short(self.content)}", *(f"calls {call.name}" for call in self.tool_calls)]
        if self.usage is not None:
            parts.append(f"{_count(self.usage.input_tokens)}+{_count(self.usage.output_tokens)} tokens")
        return " ".join([*parts, *self._footing()]) + ">"


def text_of(body: Mapping[str, Any]) -> str:
    """The text of a chat answer in OpenAI's wire shape, its text blocks joined."""
    choices = body.get("choices") or [{}]
    content = (choices[0].get("message") or {}).get("content")
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "".join(str(block.get("text") or "") for block in blocks if isinstance(block, dict))


def _short(content: Any) -> str:
    if isinstance(content, str) and type(content) is str:
        return repr(content if len(content) <= 60 else f"{content[:57]}…")
    text = repr(content)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _count(tokens: int | None) -> str:
    return "?" if tokens is None else str(tokens)


def _plain(value: Any) -> Any:
    """`value` as data that JSON knows; an own copy, so that nobody changes a frozen response through it."""
    if isinstance(value, Cost):
        return float(value)
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return str.__str__(value)  # of a Transcript or an Image, its text alone
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if value is None or isinstance(value, (int, float, bool)):
        return value
    try:
        return msgspec.to_builtins(value)
    except (TypeError, ValueError):
        dump = getattr(value, "model_dump", None)
        return dump(mode="json") if dump else repr(value)


def _restore(data: dict[str, Any]) -> None:
    """Makes contents again of what JSON could only carry as text: a sound, images, a transcript."""
    raw, content, kind = data.get("raw") or {}, data.get("content"), data.get("response_type")
    if kind == "audio_generation" and isinstance(content, str):
        data["content"] = Audio(b64decode(content), media_type=raw.get("media_type") or None)
        if isinstance(raw.get("audio"), str):
            data["raw"] = {**raw, "audio": b64decode(raw["audio"])}
    elif kind == "image_generation":
        data["content"] = [Image(one) for one in content] if isinstance(content, list) else Image(content or "")
    elif kind == "transcription" and isinstance(content, str):
        told = {name: raw.get(name) for name in ("words", "segments", "language", "duration")}
        data["content"] = Transcript(content, **told)


def _read(kind: type, value: Any) -> Any:
    if kind is Cost and isinstance(value, (int, float)):
        return value if isinstance(value, Cost) else Cost(value)
    raise TypeError(f"{value!r:.80} is no {kind.__name__}")


_mapping: Any = Mapping
_mapping.register(Response)
