"""Providers, profiles and prices, read from LiteLLM's files without importing it."""

import copy
import datetime
import json
import logging
import math
import pickle
import subprocess
import sys

import msgspec
import pytest

from magma import Model, Usage, profiles
from magma.errors import ConfigError, ConnectionError, ServerError, TimeoutError
from magma.profiles import catalog, download, fit, lookup, names, operations, reading, table
from magma.testing import Reply, Server

TODAY = datetime.date(2026, 1, 1)


@pytest.fixture(autouse=True)
def cache_file(tmp_path, monkeypatch):
    """No cache file of this machine's reaches a test."""
    path = tmp_path / "cache" / "profiles.json"
    monkeypatch.setenv("MAGMA_PROFILES", str(path))
    return path


@pytest.fixture
def rows(monkeypatch):
    """A table of the test's own."""
    made = {}
    for module in (table, operations):
        monkeypatch.setattr(module, "table", lambda: made)
    monkeypatch.setattr("magma.profiles.images.table", lambda: made)
    table.entry.cache_clear()
    yield made
    table.entry.cache_clear()


def rates(name):
    return profiles.entry(name)[1]


# --- profiles -------------------------------------------------------------------------------------------


def test_the_profile_of_seed_001():
    profile = profiles.get_model_profile("gpt-4o", provider_id="openai")
    assert (profile.id, profile.provider, profile.name) == ("openai/gpt-4o", "openai", "gpt-4o")
    assert (profile.modalities.input, profile.modalities.output) == (["text", "image"], ["text"])
    assert (profile.limits.context, profile.limits.output) == (128000, 16384)
    assert f"{profile.cost.input_per_million} {profile.cost.output_per_million}" == "2.5 10.0"
    assert profile.capabilities.tool_call is profile.capabilities.structured_output is True
    assert profile.capabilities.reasoning is None
    assert f"{profile.cost.calculate(input_tokens=1000, output_tokens=500):.4f}" == "0.0075"
    assert profile.model_type == "chat_completion"
    assert profile.source.startswith("litellm 1.")


@pytest.mark.parametrize(
    ("id", "provider", "found"),
    [
        ("openai/gpt-4o", None, "openai/gpt-4o"),
        ("gpt-4o", None, "openai/gpt-4o"),
        ("openai/gpt-4o", "openai", "openai/gpt-4o"),
        ("google/gemini-2.5-pro", None, "gemini/gemini-2.5-pro"),
        ("gemini-2.5-pro", "google", "gemini/gemini-2.5-pro"),
        ("gemini/gemini-2.5-pro", "google", "gemini/gemini-2.5-pro"),
        ("whisper-large-v3", "groq", "groq/whisper-large-v3"),
        ("ollama/llama3", None, "ollama/llama3"),
        ("low/1024-x-1024/gpt-image-1", None, "openai/low/1024-x-1024/gpt-image-1"),
        ("bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", None, None),
        ("GPT-4o", "openai", None),
        ("gpt-4o", "hosted_vllm", None),
        ("gpt-4o", "no-such-provider", None),
        ("no-such-model", None, None),
        ("sample_spec", None, None),
        ("", None, None),
        ("/", "", None),
    ],
)
def test_a_profile_is_found_by_its_id(id, provider, found):
    profile = profiles.get_model_profile(id, provider_id=provider)
    if id.startswith("bedrock/us."):
        assert profile is None or profile.id == id
    else:
        assert (profile and profile.id) == found


@pytest.mark.parametrize("arguments", [(None,), (3,), ("gpt-4o", 3), (["openai"],)])
def test_an_id_that_is_no_text_is_an_error_with_an_example(arguments):
    with pytest.raises(ConfigError, match="such as"):
        profiles.get_model_profile(*arguments)


def test_every_row_is_a_profile_that_keeps_what_the_row_says_and_adds_nothing():
    assert len(table.table()) > 4000
    for key, row in table.table().items():
        profile = reading.profile_of(key, row)
        for capability, flags in reading.FLAGS.items():
            said = [row[flag] for flag in flags if isinstance(row.get(flag), bool)]
            assert getattr(profile.capabilities, capability) is (said[0] if said else None), (key, capability)
        if not any("cost" in name for name in row) and "tiered_pricing" not in row:
            assert profile.cost == profiles.Rates(), key
        for name in profile.cost.__struct_fields__:
            rate = getattr(profile.cost, name)
            assert rate is None or isinstance(rate, tuple) or (math.isfinite(rate) and rate >= 0)
        for limit in ("context", "output", "dimensions"):
            assert getattr(profile.limits, limit) != 0, key
        assert profile.model_type in (None, *profiles.MODEL_TYPES)
        assert hash(profile) == hash(pickle.loads(pickle.dumps(profile)))
        json.dumps(msgspec.to_builtins(profile))


