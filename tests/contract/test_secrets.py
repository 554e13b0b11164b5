"""No key of any model type is ever seen: in a repr, an error, a log, a state, a body, a response, a cassette or a cache."""

import json
import logging
import pickle

import pytest

from magma import Cache, errors, register_hook, testing
from magma.testing import Reply

KEY = "sk-contract-0123456789abcdef"


def asked(server, kind, handle):
    server.default = kind.reply or server.default
    return handle(*kind.inputs)


def test_no_key_is_in_a_repr_or_a_state(kind, server):
    handle = kind.handle(server, extra_headers={"X-Api-Key": "header-secret-1"}, extra={"api_token": "extra-secret-1"})
    shown = repr(handle) + str(handle) + json.dumps(handle.serialize())
    assert KEY not in shown
    assert "secret-1" not in shown


def test_a_key_is_a_header_and_never_in_a_body(kind, server):
    asked(server, kind, kind.handle(server))
    [received] = server.requests
    assert KEY.encode() not in received.body
    assert KEY not in received.path + received.query
    assert received.headers["authorization"].lower() == f"bearer {KEY}"


def test_a_key_by_its_providers_name_is_one_too(kind, server):
    provider = kind.id.partition("/")[0]
    handle = kind.handle(server, api_key=None, **{f"{provider}_api_key": "named-secret-1"})
    assert "named-secret-1" not in repr(handle)
    asked(server, kind, handle)
    [received] = server.requests
    assert b"named-secret-1" not in received.body
    assert "named-secret-1" in received.headers["authorization"]


def test_extra_headers_arrive_as_headers(kind, server):
    asked(server, kind, kind.handle(server, extra_headers={"X-Team": "team-blue", "X-Api-Key": "header-secret-1"}))
    [received] = server.requests
    assert received.headers["x-team"] == "team-blue"
    assert received.headers["x-api-key"] == "header-secret-1"
    assert b"team-blue" not in received.body
    assert b"header-secret-1" not in received.body
    assert b"extra_headers" not in received.body


@pytest.mark.parametrize("status", [400, 401, 500])
def test_a_key_that_the_provider_repeats_is_in_no_error(kind, server, status, caplog):
    caplog.set_level(logging.DEBUG)
    server.default = Reply.error(status, f"wrong key {KEY}", headers={"x-echo": KEY})
    with pytest.raises(errors.ModelError) as caught:
        kind.handle(server, max_retries=0)(*kind.inputs)
    error = caught.value
    shown = (
        f"{error} {error!r} {error.body} {error.attempts} {error.__dict__} {error.__cause__!r} {error.__context__!r}"
    )
    assert KEY not in shown
    assert "[redacted]" in str(error)
    assert KEY.encode() not in pickle.dumps(error)
    assert KEY not in caplog.text


def test_a_key_is_in_no_response_and_no_cache(kind, server, tmp_path, capfd):
    response = asked(server, kind, kind.handle(server, cache=Cache(tmp_path / "cache.db")))
    assert KEY not in f"{response.to_dict()} {response!r}"
    assert KEY.encode() not in pickle.dumps(response)
    for file in tmp_path.iterdir():
        assert KEY.encode() not in file.read_bytes()
    out, err = capfd.readouterr()
    assert KEY not in out + err
    assert out == ""


def test_a_key_is_in_no_repr_of_a_request_that_hooks_see(kind, server):
    seen = []
    with register_hook("before_call", lambda request: seen.append(repr(request))):
        asked(server, kind, kind.handle(server))
    assert len(seen) == 1
    assert KEY not in seen[0]


def test_a_key_is_in_no_cassette(kind, server, tmp_path):
    path = tmp_path / "one.yaml"
    with testing.cassette(path, record="once"):
        first = asked(server, kind, kind.handle(server, extra_headers={"X-Api-Key": "header-secret-1"}))
    text = path.read_text(encoding="utf-8")
    assert KEY not in text
    assert "header-secret-1" not in text
    with testing.cassette(path):
        second = kind.handle(server, api_key=None)(*kind.inputs)
    assert second.content == first.content


def test_without_a_key_the_error_names_the_variable(kind, server):
    variable = f"{kind.id.partition('/')[0].upper()}_API_KEY"
    with pytest.raises(errors.AuthenticationError, match=variable):
        kind.handle(server, api_key=None)(*kind.inputs)
    assert server.requests == []
