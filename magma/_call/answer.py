"""What comes back from the provider, before a model type makes its response of it."""

from __future__ import annotations

from typing import Any

import msgspec


class Answer(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the provider answered, as plain data: what dispatch returns, the cache stores and `_parse` reads."""

    body: dict[str, Any]
    """In OpenAI's wire shape."""
    status: int | None = None
    request_id: str | None = None
    warnings: list[str] = []
    """What was sent differently from what was asked."""
    complete: bool = True
    """False for what had arrived of a stream that was left early."""
    first_token: float | None = None
    """Seconds from the call to the first delta of a stream."""