def test_every_token_price_is_the_row_s():
    for key, row in table.rows().items():
        cost = reading.profile_of(key, row).cost
        for name, per_million in (
            ("input_cost_per_token", cost.input_per_million),
            ("output_cost_per_token", cost.output_per_million),
        ):
            if name in row:
                assert per_million == pytest.approx(row[name] * 1e6), key


@pytest.mark.parametrize("value", [True, -1, float("nan"), float("inf"), "3", [], {}, None])
def test_an_odd_value_in_a_row_is_not_known(value):
    names = (
        "input_cost_per_token",
        "max_input_tokens",
        "deprecation_date",
        "mode",
        "supported_modalities",
        "tiered_pricing",
    )
    profile = reading.profile_of("x", {"litellm_provider": "openai", **dict.fromkeys(names, value)})
    assert profile.cost == profiles.Rates()
    assert profile.limits == profiles.Limits()
    assert (profile.deprecation_date, profile.model_type, profile.modalities.input) == (None, None, [])


def test_a_changed_profile_does_not_change_the_next():
    profiles.get_model_profile("gpt-4o").modalities.input.append("smell")
    assert profiles.get_model_profile("gpt-4o").modalities.input == ["text", "image"]


def test_a_deprecation_date_is_a_date():
    profile = profiles.get_model_profile("openai/gpt-image-1")
    assert profile.deprecation_date == datetime.date.fromisoformat(rates("gpt-image-1")["deprecation_date"])


def test_other_types_have_their_own_figures():
    embedder = profiles.get_model_profile("openai/text-embedding-3-small")
    assert (embedder.model_type, embedder.limits.dimensions, embedder.limits.context) == ("text_embedder", 1536, 8191)
    assert embedder.modalities.output == ["embedding"]
    assert profiles.get_model_profile("openai/whisper-1").cost.per_second == 0.0001
    assert profiles.get_model_profile("groq/whisper-large-v3").cost.per_second == 3.083e-05
    assert profiles.get_model_profile("openai/tts-1").cost.per_character == 1.5e-05
    assert profiles.get_model_profile("cohere/rerank-v3.5").cost.per_query == 0.002
    assert profiles.get_model_profile("openai/gpt-image-1").cost.output_image_per_million == 40.0
    assert profiles.get_model_profile("ollama/llama3").notes
    assert not profiles.get_model_profile("openai/gpt-4o").notes


# --- rates ----------------------------------------------------------------------------------------------


def test_a_cost_needs_only_the_prices_that_it_uses():
    rates = profiles.Rates(input_per_million=2.0)
    assert rates.calculate(500_000) == 1.0
    assert rates.calculate(1, 1) is None
    assert rates.calculate(10, 0, cached_tokens=1) is None
    assert profiles.Rates().calculate(0, 0) is None
    assert profiles.Rates(input_per_million=2.0, output_per_million=0.0).calculate(0, 100) == 0
    assert profiles.Rates(input_per_million=2.0, cache_read_per_million=1.0).calculate(1_000_000, 0, 500_000) == 1.5


def test_a_long_prompt_has_the_tier_s_price():
    profile = profiles.get_model_profile("google/gemini-2.5-pro")
    assert profile.cost.calculate(200_000, 1000) == pytest.approx(200_000 * 1.25e-6 + 1000 * 10e-6)
    assert profile.cost.calculate(200_001, 1000) == pytest.approx(200_001 * 2.5e-6 + 1000 * 15e-6)


@pytest.mark.parametrize("id", ["openai/gpt-4o", "google/gemini-2.5-pro", "dashscope/qwen-flash"])
def test_a_profile_s_cost_is_the_price_of_a_call(id):
    for tokens in (1, 200_000, 200_001, 300_000):
        cost, _ = profiles.price(id, Usage(input_tokens=tokens, output_tokens=7))
        assert profiles.get_model_profile(id).cost.calculate(tokens, 7) == pytest.approx(cost)


@pytest.mark.parametrize("counts", [(-1, 0), (1.5, 0), (None, 1), (True, 1), ("1", 1), (1, -1), (1, 1, 2), (1, 1, -1)])
def test_a_count_that_is_none_is_an_error(counts):
    with pytest.raises(ConfigError, match="tokens"):
        profiles.get_model_profile("gpt-4o").cost.calculate(*counts)


# --- finding --------------------------------------------------------------------------------------------


