"""Providers and prices, read from LiteLLM's files without importing it."""

import pytest

from magma import Usage, profiles


def rates(name):
    return profiles.entry(name)[1]


def test_the_price_of_a_call():
    cost, reason = profiles.price("openai/gpt-4o", Usage(input_tokens=1000, output_tokens=500))
    row = rates("openai/gpt-4o")
    assert reason is None
    assert cost.input == pytest.approx(1000 * row["input_cost_per_token"])
    assert cost.output == pytest.approx(500 * row["output_cost_per_token"])
    assert cost == pytest.approx(cost.input + cost.output)
    assert cost.source.startswith("litellm 1.")
    assert cost.source.endswith(": gpt-4o")


def test_cached_tokens_cost_less():
    row = rates("openai/gpt-4o")
    cost, _ = profiles.price("openai/gpt-4o", Usage(input_tokens=1000, output_tokens=0, cache_read_tokens=400))
    assert cost.input == pytest.approx(600 * row["input_cost_per_token"] + 400 * row["cache_read_input_token_cost"])


def test_a_higher_tier_is_reached_by_its_tokens(monkeypatch):
    row = {
        "litellm_provider": "openai",
        "input_cost_per_token": 1.0,
        "output_cost_per_token": 2.0,
        "input_cost_per_token_above_128k_tokens": 3.0,
        "input_cost_per_token_above_200k_tokens": 5.0,
        "output_cost_per_token_above_200k_tokens": 7.0,
    }
    monkeypatch.setattr(profiles, "_table", lambda: {"big": row})
    profiles.entry.cache_clear()
    try:
        for tokens, rate, out in ((128_000, 1.0, 2.0), (128_001, 3.0, 2.0), (200_001, 5.0, 7.0)):
            cost, _ = profiles.price("openai/big", Usage(input_tokens=tokens, output_tokens=1))
            assert (cost.input, cost.output) == (tokens * rate, out)
    finally:
        profiles.entry.cache_clear()


@pytest.mark.parametrize(
    ("model", "used", "told"),
    [
        ("openai/gpt-4o", None, "no usage"),
        ("openai/gpt-4o", Usage(input_tokens=3), "no usage"),
        ("openai/no-such-model", Usage(input_tokens=1, output_tokens=1), "no price"),
        ("hosted_vllm/gpt-4o", Usage(input_tokens=1, output_tokens=1), "no price"),
        ("ollama_chat/gpt-4o", Usage(input_tokens=1, output_tokens=1), "no price"),
    ],
)
def test_an_unknown_price_is_none_with_a_reason(model, used, told):
    cost, reason = profiles.price(model, used)
    assert cost is None
    assert told in reason


def test_what_the_provider_itself_says_wins():
    cost, _ = profiles.price("openrouter/x", None, reported=0.5)
    assert (cost, cost.source) == (0.5, "provider")


def test_every_provider_of_the_installed_litellm_is_known():
    assert {"openai", "anthropic", "offline"} <= profiles.providers()
    assert len(profiles.providers()) > 130
    assert not profiles.is_provider("no-such-provider")
    assert profiles.is_provider("nadir") == ("nadir" in profiles._installed_providers())
