"""Handles as plain data and back; the factory of seed 000."""

import json

import pytest

import magma
from magma.errors import ConfigError
from magma.model import _factory
from magma.testing import Reply, Server

TYPES = list(_factory.HOMES)
SECRET = "sk-very-secret-key-123"


@pytest.mark.parametrize("model_type", TYPES)
def test_every_type_has_its_factory_and_its_class(model_type):
    made = getattr(magma.Model, model_type)("offline/echo")
    assert made.model_type == model_type
    assert made.instance_type() == {"model_type": model_type}
    assert made.get_model_info() == {"model_id": "echo", "provider": "offline"}
    assert type(made) is _factory.class_of(model_type)
    assert getattr(magma, type(made).__name__) is type(made)
    assert magma.Model.from_serialized(**made.serialize()) == made


def test_model_types_and_providers():
    assert magma.Model.model_types() == TYPES
    assert list(magma.Model.providers()) == TYPES
    assert {"openai", "google", "anthropic", "groq", "together"} <= set(magma.Model.providers()["chat_completion"])


@pytest.mark.parametrize("model_type", TYPES)
def test_an_unknown_provider_is_refused_at_construction(model_type):
    with pytest.raises(ValueError, match=f"Provider `invalid-provider` not registered for type `{model_type}`"):
        getattr(magma.Model, model_type)("invalid-provider/model")


def test_the_shape_of_seed_000():
    state = magma.Model.chat_completion("openai/gpt-4o", temperature=0.7, max_tokens=500).serialize()
    assert state == {
        "msgflux_type": "model",
        "provider": "openai",
        "model_type": "chat_completion",
        "state": {
            "model_id": "gpt-4o",
            "sampling_params": {},
            "sampling_run_params": {"temperature": 0.7, "max_tokens": 500},
        },
    }


RICH = [
    magma.Model("openai/gpt-4o", temperature=None, top_p=0.9, stop=["a", "b"], seed=3, min_p=0.1),
    magma.Model("google/gemini-2.0-flash", timeout=magma.Timeout(total=5, idle=1), max_retries=0, max_reasks=2),
    magma.Model("openai/gpt-4o", timeout=None, extra_headers={"x-team": "a"}, on_unsupported="drop", logit_bias={5: 1}),
    magma.Model(
        "hosted_vllm/m", api_base="http://localhost:8000/v1", extra={"temprature": 1, "extra_body": {"a": [1]}}
    ),
    magma.Embedder("openai/text-embedding-3-small", dimensions=256),
    magma.TextClassifier("openai/gpt-4o", labels={"good": "nice", "bad": ""}, multi_label=True),
    magma.Transcriber("openai/whisper-1", timestamp_granularities=["word"]),
]


@pytest.mark.parametrize("handle", RICH, ids=repr)
def test_a_round_trip_through_json_is_the_same_handle(handle):
    state = json.loads(json.dumps(handle.serialize()))
    before = json.dumps(state)
    assert magma.Model.from_serialized(**state) == handle
    assert magma.Model.from_serialized(state) == handle
    parts = {name: state[name] for name in ("provider", "model_type", "state")}
    assert magma.Model.from_serialized(**parts) == handle
    assert json.dumps(state) == before


def test_the_environments_defaults_do_not_change_what_was_saved(monkeypatch):
    state = magma.Model("openai/gpt-4o").serialize()
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_TEMPERATURE", "1.5")
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_MAX_TOKENS", "7")
    assert magma.Model("openai/gpt-4o").temperature == 1.5
    restored = magma.Model.from_serialized(**state)
    assert (restored.temperature, restored.max_tokens) == (0.0, None)


def test_the_requests_are_the_same_to_the_byte():
    handle = magma.Model("openai/gpt-4o", temperature=None, top_p=0.9, stop=["a"], min_p=0.1, api_key=SECRET)
    with Server() as server:
        server.default = Reply.chat()
        handle = handle.with_(api_base=server.url + "/v1")
        handle("Hi")
        magma.Model.from_serialized(**json.loads(json.dumps(handle.serialize()))).with_(api_key=SECRET)("Hi")
        first, second = server.requests
    assert (first.body, first.path) == (second.body, second.path)