def test_found_models_fit_and_come_cheapest_first():
    found = profiles.find(tool_call=True, max_output_cost=5.0)
    totals = [
        profile.cost.input_per_million + profile.cost.output_per_million
        for profile in found
        if profile.cost.input_per_million is not None
    ]
    assert totals == sorted(totals)
    assert all(profile.capabilities.tool_call is True and profile.cost.output_per_million <= 5 for profile in found)
    assert len({profile.id for profile in found}) == len(found) > 500


def test_found_models_are_models():
    ids = {profile.id for profile in profiles.find()}
    assert not any("-x-1024/" in id or id.endswith("sample_spec") for id in ids)
    assert "openai/gpt-4o" in ids
    for id in list(ids)[::50]:
        assert profiles.get_model_profile(id).id == id


@pytest.mark.parametrize(
    ("filters", "some"),
    [
        ({"provider": "google", "model_type": "chat_completion"}, "gemini/gemini-2.5-pro"),
        ({"min_context": 1_000_000, "input": ["text", "video"]}, "gemini/gemini-2.5-pro"),
        ({"input": "pdf", "provider": "openai"}, "openai/gpt-4o"),
        ({"output": "image"}, "openai/gpt-image-1"),
        ({"name": "EMBEDDING-3", "max_input_cost": 0.02}, "openai/text-embedding-3-small"),
        ({"model_type": "image_classifier"}, "openai/gpt-4o"),
        ({"model_type": "image_text_to_image"}, "openai/gpt-image-1"),
        ({"model_type": "text_classifier", "min_output": 16384}, "openai/gpt-4o"),
        ({"model_type": "image_embedder"}, "bedrock/amazon.titan-embed-image-v1"),
        ({"deprecated": False, "provider": "openai"}, "openai/gpt-4o"),
    ],
)
def test_filters_narrow_down(filters, some):
    ids = [profile.id for profile in profiles.find(**filters)]
    assert some in ids
    assert len(ids) < len(profiles.find())


def test_what_is_not_known_fits_nothing():
    known, other = profiles.find(reasoning=True), profiles.find(reasoning=False)
    assert 0 < len(known) + len(other) < len(profiles.find())
    assert all(profile.cost.input_per_million is not None for profile in profiles.find(max_input_cost=1e9))


@pytest.mark.parametrize(
    ("filters", "told"),
    [
        ({"tool_cal": True}, "did you mean 'tool_call'"),
        ({"max_outputcost": 5}, "did you mean 'max_output_cost'"),
        ({"tool_call": "yes"}, "True or False"),
        ({"tool_call": None}, "True or False"),
        ({"provider": "opnai"}, "did you mean 'openai'"),
        ({"provider": 3}, "provider must be a str"),
        ({"model_type": "chat"}, "chat_completion"),
        ({"max_output_cost": "5"}, "number"),
        ({"max_input_cost": float("nan")}, "number"),
        ({"min_context": -1}, "number"),
        ({"input": "imag"}, "did you mean 'image'"),
        ({"output": 3}, "modality"),
        ({"deprecated": "no"}, "deprecated"),
        ({"name": 3}, "name must be a str"),
    ],
)
def test_a_filter_that_cannot_work_is_an_error_that_helps(filters, told):
    with pytest.raises(ConfigError, match=told):
        profiles.find(**filters)


def test_any_function_selects():
    chosen = profiles.select(lambda profile: profile.id == "openai/gpt-4o")
    assert [profile.id for profile in chosen] == ["openai/gpt-4o"]
    with pytest.raises(ConfigError, match="function"):
        profiles.select("openai")


# --- prices ---------------------------------------------------------------------------------------------


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


def test_a_higher_tier_is_reached_by_its_tokens(rows):
    rows["big"] = {
        "litellm_provider": "openai",
        "input_cost_per_token": 1.0,
        "output_cost_per_token": 2.0,
        "input_cost_per_token_above_128k_tokens": 3.0,
        "input_cost_per_token_above_200k_tokens": 5.0,
        "output_cost_per_token_above_200k_tokens": 7.0,
    }
    for tokens, rate, out in ((128_000, 1.0, 2.0), (128_001, 3.0, 2.0), (200_001, 5.0, 7.0)):
        cost, _ = profiles.price("openai/big", Usage(input_tokens=tokens, output_tokens=1))
        assert (cost.input, cost.output) == (tokens * rate, out)


