"""Several requests of one call: side by side, in order, with what they cost added up. The lines are walked by hand."""

import pytest

from magma._call.parts import Spent, joined, side_by_side
from magma._call.request import Ask, Begin, Load
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


def drive(generator, outcomes=None):
    """Walks by hand; `outcomes` are thrown for the asks of these numbers."""
    steps, asked = [], 0
    try:
        step = next(generator)
        while True:
            steps.append(step)
            if isinstance(step, Ask):
                asked += 1
                error = (outcomes or {}).get(asked)
                step = generator.throw(error) if error else generator.send("answer")
            else:
                step = generator.send(None)
    except StopIteration as stop:
        return stop.value, steps


def test_all_within_the_width_are_begun_before_the_first_is_waited_for():
    trail = []
    result, steps = drive(side_by_side([line(name, trail) for name in "abc"], width=2))
    assert result.content == ["a", "b", "c"]
    kinds = [type(step) for step in steps]
    assert kinds == [Begin, Begin, Ask, Begin, Ask, Ask]
    assert [step.ask for step in steps if isinstance(step, Begin)] == [step for step in steps if isinstance(step, Ask)]


def test_what_is_asked_again_is_asked_where_it_stands():
    trail = []
    result, _ = drive(side_by_side([line("a", trail, steps=3), line("b", trail)]))
    assert result.content == ["a", "b"]
    assert trail.count(("asks", "a")) == 3


def test_the_first_failure_ends_the_others():
    trail = []
    lines = [line(name, trail) for name in "abcd"]
    with pytest.raises(ServerError):
        drive(side_by_side(lines, width=3), {2: ServerError("broken")})
    assert [name for what, name in trail if what == "asks"] == ["a", "b", "c", "d"][: len(trail) // 2]
    assert {name for what, name in trail if what == "ended"} >= {"a", "b", "c"}


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
    assert [type(step) for step in steps] == [Load, Begin, Load, Begin, Ask, Ask]


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
