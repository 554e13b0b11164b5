"""How long a call may take, in four parts."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

from ..errors import ConfigError


@dataclass(frozen=True, slots=True)
class Timeout:
    """Bounds in seconds; None is no bound. A plain number given as `timeout=` is explained at `for_call`.

    >>> Timeout(total=30, attempt=10)
    Timeout(total=30, attempt=10, first_token=None, idle=None)
    """

    total: float | None = None
    """The whole call: attempts, waits and body; the end of the stream for a streamed call."""
    attempt: float | None = None
    """One HTTP request with its body; for a streamed call up to its first delta."""
    first_token: float | None = None
    """From the call to the first delta of a stream."""
    idle: float | None = None
    """Between two deltas of a stream; keep-alives are not deltas."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None:
                check_seconds(value, f"Timeout.{field.name}")

    @staticmethod
    def for_call(timeout: float | Timeout | None, *, stream: bool) -> Timeout:
        """The four parts behind `timeout=`: a number is the total of a call, but the gap between a stream's deltas.

        >>> Timeout.for_call(20.0, stream=True)
        Timeout(total=None, attempt=None, first_token=20.0, idle=20.0)
        """
        if isinstance(timeout, Timeout):
            return timeout
        return Timeout(first_token=timeout, idle=timeout) if stream else Timeout(total=timeout)


def check_seconds(value: Any, where: str) -> None:
    """Raises ConfigError unless `value` is a number of seconds above 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value <= 0:
        raise ConfigError(f"{where} must be a number of seconds above 0 or None, not {value!r}")