@pytest.mark.parametrize(
    ("model", "used", "told"),
    [
        ("openai/gpt-4o", None, "no usage"),
        ("openai/gpt-4o", Usage(input_tokens=3), "no usage"),
        ("openai/no-such-model", Usage(input_tokens=1, output_tokens=1), "no price"),
        ("hosted_vllm/gpt-4o", Usage(input_tokens=1, output_tokens=1), "no price"),
        ("ollama_chat/gpt-4o", Usage(input_tokens=1, output_tokens=1), "no price"),
        ("openai/text-embedding-3-small", None, "no usage"),
    ],
)
def test_an_unknown_price_is_none_with_a_reason(model, used, told):
    cost, reason = profiles.price(model, used)
    assert cost is None
    assert told in reason


@pytest.mark.parametrize(
    ("model", "amounts", "dollars", "entry"),
    [
        ("openai/text-embedding-3-small", {"usage": Usage(input_tokens=1000)}, 2e-05, "text-embedding-3-small"),
        ("openai/gpt-image-1", {"images": 2, "size": "1024x1024", "quality": "low"}, 0.022, "low/1024-x-1024/gpt-image-1"),
        ("openai/gpt-image-1.5", {"images": 1, "size": "1536x1024", "quality": "high"}, None, "high/1536-x-1024/gpt-image-1.5"),
        ("azure/dall-e-3", {"images": 1, "size": "1024x1792", "quality": "hd"}, None, "azure/hd/1024-x-1792/dall-e-3"),
        ("azure/dall-e-3", {"images": 1, "size": "1024x1024"}, None, "azure/standard/1024-x-1024/dall-e-3"),
        ("openai/gpt-image-1", {"images": 1, "usage": Usage(input_tokens=10, output_tokens=1000)}, 10 * 5e-06 + 1000 * 4e-05, "gpt-image-1"),
        ("gemini/gemini-2.5-flash-image", {"images": 2}, 0.078, "gemini/gemini-2.5-flash-image"),
        ("openai/tts-1", {"characters": 1000}, 0.015, "tts-1"),
        ("openai/whisper-1", {"seconds": 60.0}, 0.006, "whisper-1"),
        ("groq/whisper-large-v3", {"seconds": 100}, 0.003083, "groq/whisper-large-v3"),
        ("openai/gpt-4o-transcribe", {"usage": Usage(input_tokens=100, output_tokens=10)}, 100 * 2.5e-06 + 10 * 1e-05, "gpt-4o-transcribe"),
        ("cohere/rerank-v3.5", {"queries": 3}, 0.006, "rerank-v3.5"),
        ("jina_ai/jina-reranker-v2-base-multilingual", {"queries": 1, "usage": Usage(input_tokens=100)}, None, "jina-reranker-v2-base-multilingual"),
        ("openai/omni-moderation-latest", {}, 0.0, "omni-moderation-latest"),
        ("bedrock/amazon.titan-embed-image-v1", {"images": 2}, 0.00012, "amazon.titan-embed-image-v1"),
        ("offline/echo", {}, 0.0, None),
    ],
)  # fmt: skip
def test_the_price_of_other_operations(model, amounts, dollars, entry):
    cost, reason = profiles.price(model, amounts.pop("usage", None), **amounts)
    assert reason is None
    assert cost == pytest.approx(dollars) if dollars is not None else cost > 0
    assert entry is None or cost.source.endswith(": " + entry)


@pytest.mark.parametrize(
    ("model", "amounts", "told"),
    [
        ("openai/gpt-image-1", {"images": 1}, "no usage"),
        ("gemini/gemini-2.5-flash-image", {}, "number is not known"),
        ("openai/dall-e-3", {"images": 1, "size": "1024x1024"}, "no price"),
        ("openai/tts-1", {}, "characters"),
        ("openai/gpt-4o-mini-tts", {"characters": 5}, "no usage"),
        ("openai/whisper-1", {}, "seconds"),
        ("cohere/rerank-v3.5", {"usage": Usage(input_tokens=9)}, "queries"),
        ("gemini/lyria-3-clip-preview", {"usage": Usage(input_tokens=9, output_tokens=9)}, "not priced by tokens"),
    ],
)
def test_a_quantity_that_is_not_known_is_a_reason_not_a_zero(model, amounts, told):
    cost, reason = profiles.price(model, amounts.pop("usage", None), **amounts)
    assert cost is None
    assert told in reason


def test_a_price_of_nothing_is_only_where_the_table_says_so():
    everything = {"images": 1, "size": "1024x1024", "quality": "high", "characters": 1000, "seconds": 60, "queries": 1}
    used = Usage(input_tokens=1000, output_tokens=1000)
    for key, row in table.rows().items():
        id = reading.profile_of(key, row).id
        row = profiles.entry(id)[1]
        for usage in (None, used):
            cost, reason = profiles.price(id, usage, **everything)
            assert (cost is None) == bool(reason), key
            if cost == 0:
                zeros = [value for name, value in row.items() if "cost" in name and isinstance(value, (int, float))]
                assert 0 in zeros, key


