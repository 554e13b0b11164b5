"""The line that every call walks, and the drivers that move it.

`line` is one generator without I/O: it yields what it wants (`Ask`, `Sleep`, `Join`, `Load`) and is sent
the outcome or thrown the error; it returns the `Response`. `walk.py` gets each wish's outcome. `run`, `arun` and the
two iterators of `Stream` drive the walk: they differ only in how they wait. Whoever changes a rule changes `line`;
whoever changes waiting, the engine.
"""

from __future__ import annotations

import contextlib
import copy
import os
import time
from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

import msgspec

from .. import offline
from ..errors import ConfigError, ModelError, ParseError
from ..responses import Attempt, Response
from . import dispatch, hooks
from .answer import Answer
from .parts import Spent, side_by_side
from .request import Ask, Join, Load, Request, Sleep, Step
from .sources import earliest
from .waiting import in_async
from .walk import Line, Parse, walk

R = TypeVar("R", bound=Response)
Answerer = Callable[[Request], "dict[str, Any] | None"]
LOCAL: list[Answerer] = [
    lambda request: offline.answer(request.model, request.inputs, request.params, request.operation)
]
"""Who can answer without a network, asked in turn: `offline/`, and scripted answers of `magma.testing`."""


# --- the line -------------------------------------------------------------------------------------------


def line(request: Request, parse: Parse[R], *, joins: bool = True) -> Line[R]:
    """One call from its request to its response. `joins`: may wait for an identical call in flight."""
    began = time.monotonic()
    if is_traced():
        from . import trace

        trace.install()
    try:
        changed = hooks.before_call(request)
        if isinstance(changed, Response):
            response: Any = changed
        else:
            request = changed
            response = yield from _answered(request, parse, joins, began)
        hooks.tell("after_call", request, response)
        return response  # type: ignore[no-any-return]
    except Exception as error:
        hooks.tell("on_error", request, error)
        raise
    finally:
        hooks.tell("closed", request)


_environment: Any = getattr(os.environ, "_data", os.environ)  # a miss in os.environ itself costs two exceptions
_encoded: Any = getattr(os.environ, "encodekey", str)
_LANGFUSE_KEYS = (_encoded("LANGFUSE_PUBLIC_KEY"), _encoded("LANGFUSE_SECRET_KEY"))


def is_traced() -> bool:
    """Whether the environment asks for LangFuse; looked up on every call."""
    return _LANGFUSE_KEYS[0] in _environment and _LANGFUSE_KEYS[1] in _environment


def _answered(request: Request, parse: Parse[R], joins: bool, began: float) -> Line[R]:
    """The response, out of the cache or from the provider."""
    if request.cache is None:
        return (yield from _understood(request, parse, began, _local(request)))[1]
    cache, key, local = request.cache, request.fingerprint(), None
    while True:
        stored = cache.get(key)
        if stored is not None:
            with contextlib.suppress(ParseError):  # it was kept for another schema of the same shape: a miss
                return _hit(request, parse, stored, began)
        local = local or _local(request)
        if local is None and not dispatch.loaded():
            yield Load(request.provider)
            began = time.monotonic()  # for those too who only wait for another's answer
        alone = request.stream or local is not None or not joins
        leads, flight = (True, None) if alone else cache.lead_or_join(key)
        if leads:
            break
        assert flight is not None
        total = request.timeout.total
        joined = yield Join(flight, None if total is None else began + total, request)
        if isinstance(joined, ModelError):
            error = copy.copy(joined)
            error.attempts = ()  # they were the other call's
            raise error
        if joined is not None:
            return _hit(request, parse, joined, began)
    outcome: Answer | ModelError | None = None
    try:
        answer, response = yield from _understood(request, parse, began, local)
        outcome = answer
        if _is_worth_keeping(answer):
            cache.put(key, answer)
        return response
    except ModelError as error:
        outcome = copy.copy(error)
        raise
    finally:
        if flight is not None:
            cache.land(key, flight, outcome)


def _understood(
    request: Request, parse: Parse[R], began: float, local: Answer | None
) -> Generator[Step, Any, tuple[Answer, R]]:
    """An answer and the response that `parse` reads in it; `request.reading` may want another ask after a failed one."""
    asked, spent = request, Spent()
    while True:
        try:
            answer, attempts = yield from _asked(asked, began, local)
            response = _finished(asked, parse, answer, attempts, began)
        except ModelError as error:
            following = None if asked.reading is None else asked.reading.again(asked, error)
            spent.add(error)
            if following is None:
                error.attempts = spent.attempts
                error.response = spent.in_all(error.response)
                raise
            asked, local = following, _local(following)
        else:
            warnings = [*answer.warnings, *asked.warnings]
            return msgspec.structs.replace(answer, warnings=warnings), spent.with_last(response)


