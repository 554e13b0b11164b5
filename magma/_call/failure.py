"""From whatever went wrong during a dispatch to the one `ModelError` that says it.

The wire is believed first (status, headers, body), LiteLLM's exception second, by name: it is never
chained or kept, because its texts and attributes hold keys, headers and file paths.
"""

from __future__ import annotations

import builtins
import email.utils
import http
import math
import os
import re
import time
from typing import Any

import msgspec

from .. import errors
from ..errors import ModelError, redact
from .request import Request
from .wire import Exchange

_BY_STATUS: dict[int, type[ModelError]] = {
    401: errors.AuthenticationError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    408: errors.TimeoutError,
    429: errors.RateLimitError,
    504: errors.TimeoutError,
}
_BY_NAME: dict[str, type[ModelError]] = {
    "ContextWindowExceededError": errors.ContextWindowError,
    "ContentPolicyViolationError": errors.ContentFilterError,
    "UnsupportedParamsError": errors.UnsupportedParamsError,
    "AuthenticationError": errors.AuthenticationError,
    "PermissionDeniedError": errors.PermissionDeniedError,
    "NotFoundError": errors.NotFoundError,
    "RateLimitError": errors.RateLimitError,
    "Timeout": errors.TimeoutError,
    "APIConnectionError": errors.ConnectionError,
    "BadRequestError": errors.BadRequestError,
}
_CONTEXT = (
    "context_length_exceeded",
    "exceed_context_size",
    "maximum context length",
    "prompt is too long",
    "input is too long",
    "context window",
    "exceeds the available context size",
    "exceeds the maximum number of tokens",
)
_FILTER = ("content_filter", "content_policy_violation", "responsibleaipolicyviolation")
_STATUS_OF = {
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "invalid_request_error": 400,
    "context_length_exceeded": 400,
    "content_filter": 400,
    "overloaded_error": 529,
    "api_error": 500,
    "server_error": 500,
}
_RETRIED = (408, 409, 429)
_NO_KEY = re.compile(r"(?i)missing credentials|(missing|no|provide|set).{0,40}api[ _]key|api_key .*must be set")
_STUMBLED = re.compile(r"(?i)unexpected response|KeyError|unable to|failed to|decoded to no|checksum|parsing")
_UNROUTED = re.compile(
    r"(?i)unable to map|unsupported provider|unmapped llm provider|unable to determine .* provider|locate credentials"
)
_BROKEN = (builtins.ConnectionError, builtins.TimeoutError, EOFError, OSError)


def translate(error: Exception, exchange: Exchange, request: Request) -> ModelError:
    """The `ModelError` for what happened."""
    if isinstance(error, ModelError):
        return error
    if exchange.redirect is not None:
        where = exchange.redirect or "nowhere"
        text = f"the server at {request.api_base or request.provider} redirects to {where}; set api_base to the final address"
        return _failure(errors.ConnectionError, text, exchange, request, retryable=False)
    if exchange.response is not None:
        return _answered(error, exchange, request)
    if exchange.requests:
        return _unanswered(exchange.error or error, exchange, request)
    return _unsent(error, exchange, request)


def refusal(status: int | None, body: Any, exchange: Exchange, request: Request, text: str = "") -> ModelError:
    """The error that the provider itself reports, with this status and this body."""
    words = said(body) or text or f"status {status}"
    lowered = f"{words} {body}".lower() if isinstance(body, dict) else words.lower()
    kind = _BY_STATUS.get(status or 0)
    if kind is None:
        kind = errors.BadRequestError if status and 400 <= status < 500 else errors.ServerError
    if status in (400, 413, 422) and any(mark in lowered for mark in _CONTEXT):
        kind = errors.ContextWindowError
    elif status in (400, 403, 422) and any(mark in lowered for mark in _FILTER):
        kind = errors.ContentFilterError
    retryable = status in _RETRIED or (status is not None and status >= 500)
    if "insufficient_quota" in lowered:
        retryable = False
    hint = f" ({key_hint(request)})" if kind is errors.AuthenticationError else ""
    return _failure(kind, words + hint, exchange, request, status=status, retryable=retryable, body=text or words)


