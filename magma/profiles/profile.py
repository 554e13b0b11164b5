"""`Profile`: what one model can do, takes, holds and costs. What is not known is None, never False or 0."""

from __future__ import annotations

import datetime

import msgspec

from ..errors import ConfigError

MILLION = 1_000_000


class Capabilities(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a model can do: True, False, or None where nobody says."""

    tool_call: bool | None = None
    """Calls tools."""
    parallel_tool_call: bool | None = None
    """Calls several tools in one answer."""
    tool_choice: bool | None = None
    """Can be told which tool to call."""
    structured_output: bool | None = None
    """Answers in a given JSON schema."""
    reasoning: bool | None = None
    """Thinks before it answers."""
    temperature: bool | None = None
    """Takes sampling parameters such as `temperature`."""
    attachment: bool | None = None
    """Takes files of some kind (only models.dev says so)."""
    vision: bool | None = None
    """Takes images."""
    pdf_input: bool | None = None
    """Takes PDF files."""
    audio_input: bool | None = None
    """Takes audio."""
    audio_output: bool | None = None
    """Answers in audio."""
    video_input: bool | None = None
    """Takes video."""
    prompt_caching: bool | None = None
    """Reads repeated prompts from a cache of the provider's."""
    prefilling: bool | None = None
    """Goes on from a trailing assistant message."""
    system_messages: bool | None = None
    """Takes system messages."""
    native_streaming: bool | None = None
    """Streams of its own accord; False: LiteLLM cuts the whole answer into pieces."""
    web_search: bool | None = None
    """Searches the web itself."""
    url_context: bool | None = None
    """Reads URLs of the prompt itself."""
    computer_use: bool | None = None
    """Operates a screen."""


class Modalities(msgspec.Struct, frozen=True, kw_only=True):
    """What goes in and what comes out, e.g. `['text', 'image']`; what is not listed may still be unknown."""

    input: list[str] = []
    """Of text, image, audio, video, in this order; whether PDF files go in is `Capabilities.pdf_input`."""
    output: list[str] = []
    """As `input`; also "embedding" (vectors) and "score" (reranking, moderation)."""

    def __hash__(self) -> int:
        return hash((*self.input, None, *self.output))


class Limits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How much fits."""

    context: int | None = None
    """Tokens of the prompt, or of prompt and answer, as the provider counts."""
    output: int | None = None
    """Tokens of one answer."""
    dimensions: int | None = None
    """Numbers in an embedding vector."""


class Tier(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Token prices of long prompts: they hold for the whole call once its prompt has more than `above` tokens."""

    above: int
    """Tokens of the prompt."""
    input_per_million: float | None = None
    """Dollars per million prompt tokens; None: as for shorter prompts."""
    output_per_million: float | None = None
    """Dollars per million answer tokens; None: as for shorter prompts."""
    cache_read_per_million: float | None = None
    """Dollars per million prompt tokens out of the cache; None: as for shorter prompts."""


class Rates(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Prices in US dollars; None where nobody says, 0 only where the table says 0.

    >>> Rates(input_per_million=2.5, output_per_million=10.0).calculate(1000, 500)
    0.0075
    """

    input_per_million: float | None = None
    """A million prompt tokens."""
    output_per_million: float | None = None
    """A million answer tokens."""
    cache_read_per_million: float | None = None
    """A million prompt tokens that were in the provider's cache."""
    cache_write_per_million: float | None = None
    """A million prompt tokens that are put there."""
    reasoning_per_million: float | None = None
    """A million tokens of thinking, where they differ from the answer's."""
    input_audio_per_million: float | None = None
    """A million audio tokens of the prompt."""
    output_audio_per_million: float | None = None
    """A million audio tokens of the answer."""
    input_image_per_million: float | None = None
    """A million image tokens of the prompt."""
    output_image_per_million: float | None = None
    """A million image tokens of the answer."""
    per_input_image: float | None = None
    """One image that goes in."""
    per_output_image: float | None = None
    """One image that comes out, whatever its size."""
    per_second: float | None = None
    """One second of audio, in or out."""
    per_character: float | None = None
    """One character of the text to speak."""
    per_query: float | None = None
    """One search of a reranker."""
    tiers: tuple[Tier, ...] = ()
    """Prices of long prompts, the shortest first."""

    def calculate(self, input_tokens: int, output_tokens: int = 0, cached_tokens: int = 0) -> float | None:
        """Dollars of a call; None where a price that it needs is not known.

        Args:
            input_tokens: tokens of the prompt, those from the cache included.
            output_tokens: tokens of the answer.
            cached_tokens: how many of the prompt's came from the provider's cache.

        Raises:
            ConfigError: a count that is no int, is negative, or more tokens cached than there are.
        """
        counts = {"input_tokens": input_tokens, "output_tokens": output_tokens, "cached_tokens": cached_tokens}
        for name, count in counts.items():
            if not isinstance(count, int) or isinstance(count, bool) or count < 0:
                raise ConfigError(f"{name} must be an int of 0 or more, not {count!r:.80}")
        if cached_tokens > input_tokens:
            raise ConfigError(
                f"cached_tokens ({cached_tokens}) are part of input_tokens ({input_tokens}), never more of them"
            )
        inward, outward, cached = self.at(input_tokens)
        parts = ((input_tokens - cached_tokens, inward), (output_tokens, outward), (cached_tokens, cached))
        if inward is outward is None or any(rate is None for count, rate in parts if count):
            return None
        return sum(count * rate for count, rate in parts if rate is not None) / MILLION

    def at(self, input_tokens: int) -> tuple[float | None, float | None, float | None]:
        """Input, output and cache read dollars per million tokens for a prompt of this length."""
        found = [self.input_per_million, self.output_per_million, self.cache_read_per_million]
        for tier in self.tiers:
            if input_tokens > tier.above:
                higher = (tier.input_per_million, tier.output_per_million, tier.cache_read_per_million)
                found = [old if new is None else new for old, new in zip(found, higher, strict=True)]
        return found[0], found[1], found[2]


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about one model.

    >>> from magma import profiles
    >>> profiles.get_model_profile("openai/gpt-4o")
    <Profile openai/gpt-4o chat_completion, 128000 tokens, $2.5/$10 a million>
    """

    id: str
    """What a handle takes, e.g. "openai/gpt-4o"."""
    provider: str
    """The provider in LiteLLM's spelling, e.g. "gemini"."""
    name: str
    """The id without its provider."""
    model_type: str | None = None
    """One of the eleven of `MODEL_TYPES`; None for what no handle serves (video, realtime, search, …)."""
    mode: str | None = None
    """LiteLLM's word for it, e.g. "chat", "responses", "image_edit"."""
    capabilities: Capabilities = Capabilities()
    """What it can do."""
    modalities: Modalities = Modalities()
    """What goes in and what comes out."""
    limits: Limits = Limits()
    """How much fits."""
    cost: Rates = Rates()
    """What it costs."""
    deprecation_date: datetime.date | None = None
    """When the provider switches it off."""
    knowledge: str | None = None
    """Until when it knows the world, e.g. "2023-10" (only models.dev says so)."""
    notes: tuple[str, ...] = ()
    """What to know about the figures, one sentence each."""
    source: str = ""
    """Where the figures are from."""

    def __hash__(self) -> int:
        return hash((self.id, self.source))

    def __repr__(self) -> str:
        facts = [self.model_type or self.mode or "model"]
        if self.limits.context is not None:
            facts.append(f"{self.limits.context} tokens")
        prices = self.cost.input_per_million, self.cost.output_per_million
        if prices != (None, None):
            facts.append("/".join("?" if price is None else f"${price:g}" for price in prices) + " a million")
        return f"<Profile {self.id} {', '.join(facts)}>"
