"""When to try again and how long to wait. Decides, does no I/O; the stop and wait rules are tenacity's.

Two bounds: `max_retries` for one call, and a *budget* for all calls to one provider and base URL: during
an outage at most 20 retries, or a fifth of the calls made where that is more. It so costs at most 1.2
times the traffic, and a handful of calls still gets all its retries.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import tenacity

from ..errors import ModelError
from .request import Request

FIRST_WAIT, LONGEST_WAIT = 0.5, 8.0  # seconds; the OpenAI and Anthropic SDKs use the same two
RATIO, FREE, WINDOW = 0.2, 20, 5.0  # share of the calls, retries, seconds

_backoff = tenacity.wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT)  # "full jitter"


def wait_before_next(request: Request, error: ModelError, attempts: int, deadline: float | None) -> float | None:
    """Seconds to wait before the next attempt; None when there must not be one.

    A `Retry-After` is kept to: never shorter, and where it ends after the deadline there is no retry.
    """
    state = tenacity.RetryCallState(_no_retrying, None, (), {})
    state.attempt_number = attempts
    if not error.retryable or tenacity.stop_after_attempt(request.max_retries + 1)(state):
        return None
    wait = float(_backoff(state))
    if error.retry_after is not None:
        wait = error.retry_after + 0.1 * wait if error.retry_after > 0 else error.retry_after
    if deadline is not None and time.monotonic() + wait >= deadline:
        return None
    return wait if budget(request).spend() else None


_no_retrying: Any = None  # tenacity's policies look only at the attempt number


class Budget:
    """The retries that calls to one address may make during one outage.

    An outage ends when for `WINDOW` seconds nothing has failed that could be asked again.
    """

    def __init__(self) -> None:
        self._calls = self._retries = 0
        self._failed = -WINDOW
        self._lock = threading.Lock()

    def count_call(self) -> None:
        """A call (not a retry) is being made."""
        with self._lock:
            self._forget(time.monotonic())
            self._calls += 1

    def spend(self) -> bool:
        """Whether one more retry may be made; if so, it is counted."""
        now = time.monotonic()
        with self._lock:
            self._forget(now)
            self._failed = now
            if self._retries >= max(FREE, int(RATIO * self._calls)):
                return False
            self._retries += 1
            return True

    def _forget(self, now: float) -> None:
        if now - self._failed > WINDOW:
            self._calls = self._retries = 0


_budgets: dict[tuple[str, Any], Budget] = {}


def budget(request: Request) -> Budget:
    """The budget of the request's provider and base URL."""
    key = (request.provider, request.api_base or request.params.get("aws_bedrock_runtime_endpoint"))
    found = _budgets.get(key)
    return found if found is not None else _budgets.setdefault(key, Budget())


def forget_budgets() -> None:
    """Forgets all that was counted; for tests."""
    _budgets.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_budgets)  # a lock may have been held in the parent
