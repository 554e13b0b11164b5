"""A call that is several requests: side by side when a list is too long for one, one after the other when an answer could
not be read. What they cost is added up, what they say is joined.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from typing import Any, TypeVar

import msgspec

from ..errors import ModelError
from ..responses import Attempt, Cost, Response, Usage
from .request import Ask, Begin, Load, Step

R = TypeVar("R", bound=Response)
WIDTH = 8  # requests of one call in flight at once


class Spent:
    """What the asks of one call cost before the one that was understood."""

    def __init__(self) -> None:
        self.attempts: tuple[Attempt, ...] = ()
        self._responses: list[Response] = []

    def add(self, error: ModelError) -> None:
        """Counts an ask that failed, with the response that came, if one came."""
        self._count(error.attempts)
        if error.response is not None:
            self._responses.append(error.response)

    def _count(self, attempts: Sequence[Attempt]) -> None:
        known = len(self.attempts)
        self.attempts += tuple(
            msgspec.structs.replace(one, number=known + number) for number, one in enumerate(attempts, 1)
        )

    def with_last(self, response: R) -> R:
        """The response that was understood, with all attempts, tokens and dollars of the call."""
        if not self.attempts:
            return response
        self._count(response.attempts)
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
        spent._count(one.attempts)
    return msgspec.structs.replace(
        first,
        content=[item for one in responses for item in one.content],
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
        "usage": sum(known, Usage()) if known else None,
        "cost": total,
        "cost_reason": None if total is not None else reason or "unknown",
    }


def side_by_side(lines: Sequence[Generator[Step, Any, R]], width: int = WIDTH) -> Generator[Step, Any, R]:
    """Walks several lines with up to `width` requests in flight; their responses joined, in order.

    The first that fails ends the others.
    """
    waiting, coming, responses = deque[tuple[Any, Any]](), iter(lines), list[R]()
    try:
        while len(responses) < len(lines):
            while len(waiting) < width and (following := next(coming, None)) is not None:
                waiting.append((following, None))
                waiting[-1] = (following, (yield from _begun(following)))
            one, step = waiting[0]
            responses.append(step if isinstance(step, Response) else (yield from _rest(one, step)))  # type: ignore[arg-type]
            waiting.popleft()
        return joined(responses)
    finally:
        for one, _ in waiting:
            one.close()
        for one in coming:
            one.close()


def _begun(line: Generator[Step, Any, R]) -> Generator[Step, Any, Step | R]:
    """A line's first ask, begun; or its response, where it needs none."""
    try:
        step = next(line)
        while isinstance(step, Load):
            step = line.send((yield step))
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    if isinstance(step, Ask):
        yield Begin(step)
    return step


def _rest(line: Generator[Step, Any, R], step: Step) -> Generator[Step, Any, R]:
    try:
        while True:
            try:
                outcome = yield step
            except Exception as error:
                step = line.throw(error)
            else:
                step = line.send(outcome)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