def test_what_the_provider_itself_says_wins():
    cost, _ = profiles.price("openrouter/x", None, reported=0.5)
    assert (cost, cost.source) == (0.5, "provider")


# --- providers ------------------------------------------------------------------------------------------


def test_every_provider_of_the_installed_litellm_is_known():
    assert {"openai", "anthropic", "offline", "imagerouter"} <= profiles.providers()
    assert len(profiles.providers()) > 130
    assert not profiles.is_provider("no-such-provider")
    assert profiles.is_provider("nadir") == ("nadir" in names.installed())


def test_providers_by_type_begin_with_the_best_known():
    found = profiles.providers_by_type()
    assert tuple(found) == profiles.MODEL_TYPES
    assert found["chat_completion"][:5] == ["openai", "google", "anthropic", "groq", "together"]
    assert found["text_embedder"][:2] == ["openai", "google"]
    assert "jinaai" in found["text_reranker"]
    assert "imagerouter" in found["text_to_image"]
    assert "anthropic" not in found["text_embedder"]
    for model_type, served in found.items():
        assert len(set(served)) == len(served)
        for provider in served:
            assert profiles.is_provider_of(provider, model_type), (provider, model_type)


def test_no_row_of_the_table_is_refused():
    for key, row in table.rows().items():
        profile = reading.profile_of(key, row)
        if profile.model_type and profiles.is_provider(profile.provider):
            assert profiles.is_provider_of(profile.provider, profile.model_type), key


def test_no_config_of_litellm_s_is_refused():
    """What its own selection of a provider's code names, it can do."""
    sure = {
        "text_embedder": ["dashscope", "watsonx", "sagemaker", "huggingface", "snowflake", "lm_studio", "xinference"],
        "text_to_image": ["recraft", "stability", "xinference", "openrouter", "aiml"],
        "image_text_to_image": ["stability", "gemini", "bedrock", "recraft", "openrouter", "black_forest_labs"],
        "text_to_speech": ["minimax", "vertex_ai", "aws_polly"],
        "speech_to_text": ["xai", "watsonx", "bedrock", "soniox"],
        "text_reranker": ["infinity", "huggingface", "nvidia_nim", "watsonx"],
        "moderation": ["mistral"],
    }
    refused = [(name, kind) for kind, them in sure.items() for name in them if not profiles.is_provider_of(name, kind)]
    assert refused == []


def test_what_is_taken_for_sure_is_evident():
    for model_type, served in operations._SURE.items():
        for provider in served:
            assert provider in operations._evident(model_type) | operations._compatible(), (provider, model_type)


@pytest.mark.parametrize(("provider", "refused"), [("anthropic", "text_embedder"), ("anthropic", "text_reranker"), ("elevenlabs", "text_embedder"), ("opnai", "chat_completion"), ("opnai", "moderation")])  # fmt: skip
def test_what_certainly_cannot_is_refused(provider, refused):
    assert not profiles.is_provider_of(provider, refused)


@pytest.mark.parametrize("model_type", profiles.MODEL_TYPES)
@pytest.mark.parametrize("provider", "openai azure hosted_vllm vllm litellm_proxy openai_like custom_openai offline groq together".split())  # fmt: skip
def test_who_speaks_openai_s_wire_is_refused_only_where_litellm_cannot_ask(provider, model_type):
    refused = {
        "text_reranker": {"openai", "azure", "openai_like", "custom_openai"},
        "text_embedder": {"custom_openai"},
        "image_embedder": {"custom_openai"},
    }
    for kind in ("text_to_speech", "speech_to_text", "image_text_to_image"):
        refused[kind] = {"openai_like", "custom_openai"}
    assert profiles.is_provider_of(provider, model_type) is (provider not in refused.get(model_type, ()))


def test_a_reranker_of_a_provider_without_one_is_an_error_at_once():
    with pytest.raises(ValueError, match="Provider `openai` not registered for type `text_reranker`"):
        Model.text_reranker("openai/gpt-4o")


def test_an_unknown_model_type_is_an_error():
    with pytest.raises(ConfigError, match="chat_completion"):
        profiles.is_provider_of("openai", "chat")


def test_without_litellm_s_files_nothing_is_refused(monkeypatch):
    monkeypatch.setattr(names, "folder", lambda: None)
    monkeypatch.setattr(operations, "folder", lambda: None)
    caches = [
        operations._evident,
        operations._named_in,
        operations._compatible,
        operations._endpoints,
        operations._code,
        names.members,
        names.installed,
    ]
    for cache in caches:
        cache.cache_clear()
    try:
        assert profiles.is_provider_of("anthropic", "text_embedder")
        assert profiles.providers_by_type()["chat_completion"]
    finally:
        for cache in caches:
            cache.cache_clear()


