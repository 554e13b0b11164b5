"""Every fault of the catalogue, over a real socket, through all four drivers.

For each cell: the right value or the right typed error, the exact number of HTTP requests, an end by the deadline,
no key in any text, an error that pickles, and nothing on stdout.
"""

import asyncio
import pickle
import time

import pytest

import magma
from magma import errors
from magma._call import retry
from magma.testing.faults import FAULTS
from magma.testing.server import Server

KEY = "sk-test-9f8e7d6c5b4a"
DRIVERS = ("call", "acall", "stream", "astream")
TIMEOUT = 0.6
CELLS = [
    pytest.param(name, driver, provider, id=f"{name}-{provider}-{driver}")
    for name, fault in sorted(FAULTS.items())
    for provider in (["openai", "hosted_vllm"] if fault.wire == "openai" else ["anthropic"])
    for driver in (DRIVERS if provider != "hosted_vllm" else ("acall", "stream"))  # the routes differ, not the drivers
    if fault.only != ("call" if "stream" in driver else "stream")
]
NAMES = {"openai": "gpt-4o", "hosted_vllm": "gpt-4o", "anthropic": "claude-3-5-haiku-20241022"}


@pytest.fixture(scope="module")
def server():
    with Server() as server:
        yield server


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    """Waits between attempts are drawn from 0 to 10 ms, so that the table takes seconds."""
    import tenacity

    monkeypatch.setattr(retry, "_backoff", tenacity.wait_random_exponential(multiplier=0.005, max=0.01))
    retry.forget_budgets()


def model_for(fault, provider, server):
    return magma.Model(
        f"{provider}/{NAMES[provider]}",
        api_base=server.url + ("" if provider == "anthropic" else "/v1"),
        api_key=KEY,
        max_retries=2,
        timeout=TIMEOUT if fault.needs_timeout else 20.0,
    )


def drive(model, driver):
    """The response of one call by this driver."""
    if driver == "call":
        return model("Say hi!")
    if driver == "acall":
        return asyncio.run(model.acall("Say hi!"))
    stream = model("Say hi!", stream=True)
    if driver == "stream":
        given = "".join(delta.content for delta in stream)
    else:

        async def read():
            return "".join([delta.content async for delta in stream])

        given = asyncio.run(read())
    assert given == stream.response.content
    return stream.response


def texts(error):
    seen = [str(error), repr(error), str(error.body), repr(error.attempts), repr(error.__dict__), repr(error.partial)]
    chained = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(seen) + (texts_of(chained) if chained is not None else "")


def texts_of(error):
    return f"{error!s} {error!r} {getattr(error, '__dict__', '')!r}"


@pytest.mark.parametrize(("name", "driver", "provider"), CELLS)
def test_a_fault_ends_as_it_should(name, driver, provider, server, capsys):
    """One cell of the table."""
    fault = FAULTS[name]
    streamed = "stream" in driver
    server.reset()
    server.default = fault.reply(streamed)
    expected = fault.streamed_error if streamed else fault.error
    began = time.monotonic()
    if expected is None:
        check_value(drive(model_for(fault, provider, server), driver), fault)
    else:
        with pytest.raises(errors.ModelError) as caught:
            drive(model_for(fault, provider, server), driver)
        check_error(caught.value, expected, fault, server)
    if fault.needs_timeout:
        assert time.monotonic() - began < TIMEOUT * 1.25 + 1.5, "it outlasted its deadline"  # 1.5 s for a busy machine
    if not fault.needs_timeout:
        assert len(server.requests) == (1 if not fault.retried else 2 if expected is None else 3)
    out, _ = capsys.readouterr()
    assert out == ""


def check_value(response, fault):
    assert response.content == (fault.content or "")
    assert response.finish_reason == fault.finish_reason
    used = response.usage and (response.usage.input_tokens, response.usage.output_tokens)
    assert used == fault.usage
    assert tuple(call.name for call in response.tool_calls) == fault.tool_names
    assert len(response.attempts) == (2 if fault.retried else 1)
    assert pickle.loads(pickle.dumps(response)) == response


def check_error(error, expected, fault, server):
    assert type(error).__name__ == expected, f"{type(error).__name__}: {error}"
    assert KEY not in texts(error)
    assert "litellm" not in str(error).lower()
    assert len(str(error).encode()) < 2048
    assert len((error.body or "").encode()) < 2048
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.status_code, copy.attempts) == (str(error), error.status_code, error.attempts)
    assert len(error.attempts) == len(server.requests)
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None or isinstance(error.__context__, errors.ModelError)
    if expected == "StreamInterruptedError" and fault.content is not None:
        assert error.partial.content == fault.content


def test_the_catalogue_has_the_200_faults_that_the_readme_promises():
    assert len(FAULTS) >= 200