def reported(raw: dict[str, Any], exchange: Exchange, request: Request) -> ModelError:
    """The error in a body or event whose HTTP status was good; its own code says which status it means."""
    error = raw["error"]
    fields = error if isinstance(error, dict) else {}
    codes = [fields.get(name, raw.get(name)) for name in ("code", "status", "status_code", "type")]
    status = next((int(str(code)) for code in codes if str(code).isdigit() and 400 <= int(str(code)) < 600), None)
    if status is None:
        status = next((_STATUS_OF[str(code)] for code in codes if str(code) in _STATUS_OF), None)
    text = msgspec.json.encode(raw).decode("utf-8", "replace")
    return refusal(status, raw, exchange, request, text)


def truncated(exchange: Exchange, request: Request) -> ModelError:
    """A stream that ended without saying so."""
    return malformed(exchange, request, "the stream ended without a finish_reason: the answer was cut off")


def malformed(exchange: Exchange, request: Request, why: str, data: bytes | None = None) -> ModelError:
    """An answer with a good status that is not an answer. Asking again would cost again and is not done.

    `data` is what is wrong, where that is not the whole body. Redacted before it is cut: half a key is a key's half.
    """
    text = (exchange.content if data is None else data).decode("utf-8", "replace")
    excerpt = redact(text, *request.secrets())[:200]
    reason = f"{why}: {excerpt!r}" if text else why
    return _failure(errors.ServerError, reason, exchange, request, retryable=False, body=text)


def said(body: Any) -> str:
    """The message in a provider's error body, whatever its shape.

    >>> said({"error": {"message": "No such model", "code": 404}}), said({"detail": "Not Found"}), said([])
    ('No such model', 'Not Found', '')
    """
    while isinstance(body, (dict, list)):
        if isinstance(body, list):
            body = body[0] if body else ""
            continue
        names = ("error", "message", "detail", "Message", "msg", "error_message", "title")
        body = next((body[name] for name in names if body.get(name)), "")
    return str(body).strip() if body else ""


def key_hint(request: Request) -> str:
    """What to do about a missing or refused key."""
    if request.api_key:
        return "the api_key given to the model was sent"
    if request.provider in ("bedrock", "sagemaker"):
        return "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION_NAME, or pass aws_access_key_id= and so on"
    variable = f"{request.provider.upper().replace('-', '_')}_API_KEY"
    state = "is set" if os.environ.get(variable) else "is not set"
    return f"{variable} {state}; set it or pass api_key="


def _answered(error: Exception, exchange: Exchange, request: Request) -> ModelError:
    status = exchange.status or 0
    body, text = exchange.json(), exchange.content.decode("utf-8", "replace")
    reported = getattr(error, "status_code", None)
    told = words(error) if ".llms." in type(error).__module__ else ""  # LiteLLM's reader of this provider's answers
    if status < 400 and told and isinstance(reported, int) and 400 <= reported < 600 and not _STUMBLED.search(told):
        return refusal(reported, None, exchange, request, told)
    if status >= 400:
        failure = refusal(status, body, exchange, request, text or _phrase(status))
        named = _named(error)
        if type(failure) is errors.BadRequestError and named in (errors.ContextWindowError, errors.ContentFilterError):
            failure = _failure(
                named, said(body) or str(failure), exchange, request, status=status, retryable=False, body=text
            )
        return failure
    if _is_broken(error):
        return _unanswered(error, exchange, request, "the connection broke in the middle of the answer")
    why = f" ({told[:200]})" if told else ""
    return malformed(exchange, request, f"the answer is not one that can be read{why}")


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return f"status {status}"


def _unanswered(error: Exception, exchange: Exchange, request: Request, what: str = "no answer") -> ModelError:
    root = _root(error)
    if isinstance(root, UnicodeError) and exchange.sent:
        return _failure(
            errors.ServerError, f"the answer's headers cannot be read: {root}", exchange, request, retryable=False
        )
    if isinstance(root, (ValueError, TypeError)) and not isinstance(root, _BROKEN):
        hint = " (a key or header with a line break?)" if "header" in str(root) else ""
        text = f"the request could not be sent: {type(root).__name__} {root}{hint}"
        exchange.sent.clear()
        return _failure(errors.BadRequestError, text, exchange, request, retryable=False)
    text = f"{what} from {request.api_base or request.provider}: {type(root).__name__} {root}".rstrip()
    timed_out = isinstance(root, builtins.TimeoutError) or "Timeout" in type(error).__name__
    kind = errors.TimeoutError if timed_out else errors.ConnectionError
    return _failure(kind, text, exchange, request, retryable=True)