def test_importing_profiles_is_light():
    code = "import magma.profiles as p, sys; p.ALIASES, p.is_provider('openai'); print([n for n in ('msgspec', 'pydantic', 'httpx', 'litellm') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_public_names_exist():
    assert all(getattr(profiles, name) is not None for name in profiles.__all__)
    assert set(profiles.__all__) <= set(dir(profiles))
    assert callable(profiles.price)
    with pytest.raises(AttributeError, match="prise"):
        _ = profiles.prise


# --- models.dev -----------------------------------------------------------------------------------------

DOCUMENT = {
    "google": {
        "id": "google",
        "name": "Google",
        "models": {
            "gemini-new": {
                "id": "gemini-new",
                "name": "Gemini New",
                "attachment": True,
                "reasoning": True,
                "tool_call": True,
                "temperature": True,
                "knowledge": "2026-01",
                "modalities": {"input": ["text", "image", "pdf"], "output": ["text"]},
                "cost": {
                    "input": 1.25,
                    "output": 10,
                    "cache_read": 0.31,
                    "tiers": [{"input": 2.5, "tier": {"type": "context", "size": 200_000}}],
                },
                "limit": {"context": 1_048_576, "output": 65_536},
            }
        },
    },
    "openai": {
        "models": {
            "gpt-4o": {
                "attachment": True,
                "reasoning": False,
                "tool_call": False,
                "knowledge": "2023-10",
                "modalities": {"input": ["text", "image", "pdf"], "output": ["text"]},
                "cost": {"input": 99, "output": 99},
                "limit": {"context": 1, "output": 1},
            },
            "odd": {"modalities": 3, "limit": {"context": "many"}, "cost": {"input": "free", "output": -1}},
            "none": 3,
        }
    },
    "broken": 3,
}


@pytest.fixture
def server():
    with Server() as server:
        server.default = Reply.json(DOCUMENT)
        yield server


def test_a_refresh_fills_in_what_litellm_does_not_say(server, cache_file):
    assert profiles.get_model_profile("google/gemini-new") is None
    assert profiles.refresh_profiles(server.url) == 3
    assert cache_file.exists()
    new = profiles.get_model_profile("gemini-new", provider_id="google")
    assert (new.id, new.model_type, new.knowledge) == ("gemini/gemini-new", "chat_completion", "2026-01")
    assert new.modalities.input == ["text", "image"]
    assert new.capabilities.attachment is new.capabilities.pdf_input is new.capabilities.temperature is True
    assert new.capabilities.audio_input is False
    assert new.cost.calculate(300_000, 0) == 0.75
    assert new.source == f"models.dev of {datetime.datetime.now(datetime.UTC).date()}"
    assert new in profiles.find(provider="google", name="gemini-new")
    cost, _ = profiles.price("gemini/gemini-new", Usage(input_tokens=1_000_000, output_tokens=0))
    assert (cost, cost.source) == (2.5, f"{new.source}: gemini/gemini-new")


def test_litellm_s_word_wins_over_models_dev_s(server):
    before = profiles.get_model_profile("openai/gpt-4o")
    profiles.refresh_profiles(server.url)
    after = profiles.get_model_profile("gpt-4o")
    assert (after.cost, after.limits, after.modalities) == (before.cost, before.limits, before.modalities)
    assert (after.capabilities.tool_call, after.capabilities.reasoning) == (True, False)
    assert (after.knowledge, after.capabilities.attachment) == ("2023-10", True)
    assert after.source.startswith(before.source + ", models.dev of ")


def test_an_odd_model_of_models_dev_s_is_one_of_which_little_is_known(server):
    profiles.refresh_profiles(server.url)
    odd = profiles.get_model_profile("openai/odd")
    assert (odd.cost, odd.limits) == (profiles.Rates(), profiles.Limits())


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply.error(503), ServerError),
        (Reply.text("<html>"), ServerError),
        (Reply.json([]), ServerError),
        (Reply.json({"openai": {"models": {}}}), ServerError),
        (Reply.text("", 302, headers={"location": "http://example.com/api.json"}), ConnectionError),
        (Reply.text("", 302, headers={"location": "/again"}), ServerError),
        (Reply.json(DOCUMENT, delay=5), TimeoutError),
        (Reply.text(b"[" * 100_000), ServerError),
    ],
)  # fmt: skip
def test_a_refresh_that_fails_leaves_the_old_file(server, cache_file, reply, error):
    profiles.refresh_profiles(server.url)
    before = cache_file.read_bytes()
    server.default = reply
    with pytest.raises(error):
        profiles.refresh_profiles(server.url, timeout=0.5)
    assert cache_file.read_bytes() == before
    assert list(cache_file.parent.iterdir()) == [cache_file]


