"""What the types besides chat share: the files they send, and their responses with tokens, dollars, and what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from .. import profiles
from ..errors import ConfigError, ParseError, redact, redacted, shorten
from ..media import File, Kind, load, shown
from ..responses import LEFT_EARLY, Response
from ._generation import reported_cost, usage

if TYPE_CHECKING:
    from .._call.answer import Answer
    from .._call.request import Request

R = TypeVar("R", bound=Response)


def uploaded(source: Any, what: Kind) -> File:
    """The file to upload: `media.load`, without the URLs that only some providers can read.

    Raises:
        ConfigError: as `media.load`; a URL that is not http(s).
    """
    file = load(source, what=what)
    if file.url is not None and not file.url.lower().startswith(("http://", "https://")):
        raise ConfigError(
            f"the {what} {shown(file.url)} cannot be fetched from here: give a path, bytes or an https URL"
        )
    return file


def response_of(
    kind: type[R], request: Request, answer: Answer, read: Callable[[], Any], response_type: str, **quantities: Any
) -> R:
    """The response whose content is `read()`.

    Args:
        kind: its class.
        request: what was asked.
        answer: what came.
        read: makes the content; its ValueError says what is wrong with the answer.
        response_type: what the content is called.
        quantities: what the price depends on besides tokens, as `profiles.price` takes it.

    Raises:
        ParseError: the answer is not what was asked for; `.response` holds it.
    """
    body = answer.body
    told = body.get("usage") or _billed(body)
    used = usage(told)
    cost, reason = profiles.price(request.model, used, reported=reported_cost(told), **quantities)
    about: dict[str, Any] = {
        "id": _text(body.get("id")),
        "model": _text(body.get("model")),
        "usage": used,
        "cost": cost,
        "cost_reason": reason,
        "warnings": tuple(answer.warnings) if answer.complete else (*answer.warnings, LEFT_EARLY),
        "request_id": answer.request_id,
        "raw": body,
        "response_type": response_type,
    }
    try:
        return kind(content=read(), **about)
    except ValueError as error:
        raise ParseError(
            shorten(redact(f"{request.model}: {error}", *request.secrets())),
            provider=request.provider,
            model=request.model,
            request_id=answer.request_id,
            response=Response(**{**about, "raw": redacted(body, *request.secrets())}),
        ) from None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _billed(body: dict[str, Any]) -> dict[str, Any] | None:
    """The tokens of a rerank answer in Cohere's shape."""
    meta = body.get("meta")
    tokens = (meta.get("tokens") or meta.get("billed_units")) if isinstance(meta, dict) else None
    if not isinstance(tokens, dict) or tokens.get("input_tokens") is None:
        total = tokens.get("total_tokens") if isinstance(tokens, dict) else None
        return None if total is None else {"prompt_tokens": total, "total_tokens": total}
    return {"prompt_tokens": tokens["input_tokens"], "completion_tokens": tokens.get("output_tokens")}
