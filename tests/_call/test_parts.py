"""Several requests of one call: side by side, in order, with what they cost added up. The lines are walked by hand."""

import asyncio
from collections import namedtuple

import pytest

from magma._call.parts import Spent, joined, side_by_side
from magma._call.request import Ask, Begin, First, Load
from magma.errors import ModelError, ServerError
from magma.responses import Attempt, Cost, Response, Usage


def attempt(number=1):
    return Attempt(number=number, model="openai/m", status_code=200)


def response(name, **fields):
    usage, cost = Usage(input_tokens=1, total_tokens=1), Cost(0.5, input=0.5, output=0.0, source="table")
    return Response(**{"content": [name], "usage": usage, "cost": cost, "attempts": (attempt(),), **fields})


def line(name, trail, steps=1):
    """A line that asks `steps` times and answers with its name."""
    ask = None
    try:
        for step in range(steps):
            ask = Ask(None, None, step)
            trail.append(("asks", name))
            yield ask
        return response(name)
    finally:
        trail.append(("ended", name))


def drive(generator, outcomes=None, pick=lambda steps: 0):
    """Walks by hand; `outcomes` are thrown for the asks of these numbers, `pick` says who is first."""
    steps, asked = [], 0
    try:
        step = next(generator)
        while True:
            steps.append(step)
            if isinstance(step, First):
                asked += 1
                error = (outcomes or {}).get(asked)
                step = generator.send((pick(step.steps), error is not None, error or "answer"))
            else:
                step = generator.send(None)
    except StopIteration as stop:
        return stop.value, steps


def test_as_many_as_the_width_are_under_way_at_once():
    result, steps = drive(side_by_side([line(name, []) for name in "abc"], width=2))
    assert result.content == ["a", "b", "c"]
    assert [type(step) for step in steps] == [Begin, Begin, First, Begin, First, First]
    assert [len(step.steps) for step in steps if isinstance(step, First)] == [2, 2, 1]


def test_whoever_is_first_is_served_first_and_the_order_is_kept():
    trail = []
    result, _ = drive(side_by_side([line(name, trail) for name in "abc"]), pick=lambda steps: len(steps) - 1)
    assert [name for what, name in trail if what == "ended"] == ["c", "b", "a"]
    assert result.content == ["a", "b", "c"]


def test_what_is_asked_again_is_asked_again_beside_the_others():
    trail = []
    result, _ = drive(side_by_side([line("a", trail, steps=3), line("b", trail)]), pick=lambda steps: len(steps) - 1)
    assert result.content == ["a", "b"]
    assert trail.count(("asks", "a")) == 3


def test_the_first_failure_ends_the_others():
    trail = []
    lines = [line(name, trail) for name in "abcd"]
    with pytest.raises(ServerError):
        drive(side_by_side(lines, width=3), {1: ServerError("broken")}, pick=lambda steps: 1)
    assert [name for what, name in trail if what == "asks"] == ["a", "b", "c"]
    assert {name for what, name in trail if what == "ended"} == {"a", "b", "c"}


def test_the_requests_of_all_parts_are_told_of_a_failure():
    def failing(name):
        ask = Ask(namedtuple("R", "model")("openai/m"), None, 0, sent=[1])
        yield ask
        return response(name)

    error = ServerError("broken")
    error.attempts = (attempt(),)
    with pytest.raises(ServerError) as caught:
        drive(side_by_side([failing(name) for name in "abc"]), {2: error})
    assert [one.number for one in caught.value.attempts] == [1, 2, 3]
    assert [one.status_code for one in caught.value.attempts] == [200, 200, None]


def test_a_line_that_needs_nothing_is_done_at_once():
    def ready(name):
        return response(name)
        yield

    result, steps = drive(side_by_side([ready("a"), ready("b")]))
    assert (result.content, steps) == (["a", "b"], [])


def test_loading_is_waited_for_before_the_next_begins():
    def loading(name):
        yield Load("openai")
        yield Ask(None, None, 0)
        return response(name)

    _, steps = drive(side_by_side([loading("a"), loading("b")]))
    assert [type(step) for step in steps] == [Load, Begin, Load, Begin, First, First]


def test_a_source_that_is_ready_counts_as_the_first():
    from magma._call.engine import RESULT, Job, Ready, engine
    from magma._call.first import FirstOf

    never = engine().start(lambda job: asyncio.sleep(60))
    assert isinstance(never, Job)
    assert FirstOf([never, Ready((RESULT, "there"))]).take() == (RESULT, (1, (RESULT, "there")))
    soon = engine().start(lambda job: asyncio.sleep(0.01, "soon"))
    assert FirstOf([never, soon]).take() == (RESULT, (1, (RESULT, "soon")))
    assert asyncio.run(FirstOf([never, engine().start(lambda job: asyncio.sleep(0.01, 1))]).atake())[1][0] == 1
    never.cancel()


def test_responses_are_joined_in_order_and_added_up():
    whole = joined(
        [
            response("a", warnings=("one", "two"), latency=1.0),
            response("b", warnings=("one",), latency=3.0, cached=True),
        ]
    )
    assert whole.content == ["a", "b"]
    assert (whole.usage, float(whole.cost), whole.cost.input) == (Usage(input_tokens=2, total_tokens=2), 1.0, 1.0)
    assert [one.number for one in whole.attempts] == [1, 2]
    assert (whole.warnings, whole.latency, whole.cached) == (("one", "two"), 3.0, False)


def test_one_unknown_cost_makes_the_whole_unknown():
    whole = joined([response("a"), response("b", cost=None, cost_reason="no price")])
    assert (whole.cost, whole.cost_reason) == (None, "no price")


def test_what_a_failed_ask_cost_counts():
    spent = Spent()
    error = ModelError("does not fit", response=response("a"))
    error.attempts = (attempt(1), attempt(2))
    spent.add(error)
    whole = spent.with_last(response("b"))
    assert whole.content == ["b"]
    assert [one.number for one in whole.attempts] == [1, 2, 3]
    assert (whole.usage.input_tokens, float(whole.cost)) == (2, 1.0)
