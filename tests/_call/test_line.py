"""The line by hand: no engine, no event loop, no socket. It only yields what it wants."""

import pytest

import magma
from magma import errors
from magma._call import dispatch, flow, retry
from magma._call.answer import Answer
from magma._call.request import Ask, Join, Load, Sleep

BODY = {
    "id": "1",
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi!"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


def answer(**changes):
    return Answer(body=BODY | changes, status=200)


def unavailable(**changes):
    return errors.ServerError("unavailable", status_code=503, **changes)


@pytest.fixture(autouse=True)
def litellm_counts_as_loaded(monkeypatch):
    monkeypatch.setattr(dispatch, "loaded", lambda: True)
    retry.forget_budgets()


def line_of(model, messages="Hello", **options):
    return flow.line(model._request(model._settled((messages,), {})[1]), model._parse, **options)


def finish(line, value):
    with pytest.raises(StopIteration) as stop:
        line.send(value)
    return stop.value.value


def test_it_asks_once_and_returns_the_response():
    line = line_of(magma.Model("openai/m"))
    step = next(line)
    assert isinstance(step, Ask)
    assert step.request.messages == [{"role": "user", "content": "Hello"}]
    response = finish(line, answer())
    assert response.content == "Hi!"
    assert [attempt.status_code for attempt in response.attempts] == [200]


def test_it_has_litellm_loaded_before_its_clock_starts(monkeypatch):
    monkeypatch.setattr(dispatch, "loaded", lambda: False)
    line = line_of(magma.Model("openai/m"))
    assert isinstance(next(line), Load)
    assert isinstance(line.send(None), Ask)


def test_an_offline_answer_needs_no_engine():
    step = next(line_of(magma.Model("offline/echo")))
    assert isinstance(step, Ask)
    assert step.local is not None


def test_a_retryable_error_makes_it_sleep_and_ask_again():
    line = line_of(magma.Model("openai/m", max_retries=1))
    next(line)
    assert isinstance(line.throw(unavailable()), Sleep)
    assert isinstance(line.send(None), Ask)
    response = finish(line, answer())
    assert [attempt.status_code for attempt in response.attempts] == [503, 200]
    assert response.attempts[0].wait >= 0


def test_it_gives_up_after_max_retries_and_says_what_it_tried():
    line = line_of(magma.Model("openai/m", max_retries=2))
    next(line)
    for _ in range(2):
        assert isinstance(line.throw(unavailable()), Sleep)
        line.send(None)
    with pytest.raises(errors.ServerError) as caught:
        line.throw(unavailable())
    assert [attempt.number for attempt in caught.value.attempts] == [1, 2, 3]


def test_an_error_that_cannot_be_helped_is_not_retried():
    line = line_of(magma.Model("openai/m"))
    next(line)
    with pytest.raises(errors.BadRequestError):
        line.throw(errors.BadRequestError("no", status_code=400))


def test_retry_after_is_waited_for():
    line = line_of(magma.Model("openai/m"))
    next(line)
    step = line.throw(unavailable(retry_after=3.0))
    assert 3.0 <= step.seconds < 4.0


def test_a_retry_after_beyond_the_deadline_is_not_waited_for():
    line = line_of(magma.Model("openai/m", timeout=2.0))
    next(line)
    with pytest.raises(errors.ServerError):
        line.throw(unavailable(retry_after=3.0))


def test_the_waits_grow_and_are_random():
    firsts, thirds = [], []
    for _ in range(200):
        retry.forget_budgets()
        line = line_of(magma.Model("openai/m", max_retries=3))
        next(line)
        waits = []
        for _ in range(3):
            waits.append(line.throw(unavailable()).seconds)
            line.send(None)
        firsts.append(waits[0])
        thirds.append(waits[2])
    assert max(firsts) <= 0.5
    assert max(thirds) <= 2.0
    assert len(set(firsts)) > 150
    assert sum(thirds) > 2 * sum(firsts)


def test_a_cache_hit_ends_the_line_before_anything_is_asked():
    model = magma.Model("openai/m", enable_cache=True)
    line = line_of(model)
    next(line)
    finish(line, answer())
    with pytest.raises(StopIteration) as stop:
        next(line_of(model))
    assert stop.value.value.cached
    assert stop.value.value.cost == 0


def test_an_identical_call_in_flight_is_joined():
    model = magma.Model("openai/m", enable_cache=True)
    first, second = line_of(model), line_of(model)
    assert isinstance(next(first), Ask)
    step = next(second)
    assert isinstance(step, Join)
    finish(first, answer())
    assert step.flight.result().body == BODY
    assert finish(second, step.flight.result()).cached


def test_a_failed_flight_is_the_failure_of_all_who_joined():
    model = magma.Model("openai/m", enable_cache=True, max_retries=0)
    first, second = line_of(model), line_of(model)
    next(first)
    step = next(second)
    with pytest.raises(errors.ServerError) as caught:
        first.throw(unavailable())
    with pytest.raises(errors.ServerError) as joined:
        second.send(step.flight.result())
    assert joined.value is not caught.value
    assert (len(caught.value.attempts), len(joined.value.attempts)) == (1, 0)


def test_after_a_cancelled_flight_the_next_asks_for_itself():
    model = magma.Model("openai/m", enable_cache=True)
    first, second = line_of(model), line_of(model)
    next(first)
    step = next(second)
    first.close()
    assert step.flight.result() is None
    assert isinstance(second.send(None), Ask)


def test_a_caller_that_cannot_wait_does_not_join():
    model = magma.Model("openai/m", enable_cache=True)
    first, second = line_of(model), line_of(model, joins=False)
    next(first)
    assert isinstance(next(second), Ask)


@pytest.mark.parametrize("reason", ["length", "content_filter", None, "weird"])
def test_what_is_not_a_whole_answer_is_not_kept(reason):
    model = magma.Model("openai/m", enable_cache=True)
    line = line_of(model)
    next(line)
    finish(line, answer(choices=[{**BODY["choices"][0], "finish_reason": reason}]))
    assert model._response_cache.cache_info()["currsize"] == 0
