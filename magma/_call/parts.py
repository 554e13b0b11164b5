"""A call that is several requests: side by side when a list is too long for one, one after the other when an answer could
not be read. What they cost is added up, what they say is joined.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec

from ..errors import ModelError
from ..responses import Attempt, Cost, Response, Usage
from .request import Ask, Begin, First, Load, Step

R = TypeVar("R", bound=Response)
WIDTH = 8  # requests of one call in flight at once


class Spent:
    """What the asks of one call cost before the one that was understood."""

    def __init__(self) -> None:
        self.attempts: tuple[Attempt, ...] = ()
        self._responses: list[Response] = []

    def add(self, error: ModelError) -> None:
        """Counts an ask that failed, with the response that came, if one came."""
        self.count(error.attempts)
        if error.response is not None:
            self._responses.append(error.response)

    def count(self, attempts: Sequence[Attempt]) -> None:
        """Adds attempts, numbered on."""
        known = len(self.attempts)
        self.attempts += tuple(
            msgspec.structs.replace(one, number=known + number) for number, one in enumerate(attempts, 1)
        )

    def in_all(self, response: R | None) -> R | None:
        """The last response that was refused, with the tokens and dollars of all of them."""
        if response is None or len(self._responses) < 2:
            return response
        return msgspec.structs.replace(response, attempts=self.attempts, **_sums(self._responses))

    def with_last(self, response: R) -> R:
        """The response that was understood, with all attempts, tokens and dollars of the call."""
        if not self.attempts and not self._responses:
            return response
        self.count(response.attempts)
        if not self._responses:
            return msgspec.structs.replace(response, attempts=self.attempts)
        return msgspec.structs.replace(response, attempts=self.attempts, **_sums([*self._responses, response]))


def joined(responses: Sequence[R]) -> R:
    """One response of many, whose `content` lists follow each other in order."""
    first = responses[0]
    warnings = dict.fromkeys(warning for one in responses for warning in one.warnings)
    latencies = [one.latency for one in responses if one.latency is not None]
    spent = Spent()
    for one in responses:
        spent.count(one.attempts)
    return msgspec.structs.replace(
        first,
        content=first.joined_content([one.content for one in responses]),
        attempts=spent.attempts,
        latency=max(latencies, default=None),
        warnings=tuple(warnings),
        cached=all(one.cached for one in responses),
        raw={**first.raw, "data": [item for one in responses for item in one.raw.get("data") or [one.raw]]},
        **_sums(responses),
    )


def _sums(responses: Sequence[Response]) -> dict[str, Any]:
    known = [one.usage for one in responses if one.usage is not None]
    reason = next((one.cost_reason for one in responses if one.cost is None), None)
    costs = [one.cost for one in responses if one.cost is not None]
    total = None
    if len(costs) == len(responses):
        parts = {
            name: None if None in (found := [getattr(cost, name) for cost in costs]) else sum(found)
            for name in ("input", "output")
        }
        total = Cost(sum(costs), source=costs[-1].source, **parts)
    return {
        "usage": sum(known, Usage()) if len(known) == len(responses) else None,
        "cost": total,
        "cost_reason": None if total is not None else reason or "unknown",
    }


def side_by_side(lines: Sequence[Generator[Step, Any, R]], width: int = WIDTH) -> Generator[Step, Any, R]:
    """Walks several lines with up to `width` of them under way at once; their responses joined, in order.

    The first that fails ends the others.
    """
    coming, running = iter(enumerate(lines)), dict[int, tuple[Any, Any]]()
    responses: dict[int, R] = {}
    try:
        while len(responses) < len(lines):
            while len(running) < width and (following := next(coming, None)) is not None:
                number, line = following
                running[number] = (line, None)
                _settle(running, responses, number, (yield from _moved(line, partial(next, line))))
            if running:
                number, move = yield from _first(running)
                _settle(running, responses, number, (yield from _moved(running[number][0], move)))
        return joined([responses[number] for number in range(len(lines))])
    except ModelError as error:
        error.attempts = _all_attempts(responses.values(), error, [step for _, step in running.values()])
        raise
    finally:
        for line, _ in running.values():
            line.close()
        for _, line in coming:
            line.close()


def _first(running: dict[int, tuple[Any, Any]]) -> Generator[Step, Any, tuple[int, Callable[[], Step]]]:
    """The line whose wish is the first to have its outcome, and the move that hands it over."""
    numbers = list(running)
    place, failed, value = yield First(tuple(running[number][1] for number in numbers))
    line = running[numbers[place]][0]
    running[numbers[place]] = (line, None)
    return numbers[place], partial(line.throw if failed else line.send, value)


def _moved(line: Generator[Step, Any, R], move: Callable[[], Step]) -> Generator[Step, Any, Step | R]:
    """The line's next wish, begun; or its response."""
    try:
        step = move()
        while isinstance(step, Load):
            step = line.send((yield step))
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    yield Begin(step)
    return step


def _settle(running: dict[int, tuple[Any, Any]], responses: dict[int, R], number: int, outcome: Any) -> None:
    if isinstance(outcome, Response):
        responses[number] = outcome  # type: ignore[assignment]
        del running[number]
    else:
        running[number] = (running[number][0], outcome)


def _all_attempts(done: Iterable[Response], error: ModelError, begun: Iterable[Any]) -> tuple[Attempt, ...]:
    """Every request of a call that one of its parts ended: those of parts that are done, its own, those given up."""
    spent = Spent()
    for response in done:
        spent.count(response.attempts)
    spent.count(error.attempts)
    for ask in begun:
        spent.count(getattr(ask, "tried", ()))
        if isinstance(ask, Ask) and ask.sent:
            given_up = Attempt(number=0, model=ask.request.model, error="given up: another part of the call failed")
            spent.count([given_up] * len(ask.sent))
    return spent.attempts