def test_no_secret_is_in_it():
    handle = magma.Model(
        "bedrock/m",
        api_key=SECRET,
        aws_secret_access_key=SECRET,
        extra_headers={"authorization": SECRET, "x-team": "a"},
        extra={"nested": [{"api_token": SECRET}]},
    )
    state = handle.serialize()
    assert SECRET not in json.dumps(state)
    assert state["state"]["sampling_params"]["extra_headers"] == {"x-team": "a"}


def test_what_is_unknown_is_passed_over():
    state = magma.Model("openai/gpt-4o", max_tokens=5).serialize()
    state |= {"version": 9}
    state["state"] |= {"new": 1, "sampling_params": {"base_url": "http://localhost:1/v1", "organisation_tree": None}}
    restored = magma.Model.from_serialized(**state)
    assert (restored.max_tokens, restored.api_base) == (5, "http://localhost:1/v1")


BROKEN = [
    None,
    [],
    "state",
    {},
    {"provider": "openai", "model_type": "chat_completion"},
    {"provider": "openai", "model_type": "chat_completion", "state": []},
    {"provider": "openai", "model_type": "chat_completion", "state": {"model_id": None}},
    {"provider": ["openai"], "model_type": "chat_completion", "state": {"model_id": "m"}},
    {"provider": "openai", "model_type": "telepathy", "state": {"model_id": "m"}},
    {"provider": "openai", "model_type": ["chat_completion"], "state": {"model_id": "m"}},
    {"provider": "nobody", "model_type": "chat_completion", "state": {"model_id": "m"}},
    {"provider": "openai", "model_type": "chat_completion", "state": {"model_id": "m", "sampling_run_params": 3}},
    {
        "provider": "openai",
        "model_type": "chat_completion",
        "state": {"model_id": "m", "sampling_run_params": {"temperature": "hot"}},
    },
    {
        "provider": "openai",
        "model_type": "chat_completion",
        "state": {"model_id": "m", "sampling_params": {"api_base": "file:///etc/passwd"}},
    },
    {
        "provider": "openai",
        "model_type": "chat_completion",
        "state": {"model_id": "m", "sampling_params": {"cache": {"size": -1}}},
    },
    {
        "provider": "openai",
        "model_type": "chat_completion",
        "state": {"model_id": "m", "sampling_run_params": {"callbacks": ["x"]}},
    },
    {
        "provider": "openai",
        "model_type": "chat_completion",
        "state": {"model_id": "m", "sampling_params": {"timeout": {"forever": 1}}},
    },
]


@pytest.mark.parametrize("state", BROKEN, ids=lambda state: str(state)[:90])
def test_a_broken_or_hostile_state_is_a_config_error(state):
    with pytest.raises(ConfigError):
        magma.Model.from_serialized(state if state is not None else 0)


def test_save_and_load(tmp_path):
    path = tmp_path / "model.json"
    state = magma.Model("openai/gpt-4o", temperature=0.7).serialize()
    magma.save(state, path)
    assert magma.load(path) == state
    assert magma.Model.from_serialized(**magma.load(str(path))) == magma.Model("openai/gpt-4o", temperature=0.7)


@pytest.mark.parametrize("data", [{1, 2}, object(), float("nan"), {"a": b"x"}], ids=lambda data: type(data).__name__)
def test_what_json_cannot_carry_is_not_saved(tmp_path, data):
    with pytest.raises(ConfigError, match="JSON"):
        magma.save(data, tmp_path / "x.json")
    assert not (tmp_path / "x.json").exists()


def test_files_that_cannot_be_read_say_so(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "half.json").write_text('{"a": ')
    for name in ("missing.json", "binary", "half.json", "."):
        with pytest.raises(ConfigError, match=r"JSON|read|UTF-8"):
            magma.load(tmp_path / name)
    with pytest.raises(ConfigError, match="written"):
        magma.save({}, tmp_path / "no" / "folder.json")
