"""Where the outcome of each of the line's wishes comes from, and by when it must be there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future

from ..errors import ModelError, TimeoutError
from . import dispatch
from .answer import Answer
from .chunks import split
from .engine import DELTA, RESULT, Ready, Source, engine
from .request import Ask, Join, Load, Request, Sleep, Step


def source_of(step: Step) -> Source:
    """The source of a wish's outcome."""
    if isinstance(step, Ask):
        return _open_ask(step)
    if isinstance(step, Sleep):
        return engine().start(lambda job: asyncio.sleep(step.seconds))
    if isinstance(step, Load):
        return engine().start(lambda job: _load(step.provider))
    assert isinstance(step, Join)
    overdue = _overdue(step.request, again=False)
    return engine().start(lambda job: _landed(step.flight), bound=step.deadline, overdue=overdue)


async def _landed(flight: Future[Answer | ModelError | None]) -> Answer | ModelError | None:
    return await asyncio.shield(asyncio.wrap_future(flight))


async def _load(provider: str) -> None:
    # not on the loop: HTTP clients made there would belong to it, unwatched
    await asyncio.to_thread(dispatch.load, provider)


def _open_ask(step: Ask) -> Source:
    if step.local is not None:
        if not step.request.stream:
            return Ready((RESULT, step.local))
        answer = step.local
        return Ready(*((DELTA, chunk) for chunk in split(answer.body)), (RESULT, answer))
    request, timeout, now = step.request, step.request.timeout, time.monotonic()
    attempt = None if timeout.attempt is None else now + timeout.attempt
    if not request.stream:
        bound = earliest(step.deadline, attempt)
        overdue = _overdue(request, again=bound is not None and bound == attempt != step.deadline)
        return engine().start(lambda job: dispatch.send(step), bound=bound, overdue=overdue)
    first = None if timeout.first_token is None else step.began + timeout.first_token
    bound = earliest(step.deadline, attempt, first)
    overdue = _overdue(request, again=bound is not None and bound == attempt and bound not in (step.deadline, first))

    def next_bound() -> float | None:
        idle = None if timeout.idle is None else time.monotonic() + timeout.idle
        return earliest(step.deadline, idle)

    return engine().start(lambda job: dispatch.stream(step, job, next_bound), bound=bound, overdue=overdue)


def earliest(*bounds: float | None) -> float | None:
    return min((bound for bound in bounds if bound is not None), default=None)


def _overdue(request: Request, *, again: bool) -> Callable[[], Exception]:
    """Makes the error for a passed deadline; only one attempt's own bound leaves time to ask again."""

    def error() -> Exception:
        parts = ((name, getattr(request.timeout, name)) for name in request.timeout.__slots__)
        bounds = ", ".join(f"{name}={value:g}" for name, value in parts if value is not None)
        text = f"{request.model}: not answered in time (timeout: {bounds} s)"
        return TimeoutError(text, provider=request.provider, model=request.model, retryable=again)

    return error
