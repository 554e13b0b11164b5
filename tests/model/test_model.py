"""`Model` as a value: construction, equality, pickling, cloning, repr, secrets, defaults from the environment."""

import copy
import json
import pickle
import re

import pytest

import magma
from magma import ConfigError, Model, ModelAsync, Timeout


def test_the_class_defaults():
    model = Model("openai/gpt-4o")
    assert model.temperature == 0.0
    assert model.timeout == 600.0
    assert model.max_retries == 2
    assert model.on_unsupported == "raise"
    assert model.extra == {}
    unset = "top_p top_k max_tokens stop seed frequency_penalty presence_penalty logprobs reasoning_effort api_base"
    assert all(getattr(model, name) is None for name in (*unset.split(), "api_key", "api_version", "cache"))


def test_it_cannot_be_changed():
    model = Model("openai/gpt-4o", thinking={"type": "enabled", "list": [1]}, extra_headers={"a": "b"})
    with pytest.raises(AttributeError):
        model.temperature = 1.0
    with pytest.raises(AttributeError):
        model.other = 1
    with pytest.raises(TypeError):
        model.extra["x"] = 1
    with pytest.raises(TypeError):
        model.extra["thinking"]["type"] = "off"
    with pytest.raises(TypeError):
        model.extra["thinking"]["list"].append(2)
    with pytest.raises(TypeError):
        model.extra_headers.update(a="c")
    with pytest.raises(TypeError):
        model.extra |= {"a": 1}


def test_it_has_no_dict():
    assert not hasattr(Model("openai/gpt-4o"), "__dict__")


def test_the_callers_objects_stay_free_and_apart():
    thinking = {"type": "enabled", "list": [1]}
    model = Model("openai/gpt-4o", thinking=thinking, stop=["a"])
    thinking["type"] = "off"
    thinking["list"].append(2)
    assert model.extra["thinking"] == {"type": "enabled", "list": [1]}
    assert model.stop == ("a",)


VALUES = [
    Model("openai/gpt-4o"),
    Model("openai/gpt-4o", temperature=0.7, max_tokens=5, stop=["a", "b"], timeout=Timeout(total=3)),
    Model(
        "anthropic/claude-4-opus-20250514", thinking={"type": "enabled", "budget_tokens": 10_000}, nested=[{"a": [1]}]
    ),
    Model("openai/gpt-4o", api_key="sk-secret-123", extra_headers={"X-Team": "a"}, logit_bias={"1": -100}),
    Model("openai/gpt-4o", enable_cache=True, cache_size=3),
    ModelAsync("openai/gpt-4o", temperature=0.7),
]


@pytest.mark.parametrize("model", VALUES, ids=lambda model: repr(model)[:40])
def test_it_pickles_copies_hashes_and_compares(model):
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        twin = pickle.loads(pickle.dumps(model, protocol))
        assert twin == model
        assert hash(twin) == hash(model)
        assert type(twin) is type(model)
    assert copy.copy(model) == model
    assert copy.deepcopy(model) == model
    assert {model: 1}[pickle.loads(pickle.dumps(model))] == 1
    assert model.with_() == model
    with pytest.raises(TypeError):
        pickle.loads(pickle.dumps(model)).extra["x"] = 1


def test_different_values_differ():
    assert len(set(VALUES)) == len(VALUES)
    assert Model("openai/gpt-4o") != ModelAsync("openai/gpt-4o")
    assert Model("openai/gpt-4o") != "openai/gpt-4o"


@pytest.mark.parametrize("model", [model for model in VALUES if model.api_key is None and model.cache is None])
def test_its_repr_is_what_you_would_type(model):
    names = {"Model": Model, "ModelAsync": ModelAsync, "Timeout": Timeout}
    assert eval(repr(model), names) == model


def test_its_repr_leaves_defaults_out():
    assert repr(Model("openai/gpt-4o", temperature=0.7)) == "Model('openai/gpt-4o', temperature=0.7)"
    assert repr(Model("openai/gpt-4o", temperature=0)) == "Model('openai/gpt-4o')"