def test_a_redirect_within_the_host_is_followed(server):
    server.on("/api", Reply.text("", 301, headers={"location": "/v2"}))
    assert profiles.refresh_profiles(server.url + "/api") == 3


def test_a_document_without_end_is_refused(server, monkeypatch):
    monkeypatch.setattr(download, "MAX_BYTES", 100)
    with pytest.raises(ServerError, match="MB"):
        profiles.refresh_profiles(server.url)


@pytest.mark.parametrize("url", ["", "models.dev", "file:///etc/passwd", None, "http://", "http://[::1"])
def test_a_url_that_is_none_is_an_error(url):
    with pytest.raises(ConfigError, match="url"):
        profiles.refresh_profiles(url)


@pytest.mark.parametrize("timeout", [0, -1, None, "20", True, float("nan")])
def test_a_timeout_that_is_none_is_an_error(server, timeout):
    with pytest.raises(ConfigError, match="timeout"):
        profiles.refresh_profiles(server.url, timeout=timeout)


def test_a_refresh_can_be_forbidden(server, monkeypatch):
    monkeypatch.setenv("MAGMA_ALLOW_REQUESTS", "0")
    with pytest.raises(ConfigError, match="MAGMA_ALLOW_REQUESTS"):
        profiles.refresh_profiles(server.url)
    assert server.requests == []


def test_nobody_listens():
    with Server() as server:
        url = server.url
    with pytest.raises(ConnectionError, match="could not be fetched"):
        profiles.refresh_profiles(url)


def test_a_file_that_cannot_be_written_is_an_error_that_names_the_variable(server, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MAGMA_PROFILES", str(tmp_path / "file" / "profiles.json"))
    with pytest.raises(ConfigError, match="MAGMA_PROFILES"):
        profiles.refresh_profiles(server.url)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"fetched": "never", "models": {}}', b'{"models": {"a": 1}}', b"\xff", b"[" * 9999]
)
def test_a_broken_cache_file_is_ignored_with_one_warning(cache_file, caplog, content):
    cache_file.parent.mkdir()
    cache_file.write_bytes(content)
    with caplog.at_level(logging.WARNING, logger="magma"):
        for _ in range(3):
            assert profiles.get_model_profile("gpt-4o").limits.context == 128000
    assert [record.name for record in caplog.records] == ["magma"]
    assert str(cache_file) in caplog.text


def test_the_cache_file_is_in_the_user_s_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("MAGMA_PROFILES")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert catalog.path() == tmp_path / "magma" / "profiles.json"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert catalog.path().parts[-3:] == (".cache", "magma", "profiles.json")


# --- whether a call fits --------------------------------------------------------------------------------

HI = [{"role": "user", "content": "Hi"}]
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
SOUND = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
FILE = {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"}}


def check(id="openai/gpt-4o", messages=HI, **more):
    profile = profiles.get_model_profile(id)
    assert profile is not None
    return fit.fit(profile, messages=messages, today=TODAY, **more)


def holding(*blocks):
    return [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, *blocks]}]


def test_a_call_that_fits():
    report = check(
        messages=holding(PICTURE), tools=[{"type": "function", "function": {"name": "greet"}}], max_tokens=100
    )
    assert (bool(report), report.problems, report.warnings, report.context) == (True, (), (), True)
    assert report.modalities == ("text", "image")
    low, high = report.cost_range
    assert 0 < low < high
    assert report.input_range[0] < report.input_tokens < report.input_range[1]
    assert "characters" in report.estimate


def test_the_cost_is_between_no_answer_and_the_longest():
    report = check(max_tokens=1000, params={"n": 2})
    rates = profiles.get_model_profile("openai/gpt-4o").cost
    assert report.cost_range == (
        rates.calculate(report.input_range[0], 0),
        rates.calculate(report.input_range[1], 2000),
    )
    assert check("github_copilot/text-embedding-3-small").cost_range is None


