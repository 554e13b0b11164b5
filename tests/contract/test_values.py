"""What every model type is as a value: frozen, equal, hashable, picklable, evaluable, serializable; its responses too."""

import copy
import dataclasses
import json
import pickle

import pytest

import magma
from magma import errors
from magma.testing import Reply
from magma.testing.steps import Received


def sent(received: Received):
    """What a request asks for, whatever its boundary."""
    form = received.form()
    return (received.method, received.path, form or received.body)


def configured(kind, server, **changes):
    return kind.handle(server, **kind.params | {"max_retries": 5, "extra_headers": {"X-Team": "a"}} | changes)


def asked(server, kind, handle):
    server.default = kind.reply or server.default
    return handle(*kind.inputs)


def test_a_handle_is_equal_to_one_with_the_same_fields(kind, server):
    one, other = configured(kind, server), configured(kind, server)
    assert one == other
    assert hash(one) == hash(other)
    assert one != one.with_(timeout=1)
    assert one.with_() == one
    assert type(one.with_(timeout=1)) is kind.type


def test_a_handle_is_frozen(kind, server):
    handle = configured(kind, server)
    with pytest.raises(dataclasses.FrozenInstanceError):
        handle.timeout = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        handle.nonsense = 1
    with pytest.raises(TypeError):
        handle.extra["seed"] = 1
    assert not hasattr(handle, "__dict__")


def test_a_handle_pickles_and_copies(kind, server):
    handle = configured(kind, server, extra={"x_seed": [1, {"a": 2}]})
    again = pickle.loads(pickle.dumps(handle))
    assert again == handle
    assert type(again) is kind.type
    assert again.api_key.get_secret_value() == handle.api_key.get_secret_value()
    assert copy.deepcopy(handle) == copy.copy(handle) == handle


def test_a_repr_can_be_evaluated(kind, server):
    handle = configured(kind, server, api_key=None, extra={"x_seed": 3, "odd-name": 1})
    assert eval(repr(handle), {kind.type.__name__: kind.type}) == handle
    assert eval(repr(kind.type(kind.id)), {kind.type.__name__: kind.type}) == kind.type(kind.id)


def test_every_field_has_a_default_in_the_environment(kind, server, monkeypatch):
    prefix = f"MAGMA_{kind.type.env_name}_DEFAULT_"
    monkeypatch.setenv(f"{prefix}ID", kind.id)
    monkeypatch.setenv(f"{prefix}API_BASE", f"{server.url}{kind.path}")
    monkeypatch.setenv(f"{prefix}API_KEY", "the-key-of-the-environment")
    monkeypatch.setenv(f"{prefix}TIMEOUT", "20")
    monkeypatch.setenv(f"{prefix}EXTRA_HEADERS", '{"X-Team": "b"}')
    handle = kind.type(**kind.needs)
    assert (handle.id, handle.timeout) == (kind.id, 20)
    asked(server, kind, handle)
    [received] = server.requests
    assert received.headers["authorization"].lower() == "bearer the-key-of-the-environment"
    assert received.headers["x-team"] == "b"


def test_a_bad_default_names_its_variable(kind, monkeypatch):
    variable = f"MAGMA_{kind.type.env_name}_DEFAULT_TIMEOUT"
    monkeypatch.setenv(variable, "soon")
    with pytest.raises(magma.ConfigError, match=variable):
        kind.type(kind.id)


@pytest.mark.parametrize("wrong", [{"timeout": -1}, {"max_retries": "two"}, {"id": "no-provider"}, {"api_base": "x"}])
def test_a_value_that_cannot_work_names_its_field(kind, wrong):
    with pytest.raises(magma.ConfigError, match=next(iter(wrong))):
        kind.type(**{"id": kind.id} | wrong)


def test_an_unknown_provider_is_refused(kind):
    with pytest.raises(ValueError, match=f"Provider `nobody` not registered for type `{kind.type.model_type}`"):
        kind.type("nobody/any")


def test_a_round_trip_through_serialize_sends_the_same_bytes(kind, server):
    params = {} if kind.type is magma.Moderator else {"extra": {"x_custom": [1, "a"]}}
    handle = configured(kind, server, **params)
    state = json.loads(json.dumps(handle.serialize()))
    assert state["model_type"] == kind.type.model_type
    assert list(state) == ["msgflux_type", "provider", "model_type", "state"]
    again = magma.Model.from_serialized(**state)
    assert type(again) is kind.type
    assert again == handle.with_(api_key=None)
    again = again.with_(api_key=handle.api_key)
    for one in (handle, again):
        asked(server, kind, one)
    first, second = map(sent, server.requests)
    assert first == second


def test_a_response_pickles(kind, server):
    response = asked(server, kind, kind.handle(server))
    again = pickle.loads(pickle.dumps(response))
    assert again == response
    assert type(again.content) is type(response.content)
    assert dict(response)["content"] == response["content"]
    assert repr(response).startswith(f"<{type(response).__name__} ")
    hash(response)


def test_a_response_turns_into_json(kind, server, request):
    response = asked(server, kind, kind.handle(server))
    told = json.loads(response.to_json())
    assert told["response_type"] == response.response_type
    read = type(response).from_json(response.to_json())
    assert read.to_dict() == response.to_dict()


def test_a_response_read_from_json_says_the_same(kind, server, request):
    response = asked(server, kind, kind.handle(server))
    read = type(response).from_json(response.to_json())
    assert kind.shape(read.content) == kind.content
    assert (read.usage, read.cost, read.attempts) == (response.usage, response.cost, response.attempts)


def test_a_response_is_frozen(kind, server):
    response = asked(server, kind, kind.handle(server))
    with pytest.raises(AttributeError):
        response.content = "other"


@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_an_error_pickles(kind, server, status):
    server.default = Reply.error(status, "no, thank you", headers={"x-request-id": "req-7"})
    with pytest.raises(errors.ModelError) as caught:
        kind.handle(server, max_retries=0)(*kind.inputs)
    error, again = caught.value, pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again), again.__dict__) == (type(error), str(error), error.__dict__)
    assert again.request_id == "req-7"
    assert again.provider == kind.id.partition("/")[0]


def test_the_type_tells_its_name_and_its_model(kind):
    handle = kind.type(kind.id)
    provider, _, name = kind.id.partition("/")
    assert handle.instance_type() == {"model_type": kind.type.model_type}
    assert handle.get_model_info() == {"model_id": name, "provider": provider}
    assert getattr(magma.Model, kind.type.model_type)(kind.id) == handle


def test_every_model_type_is_in_this_suite(kinds):
    assert sorted(kind.type.model_type for kind in kinds) == sorted(magma.Model.model_types())