SECRET = "sk-very-secret-0123456789"


@pytest.mark.parametrize(
    "options",
    [
        {"api_key": SECRET},
        {"openai_api_key": SECRET},
        {"extra_headers": {"Authorization": f"Bearer {SECRET}"}},
        {"aws_secret_access_key": SECRET},
        {"extra": {"nested": {"api_key": SECRET}}},
    ],
    ids=str,
)
def test_a_secret_is_in_no_text(options):
    model = Model("openai/gpt-4o", **options)
    texts = [repr(model), str(model), f"{model}", repr(model.api_key), str(model.api_key), repr([model])]
    assert not any(SECRET in text for text in texts)
    request = model._request({"messages": []})
    assert SECRET not in repr(request)


def test_with_makes_a_changed_twin_of_the_same_class():
    model = ModelAsync("openai/gpt-4o", temperature=0.7, seed=1)
    twin = model.with_(max_tokens=5, seed=None)
    assert type(twin) is ModelAsync
    assert (twin.temperature, twin.max_tokens, twin.seed) == (0.7, 5, None)
    assert (model.max_tokens, model.seed) == (None, 1)


def test_with_merges_extra_and_none_removes():
    model = Model("openai/gpt-4o", min_p=0.1, thinking={"a": 1})
    assert model.with_(extra={"min_p": 0.2, "echo": True}).extra == {"min_p": 0.2, "thinking": {"a": 1}, "echo": True}
    assert model.with_(min_p=None).extra == {"thinking": {"a": 1}}
    assert model.with_(extra={"thinking": None}).extra == {"min_p": 0.1}


def test_with_validates():
    with pytest.raises(ConfigError, match="temperature"):
        Model("openai/gpt-4o").with_(temperature=9)
    with pytest.raises(ConfigError, match="temperature"):
        Model("openai/gpt-4o").with_(temprature=1)


def test_with_reads_no_environment(monkeypatch):
    model = Model("openai/gpt-4o")
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_TEMPERATURE", "0.5")
    assert model.with_(seed=1).temperature == 0.0


def test_with_keeps_the_cache():
    model = Model("openai/gpt-4o", enable_cache=True)
    assert model.with_(temperature=1).cache is model.cache