@pytest.mark.parametrize(
    ("text", "tokens"),  # as cl100k_base counts them
    [
        ("The quick brown fox jumps over the lazy dog. " * 100, 1001),
        ("Der schnelle braune Fuchs springt über den faulen Hund. " * 100, 1501),
        ("敏捷的棕色狐狸跳过了懒狗。" * 100, 2500),
        ("Быстрая коричневая лиса прыгает через ленивую собаку. " * 50, 1401),
        ("🎉🚀😀" * 100, 800),
        ("3.14159265358979 " * 100, 800),
        ("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo9PQ8f3kZx" * 50, 1450),
        (json.dumps([{"id": i, "name": f"x{i}", "price": i * 1.37} for i in range(300)]), 6874),
        (" " * 4000 + "x", 33),
        ("=" * 4000, 63),
    ],
)
def test_the_estimate_s_range_holds_the_truth(text, tokens):
    low, high = check(messages=[{"role": "user", "content": text}]).input_range
    assert low < tokens < high


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"id": "openai/text-embedding-3-small"}, "no chat model"),
        ({"id": "openai/gpt-4", "messages": [{"role": "user", "content": "word " * 100_000}]}, "shorten it"),
        ({"max_tokens": 20_000}, "at most 16384"),
        ({"params": {"top_k": 3}, "takes": lambda name: name != "top_k"}, "does not take top_k"),
    ],
)
def test_what_would_fail_is_a_problem(arguments, told):
    report = check(**arguments)
    assert not report
    assert any(told in problem for problem in report.problems)


def with_(**capabilities):
    profile = profiles.get_model_profile("openai/gpt-4o")
    changed = msgspec.structs.replace(profile.capabilities, **capabilities)
    return msgspec.structs.replace(profile, capabilities=changed, modalities=profiles.Modalities(input=["text"]))


@pytest.mark.parametrize(
    ("capability", "arguments", "told"),
    [
        ("vision", {"messages": holding(PICTURE)}, "images"),
        ("audio_input", {"messages": holding(SOUND)}, "audio"),
        ("pdf_input", {"messages": holding(FILE)}, "PDF"),
        ("tool_call", {"tools": [{"type": "function"}]}, "tools"),
    ],
)
def test_what_a_model_cannot_is_a_problem_and_what_is_not_known_a_warning(capability, arguments, told):
    arguments = {"messages": HI, **arguments}
    cannot = fit.fit(with_(**{capability: False}), **arguments)
    unknown = fit.fit(with_(**{capability: None}), **arguments)
    can = fit.fit(with_(**{capability: True}), **arguments)
    assert told in "".join(cannot.problems)
    assert unknown
    assert told in "".join(unknown.warnings)
    assert can
    assert not any("known" in warning for warning in can.warnings)


@pytest.mark.parametrize(
    ("capability", "arguments"),
    [
        ("structured_output", {"schema": {"type": "object"}}),
        ("system_messages", {"messages": [{"role": "system", "content": "Be brief."}, *HI]}),
        ("parallel_tool_call", {"tools": [{}], "params": {"parallel_tool_calls": True}}),
        ("tool_choice", {"tools": [{}], "params": {"tool_choice": "required"}}),
    ],
)
def test_what_is_done_otherwise_is_a_warning(capability, arguments):
    report = fit.fit(with_(**{capability: False}), **{"messages": HI, **arguments})
    assert report
    assert report.warnings


def test_the_end_of_a_model_is_a_warning():
    profile = profiles.get_model_profile("openai/gpt-4o")
    for days, told in ((-1, "deprecated since"), (0, "deprecated since"), (89, "in 89 days"), (91, None)):
        ends = msgspec.structs.replace(profile, deprecation_date=TODAY + datetime.timedelta(days))
        report = fit.fit(ends, messages=HI, today=TODAY)
        assert report
        assert (told in report.warnings[0]) if told else not report.warnings


def test_what_cannot_be_counted_is_said():
    report = check("google/gemini-2.5-pro", messages=holding(SOUND, FILE))
    assert report
    assert (report.context, report.cost_range) == (None, None)
    assert any("audio and pdf" in warning for warning in report.warnings)


def test_too_close_to_tell():
    report = check("openai/gpt-4", messages=[{"role": "user", "content": "word " * 6000}])
    assert report
    assert report.context is None
    assert "may not fit" in report.warnings[0]


def test_a_model_that_nobody_knows_is_a_warning():
    report = fit.fit(None, messages=HI, params={"x": 1, "y": None}, takes=lambda name: None)
    assert report
    assert len(report.warnings) == 1
    assert report.context is None


def test_fit_changes_nothing_and_its_report_is_a_value():
    messages = holding(PICTURE)
    before = copy.deepcopy(messages)
    report = check(messages=messages)
    assert messages == before
    assert pickle.loads(pickle.dumps(report)) == report == check(messages=messages)


def test_the_lookup_reads_every_id_of_the_catalog_of_all():
    everything = lookup.all_profiles()
    assert len({profile.id for profile in everything}) == len(everything) > 3500
