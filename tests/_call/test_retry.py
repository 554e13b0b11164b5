"""The retry budget: an outage costs little, a single caller loses nothing."""

import asyncio

import pytest

from magma import Model, errors
from magma._call import retry
from magma.testing import Reply, Server


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    import tenacity

    monkeypatch.setattr(retry, "_backoff", tenacity.wait_random_exponential(multiplier=0.02, max=0.05))
    retry.forget_budgets()


@pytest.fixture
def server():
    with Server() as server:
        server.default = Reply.error(503)
        yield server


def model_of(server, path="/v1"):
    return Model("openai/gpt-4o", api_base=server.url + path, api_key="test-key-1", max_retries=2)


async def flood(model, calls, at_once=32):
    gate = asyncio.Semaphore(at_once)

    async def one():
        async with gate:
            try:
                await model.acall("Hi")
            except errors.ModelError as error:
                return len(error.attempts)

    return await asyncio.gather(*[one() for _ in range(calls)])


@pytest.mark.parametrize("calls", [100, 300])
def test_an_outage_costs_at_most_a_fifth_more(server, calls):
    attempts = asyncio.run(flood(model_of(server), calls))
    assert len(server.requests) == sum(attempts)
    assert len(server.requests) <= 1.2 * calls


def test_a_single_caller_gets_all_its_retries(server):
    with pytest.raises(errors.ServerError) as caught:
        model_of(server)("Hi")
    assert len(caught.value.attempts) == len(server.requests) == 3


def test_one_address_has_no_part_in_anothers_outage(server):
    asyncio.run(flood(model_of(server), 100))
    server.reset()
    with pytest.raises(errors.ServerError):
        model_of(server, "/other/v1")("Hi")
    assert len(server.requests) == 3


def test_an_outage_is_forgotten(server, monkeypatch):
    asyncio.run(flood(model_of(server), 100))
    now = retry.time.monotonic()
    monkeypatch.setattr(retry.time, "monotonic", lambda: now + retry.WINDOW + 60)
    assert retry.budget(model_of(server)._request({})).spend()


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"retry-after": "2"}, 2, 3),
        ({"retry-after": "0.25"}, 0.25, 1),
        ({"retry-after-ms": "250"}, 0.25, 1),
        ({"retry-after": "soon"}, 0, 1),
    ],
    ids=str,
)
def test_retry_after_in_its_spellings(server, headers, least, most):
    server.enqueue(Reply.error(429, headers=headers), Reply.chat("good"))
    response = model_of(server)("Hi")
    assert response.content == "good"
    assert least <= response.attempts[0].wait <= most


def test_retry_after_as_a_date(server):
    import time
    from email.utils import formatdate

    server.enqueue(
        Reply.error(429, headers={"retry-after": formatdate(time.time() + 2, usegmt=True)}), Reply.chat("good")
    )
    assert 0 < model_of(server)("Hi").attempts[0].wait <= 3


@pytest.mark.parametrize(("header", "requests"), [("false", 1), ("true", 3)])
def test_x_should_retry_decides(server, header, requests):
    server.default = Reply.error(400 if header == "true" else 503, headers={"x-should-retry": header})
    with pytest.raises(errors.ModelError):
        model_of(server)("Hi")
    assert len(server.requests) == requests