BAD = [
    ({"id": ""}, "id"),
    ({"id": "gpt-4o"}, "provider/name"),
    ({"id": "/gpt-4o"}, "provider/name"),
    ({"id": "openai/"}, "provider/name"),
    ({"id": " openai/x"}, "provider/name"),
    ({"id": None}, "needs an id"),
    ({"id": 3}, "3"),
    ({"id": "opnai/gpt-4o"}, "Provider `opnai` not registered for type `chat_completion`"),
    ({"temperature": 2.5}, "temperature.*2.5"),
    ({"temperature": -0.1}, "temperature"),
    ({"temperature": float("nan")}, "temperature"),
    ({"temperature": float("inf")}, "temperature"),
    ({"temperature": "hot"}, "temperature.*'hot'"),
    ({"temperature": True}, "temperature"),
    ({"top_p": 1.1}, "top_p"),
    ({"top_k": -2}, "top_k"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": 1.5}, "max_tokens"),
    ({"stop": [1]}, "stop"),
    ({"seed": "x"}, "seed"),
    ({"frequency_penalty": 3}, "frequency_penalty"),
    ({"presence_penalty": -3}, "presence_penalty"),
    ({"top_logprobs": 21}, "top_logprobs"),
    ({"reasoning_effort": "huge"}, "reasoning_effort"),
    ({"timeout": 0}, "timeout"),
    ({"timeout": -1}, "timeout"),
    ({"timeout": float("nan")}, "timeout"),
    ({"timeout": {"totl": 1}}, "timeout"),
    ({"max_retries": -1}, "max_retries"),
    ({"max_retries": True}, "max_retries"),
    ({"on_unsupported": "maybe"}, "on_unsupported"),
    ({"cache": True}, "cache"),
    ({"cache_size": 0, "enable_cache": True}, "size"),
    ({"enable_cache": "yes"}, "enable_cache"),
    ({"api_base": "file:///etc/passwd"}, "api_base"),
    ({"api_base": "localhost:8000"}, "api_base"),
    ({"api_base": "http://"}, "api_base"),
    ({"api_base": "http://host:port/v1"}, "api_base"),
    ({"extra_headers": {"a": 1}}, "extra_headers"),
    ({"extra_headers": {"a": "b\r\nc: d"}}, "extra_headers"),
    ({"extra": [1]}, "extra"),
    ({"extra": {"x": object()}}, "extra.x"),
    ({"extra": {"x": float("nan")}}, "extra.x"),
    ({"extra": {"x": {1: 2}}}, "extra.x"),
    ({"extra": {"temperature": 1}}, "temperature"),
    ({"min_p": {1, 2}}, "min_p"),
    ({"num_retries": 3}, "max_retries"),
    ({"stream": True}, "stream"),
    ({"schema": {}}, "give it to the call"),
    ({"prefilling": "{"}, "give it to the call"),
    ({"success_callback": ["langfuse"]}, "register_hook"),
    ({"logit_bias": [1]}, "logit_bias"),
    ({"logit_bias": {"5": 1000}}, "logit_bias"),
    ({"logit_bias": {"5": "x"}}, "logit_bias"),
    ({"anthropic_api_key": "x"}, "anthropic_api_key"),
    ({"api_key": "a", "openai_api_key": "b"}, "api_key"),
]


@pytest.mark.parametrize(("options", "told"), BAD, ids=[re.sub("0x[0-9a-f]+", "", str(options)) for options, _ in BAD])
def test_a_value_that_cannot_work_is_named(options, told):
    with pytest.raises(ConfigError, match=told) as caught:
        Model(**{"id": "openai/gpt-4o", **options})
    assert isinstance(caught.value, ValueError)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_password_in_api_base_is_not_repeated():
    with pytest.raises(ConfigError) as caught:
        Model("openai/gpt-4o", api_base="https://me:hunter22@host/v1")
    assert "hunter22" not in str(caught.value)
    assert "user name or password" in str(caught.value)


@pytest.mark.parametrize(
    "name", ["temprature", "temperatur", "Temperature", "max_token", "maxtokens", "topp", "api_keys", "stops"]
)
def test_a_misspelt_field_is_an_error_that_names_it(name):
    with pytest.raises(ConfigError, match="did you mean"):
        Model("openai/gpt-4o", **{name: 1})
    assert Model("openai/gpt-4o", extra={name: 1}).extra == {name: 1}


@pytest.mark.parametrize(
    "name", ["min_p", "top_a", "n", "num_ctx", "max_completion_tokens", "thinking", "repetition_penalty", "guided_json"]
)
def test_a_providers_own_parameter_goes_to_extra(name):
    assert Model("openai/gpt-4o", **{name: 1}).extra == {name: 1}


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("TEMPERATURE", "0.3", "temperature", 0.3),
        ("TEMPERATURE", "none", "temperature", None),
        ("MAX_TOKENS", "64", "max_tokens", 64),
        ("STOP", "END", "stop", "END"),
        ("STOP", '["a", "b"]', "stop", ("a", "b")),
        ("LOGPROBS", "true", "logprobs", True),
        ("REASONING_EFFORT", "low", "reasoning_effort", "low"),
        ("API_BASE", "http://localhost:1/v1", "api_base", "http://localhost:1/v1"),
        ("API_VERSION", "2024-06-01", "api_version", "2024-06-01"),
        ("USER", "123", "user", "123"),
        ("TIMEOUT", "20", "timeout", 20.0),
        ("TIMEOUT", '{"total": 5}', "timeout", Timeout(total=5)),
        ("MAX_RETRIES", "0", "max_retries", 0),
        ("EXTRA", '{"min_p": 0.1}', "extra", {"min_p": 0.1}),
        ("EXTRA_HEADERS", '{"a": "b"}', "extra_headers", {"a": "b"}),
        ("LOGIT_BIAS", '{"1": -1}', "logit_bias", {"1": -1}),
        ("CACHE", "16", "cache", magma.Cache(size=16)),
        ("CACHE", "off", "cache", None),
        ("ON_UNSUPPORTED", "drop", "on_unsupported", "drop"),
    ],
)
def test_the_environment_sets_defaults(monkeypatch, variable, text, field, value):
    monkeypatch.setenv(f"MAGMA_MODEL_DEFAULT_{variable}", text)
    assert getattr(Model("openai/gpt-4o"), field) == value