def _asked(request: Request, began: float, local: Answer | None) -> Generator[Step, Any, tuple[Answer, list[Attempt]]]:
    """The provider's answer after at most `1 + max_retries` requests, each in `attempts`; or the local one."""
    if local is not None:
        return (yield Ask(request, None, began, local)), []
    if not dispatch.loaded():
        yield Load(request.provider)
        began = time.monotonic()  # importing LiteLLM is not the provider's time
    from . import retry

    retry.budget(request).count_call()
    deadline = None if request.timeout.total is None else began + request.timeout.total
    first = began + request.timeout.first_token if request.stream and request.timeout.first_token is not None else None
    attempts: list[Attempt] = []
    while True:
        started, sent = time.monotonic(), list[int]()
        try:
            answer = yield Ask(request, deadline, began, None, sent, attempts)
        except ModelError as error:
            wait = (
                None
                if error.partial is not None
                else retry.wait_before_next(request, error, len(attempts) + 1, earliest(deadline, first))
            )
            if sent or error.status_code is not None or wait is not None:  # what never left is no attempt
                attempts.append(_attempt(request, started, len(attempts) + 1, error=error, wait=wait))
            if wait is None:
                error.attempts = tuple(attempts)
                raise
            hooks.tell("on_retry", request, error, wait)
            yield Sleep(wait, attempts)
        else:
            attempts.append(_attempt(request, started, len(attempts) + 1, answer=answer))
            return answer, attempts


def _attempt(
    request: Request,
    started: float,
    number: int,
    *,
    error: ModelError | None = None,
    answer: Answer | None = None,
    wait: float | None = None,
) -> Attempt:
    told = error if error is not None else answer
    return Attempt(
        number=number,
        model=request.model,
        status_code=error.status_code if error is not None else answer.status if answer is not None else None,
        error=None if error is None else f"{type(error).__name__}: {error}",
        seconds=time.monotonic() - started,
        wait=wait or 0.0,
        request_id=getattr(told, "request_id", None),
    )


def _finished(request: Request, parse: Parse[R], answer: Answer, attempts: list[Attempt], began: float) -> R:
    try:
        response = parse(request, answer)
    except ModelError as error:  # a good answer that cannot be read: it was paid for
        error.attempts = tuple(attempts)
        raise
    changes = {
        "attempts": tuple(attempts),
        "latency": time.monotonic() - began,
        "first_token": answer.first_token,
        "warnings": (*response.warnings, *request.warnings),
    }
    return msgspec.structs.replace(response, **changes)


def _hit(request: Request, parse: Parse[R], answer: Answer, began: float) -> R:
    from ..responses import Cost

    response = parse(request, answer)
    free = Cost(0.0, input=0.0, output=0.0, source="cache")
    return msgspec.structs.replace(response, cached=True, cost=free, cost_reason=None, latency=time.monotonic() - began)


def _is_worth_keeping(answer: Answer) -> bool:
    """Errors, refusals and truncated answers are not stored."""
    choices = answer.body.get("choices")
    if not answer.complete or choices is None:
        return answer.complete
    return all(
        choice.get("finish_reason") in ("stop", "tool_calls") and not (choice.get("message") or {}).get("refusal")
        for choice in choices
    )


def _local(request: Request) -> Answer | None:
    """An answer without a network; a ConfigError where a network is forbidden."""
    for answerer in LOCAL:
        body = answerer(request)
        if body is not None:
            return Answer(body=body)
    if os.environ.get("MAGMA_ALLOW_REQUESTS", "1").strip().lower() in ("0", "false", "no", "off"):
        raise ConfigError(
            f"MAGMA_ALLOW_REQUESTS=0 forbids asking {request.model}; use offline/echo, magma.testing.enqueue or a cassette"
        )
    return None


# --- drivers --------------------------------------------------------------------------------------------


def _line(requests: Sequence[Request], parse: Parse[R], *, joins: bool = True) -> Line[R]:
    """The line of one request, or of several side by side, whose responses are joined."""
    if len(requests) == 1:
        return line(requests[0], parse, joins=joins)
    return side_by_side([line(request, parse, joins=joins) for request in requests])


def run(requests: Sequence[Request], parse: Parse[R]) -> R:
    """Walks the line of these requests in this thread."""
    moving: Any = walk(_line(requests, parse, joins=not in_async()))
    try:
        item = None
        while True:
            item = moving.send(item).take()
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    finally:
        moving.close()


async def arun(requests: Sequence[Request], parse: Parse[R]) -> R:
    """Walks the line of these requests in this task, on asyncio or trio."""
    moving: Any = walk(_line(requests, parse))
    try:
        item = None
        while True:
            item = await moving.send(item).atake()
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    finally:
        moving.close()
