"""Deadlines: whatever the server does, a call ends in time, and says what had arrived."""

import asyncio
import time

import pytest

from magma import ConfigError, Model, Timeout, errors
from magma.testing import Reply
from magma.testing.wire import Hang

SLACK = 1.5  # seconds that a busy machine may add


@pytest.fixture
def model(server):
    model = Model("openai/gpt-4o", api_base=server.url + "/v1", api_key="test-key-1", max_retries=0)
    model("warm up")
    server.reset()
    return model


def timed(call):
    began = time.monotonic()
    with pytest.raises(errors.TimeoutError) as caught:
        call()
    return caught.value, time.monotonic() - began


@pytest.mark.parametrize("driver", ["sync", "async"])
def test_total_bounds_a_hanging_call(model, server, driver):
    server.default = Reply.raw(Hang())
    model = model.with_(timeout=0.4)
    error, seconds = timed(lambda: model("Hi") if driver == "sync" else asyncio.run(model.acall("Hi")))
    assert 0.4 <= seconds < 0.5 + SLACK
    assert isinstance(error, TimeoutError)
    assert "total=0.4" in str(error)
    assert server.wait_for(lambda server: server.disconnects == 1)


def test_total_bounds_all_attempts_together(model, server):
    server.default = Reply.error(503)
    began = time.monotonic()
    with pytest.raises(errors.ServerError):
        model.with_(timeout=1.0, max_retries=50)("Hi")
    assert time.monotonic() - began < 1.25 + SLACK


def test_attempt_bounds_one_request_and_leaves_time_for_the_next(model, server):
    server.enqueue(Reply.raw(Hang()), Reply.chat("at last"))
    response = model.with_(timeout=Timeout(total=20, attempt=0.3), max_retries=1)("Hi")
    assert response.content == "at last"
    assert [attempt.error is None for attempt in response.attempts] == [False, True]


def test_first_token_bounds_the_wait_for_a_stream(model, server):
    server.default = Reply.stream("a b", first_gap=30)
    error, seconds = timed(lambda: list(model.with_(timeout=Timeout(first_token=0.3))("Hi", stream=True)))
    assert seconds < 0.4 + SLACK
    assert error.partial is None


def test_idle_bounds_the_gap_between_deltas(model, server):
    server.default = Reply.stream("a b c", cut_after=2, cut="hang")
    error, _ = timed(lambda: list(model.with_(timeout=Timeout(idle=0.3))("Hi", stream=True)))
    assert error.partial.content == "a b"
    assert not error.retryable


def test_pings_are_no_deltas(model, server):
    server.default = Reply.stream("a b", ping=0.05)
    error, seconds = timed(lambda: list(model.with_(timeout=0.4)("Hi", stream=True)))
    assert error.partial.content == "a b"
    assert seconds < 0.5 + SLACK


def test_a_number_does_not_bound_a_whole_stream(model, server):
    server.default = Reply.stream(["a"] * 8, gap=0.1)
    assert len(list(model.with_(timeout=0.5)("Hi", stream=True))) == 8


def test_total_bounds_a_whole_stream(model, server):
    server.default = Reply.stream(["a"] * 100, gap=0.1)
    error, seconds = timed(lambda: list(model.with_(timeout=Timeout(total=0.5))("Hi", stream=True)))
    assert 0 < len(error.partial.content) < 100
    assert seconds < 0.7 + SLACK


def test_the_time_a_slow_reader_takes_is_not_the_providers(model, server):
    server.default = Reply.stream(["a"] * 4, gap=0.05)
    stream = model.with_(timeout=Timeout(idle=0.5))("Hi", stream=True)
    count = 0
    for _ in stream:
        time.sleep(0.3)
        count += 1
    assert count == 4


def test_none_is_no_bound(model, server):
    server.default = Reply.chat("late", delay=0.3)
    assert model.with_(timeout=None)("Hi").content == "late"


@pytest.mark.parametrize("bad", [0, -1, float("nan"), float("inf"), True, "1"])
def test_a_bound_that_cannot_work_is_named(bad):
    with pytest.raises(ConfigError, match=r"Timeout\.total"):
        Timeout(total=bad)