def test_the_environment_sets_the_id(monkeypatch):
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_ID", "openai/gpt-4o")
    assert Model().id == "openai/gpt-4o"
    assert Model("openai/other").id == "openai/other"


def test_the_environment_sets_a_secret_key(monkeypatch):
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_API_KEY", SECRET)
    model = Model("openai/gpt-4o")
    assert model.api_key.get_secret_value() == SECRET
    assert SECRET not in repr(model)


def test_a_constructor_argument_beats_the_environment(monkeypatch):
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_TEMPERATURE", "0.3")
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_EXTRA", '{"min_p": 0.1, "top_a": 1}')
    assert Model("openai/gpt-4o", temperature=0.7).temperature == 0.7
    assert Model("openai/gpt-4o", min_p=0.2).extra == {"min_p": 0.2, "top_a": 1}


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("TEMPERATURE", "hot"),
        ("TEMPERATURE", "3"),
        ("MAX_TOKENS", "many"),
        ("TIMEOUT", "-1"),
        ("EXTRA", "x"),
        ("EXTRA", "[1]"),
        ("ID", "x"),
        ("API_BASE", "x"),
    ],
)
def test_a_bad_variable_is_named(monkeypatch, variable, text):
    monkeypatch.setenv(f"MAGMA_MODEL_DEFAULT_{variable}", text)
    with pytest.raises(ConfigError) as caught:
        Model() if variable == "ID" else Model("openai/gpt-4o")
    assert f"MAGMA_MODEL_DEFAULT_{variable}" in str(caught.value)


def test_the_provider_names_of_other_libraries_are_known():
    pairs = {"google/x": "gemini", "together/x": "together_ai", "jinaai/x": "jina_ai", "vllm/x": "hosted_vllm"}
    for id, provider in pairs.items():
        assert Model(id).provider == provider
        assert Model(id)._request({}).model == f"{provider}/x"
        assert Model(id).id == id


def test_an_id_may_hold_more_slashes():
    assert Model("openrouter/meta/llama-3").name == "meta/llama-3"


def test_a_provider_key_becomes_the_api_key():
    model = Model("groq/llama3-70b", groq_api_key=SECRET)
    assert model.api_key.get_secret_value() == SECRET
    assert model.extra == {}
    assert Model("google/x", google_api_key=SECRET).api_key.get_secret_value() == SECRET


def test_class_variables_are_no_fields():
    request = Model("openai/gpt-4o", seed=3)._request({})
    assert dict(request.params) == {"temperature": 0.0, "seed": 3}
    assert json.dumps(dict(request.params))


def test_help_shows_every_field():
    import inspect

    shown = inspect.signature(Model).parameters
    assert list(shown)[:3] == ["id", "temperature", "top_p"]
    assert shown["temperature"].default == 0.0
    assert set(Model.fields) <= set(shown)
    assert Model(id="openai/gpt-4o") == Model("openai/gpt-4o")


def test_format_gives_the_messages_as_sent():
    assert Model("offline/echo").format("a", [{"role": "user", "content": "b"}]) == [
        {"role": "user", "content": "a"},
        {"role": "user", "content": "b"},
    ]
    with pytest.raises(ConfigError):
        Model("offline/echo").format()
