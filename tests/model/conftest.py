"""What the tests of the model types share: a scripted server, handles that speak to it, and what every error must be."""

import asyncio
import email
import email.policy
import pickle

import pytest

from magma import errors
from magma._call import dispatch, retry
from magma._call.engine import engine
from magma.testing import Server

KEY = "sk-test-9f8e7d6c5b4a"


@pytest.fixture(scope="session")
def litellm_is_loaded():
    """LiteLLM is imported before the first call here: its import is nobody's 0.3 s."""
    engine().start(lambda job: asyncio.to_thread(dispatch.load, "openai")).take()


@pytest.fixture
def server(litellm_is_loaded):
    with Server() as server:
        yield server


@pytest.fixture
def short_waits(monkeypatch):
    """Waits between attempts are drawn from 0 to 10 ms."""
    import tenacity

    monkeypatch.setattr(retry, "_backoff", tenacity.wait_random_exponential(multiplier=0.005, max=0.01))
    retry.forget_budgets()


@pytest.fixture
def silent(capfd):
    """Nothing reaches stdout."""
    yield
    assert capfd.readouterr().out == ""


@pytest.fixture
def make(server):
    """`make(Embedder, "cohere/m", "/v2/embed", …)`: a handle that speaks to the scripted server."""

    def made(cls, id="openai/m", path="/v1", **fields):
        return cls(id, **{"api_base": server.url + path, "api_key": KEY, "max_retries": 0, "timeout": 20.0, **fields})

    return made


@pytest.fixture
def fails(server):
    """`fails(ParseError, handle, "Hi")`: the error of the call, which is typed, pickles, and tells no key."""

    def failed(kind, call, *args, requests=None, says="", **arguments):
        with pytest.raises((errors.ModelError, errors.ConfigError)) as caught:
            call(*args, **arguments)
        error = caught.value
        assert type(error) is kind, f"{type(error).__name__}: {error}"
        assert says.lower() in str(error).lower()
        copy = pickle.loads(pickle.dumps(error))
        assert str(copy) == str(error)
        assert error.__cause__ is None
        assert "litellm" not in str(error).lower()
        assert len(str(error).encode()) < 2048
        if isinstance(error, errors.ConfigError):
            assert server.requests == []
        else:
            assert KEY not in f"{error} {error!r} {error.body} {error.__dict__}"
            assert len(error.attempts) == len(server.requests)
        if requests is not None:
            assert len(server.requests) == requests
        return error

    return failed


@pytest.fixture
def parts_of():
    """`parts_of(received)`: the parts of a multipart body, each (name, file name, content type, bytes)."""

    def parts(received):
        head = f"content-type: {received.headers['content-type']}\r\n\r\n".encode()
        message = email.message_from_bytes(head + received.body, policy=email.policy.HTTP)
        assert message.get_content_type() == "multipart/form-data"
        return [
            (
                part.get_param("name", header="content-disposition"),
                part.get_filename(),
                part.get_content_type() if part["content-type"] else None,
                part.get_payload(decode=True),
            )
            for part in message.iter_parts()
        ]

    return parts