def _unsent(error: Exception, exchange: Exchange, request: Request) -> ModelError:
    """LiteLLM refused before anything was sent (or used a client of its own, then it knows the status)."""
    status = getattr(error, "status_code", None)
    kind = _named(error)
    text = words(error)
    if kind is errors.AuthenticationError or (not request.api_key and _NO_KEY.search(text)):
        return _failure(
            errors.AuthenticationError, f"no API key: {key_hint(request)}", exchange, request, retryable=False
        )
    if isinstance(error, ImportError):
        return _failure(
            errors.BadRequestError,
            f"{request.provider} needs another package: {text}",
            exchange,
            request,
            retryable=False,
        )
    if _UNROUTED.search(text) or type(_root(error)).__name__ in ("NoCredentialsError", "PartialCredentialsError"):
        what = f"LiteLLM cannot ask {request.provider} for {request.operation}"
        return _failure(errors.BadRequestError, f"{what}: {text[:200]}", exchange, request, retryable=False)
    if kind is None and _is_broken(error):
        return _unanswered(error, exchange, request)
    if isinstance(_root(error), (ValueError, TypeError)):
        kind = errors.BadRequestError
    kind = kind or (errors.ServerError if isinstance(status, int) and status >= 500 else errors.BadRequestError)
    return _failure(kind, text, exchange, request, retryable=kind.retryable and isinstance(status, int))


def _failure(
    kind: type[ModelError],
    text: str,
    exchange: Exchange,
    request: Request,
    *,
    status: int | None = None,
    retryable: bool,
    body: str | None = None,
) -> ModelError:
    secrets = request.secrets()
    asked = (exchange.header("x-should-retry") or "").lower()
    if asked in ("true", "false"):
        retryable = asked == "true"
    status = exchange.status if status is None else status
    prefix = f"{request.model}: " + (f"{status} " if status else "")
    return kind(
        redact(prefix + text, *secrets),
        status_code=status,
        provider=request.provider,
        model=request.model,
        retry_after=retry_after(exchange),
        request_id=None if exchange.request_id is None else redact(exchange.request_id, *secrets),
        retryable=retryable,
        body=redact(body, *secrets) if body else None,
    )


def retry_after(exchange: Exchange) -> float | None:
    """Seconds to wait, from `retry-after-ms`, or `Retry-After` in seconds (whole or not) or as an HTTP date."""
    milliseconds, seconds = exchange.header("retry-after-ms"), exchange.header("retry-after")
    try:
        if milliseconds is not None:
            return _bounded(float(milliseconds) / 1000)
        return None if seconds is None else _bounded(float(seconds))
    except ValueError:
        pass
    try:
        return _bounded(email.utils.parsedate_to_datetime(seconds or "").timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def _bounded(seconds: float) -> float | None:
    return None if math.isnan(seconds) else min(max(seconds, 0.0), 86_400.0)


def _named(error: Exception) -> type[ModelError] | None:
    return next((_BY_NAME[cls.__name__] for cls in type(error).__mro__ if cls.__name__ in _BY_NAME), None)


def words(error: Exception) -> str:
    """LiteLLM's words without its prefixes and tracebacks."""
    text = str(getattr(error, "message", None) or error).partition("Traceback (most recent")[0]
    while text.startswith("litellm."):
        text = text.partition(": ")[2]
    return text.strip() or type(error).__name__


def _root(error: BaseException) -> BaseException:
    """The first cause: the socket's own words, not their retelling."""
    seen = 0
    while (below := error.__cause__ or error.__context__) is not None and seen < 20:
        if not isinstance(below, Exception):
            break
        error, seen = below, seen + 1
    return error


def _is_broken(error: Exception) -> bool:
    """Whether the transport, not the content, is what failed."""
    chain: BaseException | None = error
    for _ in range(20):
        if chain is None:
            return False
        module, name = type(chain).__module__.partition(".")[0], type(chain).__name__
        of_transport = module in ("httpx", "httpcore", "aiohttp", "ssl") and "Decod" not in name
        if isinstance(chain, _BROKEN) or (of_transport and name not in ("ResponseNotRead", "StreamConsumed")):
            return True
        chain = chain.__cause__ or chain.__context__
    return False
