"""What can go wrong, and how the texts of errors are kept clean.

Every failed call raises a `ModelError`; everything wrong with what you gave raises a `ConfigError`
before any request. All errors pickle, deep-copy, and never hold a key.

    Exception
    ├── ConfigError (ValueError)          a value you gave cannot work
    ├── MissingExtraError (ImportError)   an optional dependency is not installed
    └── ModelError                        a provider call failed
        ├── AuthenticationError           401, or no key at all
        ├── PermissionDeniedError         403
        ├── NotFoundError                 404: no such model or endpoint
        ├── BadRequestError               any other 4xx
        │   ├── UnsupportedParamsError    the model does not take a parameter
        │   ├── ContextWindowError        the prompt does not fit
        │   └── ContentFilterError        refused by a content policy
        ├── RateLimitError                429
        ├── TimeoutError                  408, 504, or your deadline   (also the builtin)
        ├── ConnectionError               no usable connection         (also the builtin)
        ├── ServerError                   5xx, or an answer that is not one
        ├── StreamInterruptedError        a stream broke after its first delta
        ├── ParseError                    the answer does not fit the schema
        └── BudgetError                   the call would exceed a budget
"""

from __future__ import annotations

import builtins
import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

MAX_TEXT = 1900  # characters: a message stays readable and below 2 kB whatever a provider sends


class ConfigError(ValueError):
    """A value given to magma (argument, field, environment variable, message) cannot work."""


class MissingExtraError(ImportError):
    """An optional dependency is missing.

    >>> raise MissingExtraError("langfuse", extra="langfuse")
    Traceback (most recent call last):
    magma.errors.MissingExtraError: langfuse is not installed: pip install "magma-model[langfuse]"
    """

    def __init__(self, package: str, *, extra: str) -> None:
        super().__init__(f'{package} is not installed: pip install "magma-model[{extra}]"', name=package)
        self.extra = extra

    def __reduce__(self) -> tuple[Any, ...]:
        return _missing_extra, (self.name, self.extra)


def _missing_extra(package: str, extra: str) -> MissingExtraError:
    return MissingExtraError(package, extra=extra)


class ModelError(Exception):
    """A provider call failed; the root of the tree above.

    Attributes:
        status_code: HTTP status of the last attempt, None without an HTTP answer.
        provider: provider name, e.g. "openai".
        model: the model id, e.g. "openai/gpt-4o".
        retry_after: seconds the provider asked to wait, else None.
        request_id: the provider's id of the last attempt, else None.
        attempts: one `Attempt` per HTTP request made, the failing one last.
        retryable: whether asking again could help.
        body: the provider's own words, redacted, under 2 kB.
        partial: what had arrived when a stream broke (a `Generation`), else None.
        response: the whole response where one arrived but was refused here (`ParseError`), else None.
    """

    retryable: bool = False

    def __init__(
        self,
        message: str,
        *,
        status_code: int | None = None,
        provider: str | None = None,
        model: str | None = None,
        retry_after: float | None = None,
        request_id: str | None = None,
        retryable: bool | None = None,
        body: str | None = None,
        partial: Any = None,
        response: Any = None,
    ) -> None:
        super().__init__(shorten(message))
        self.status_code = status_code
        self.provider = provider
        self.model = model
        self.retry_after = retry_after
        self.request_id = request_id
        self.attempts: tuple[Any, ...] = ()
        self.retryable = type(self).retryable if retryable is None else retryable
        self.body = shorten(body) if body else body
        self.partial = partial
        self.response = response

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), str(self), dict(self.__dict__))


def _rebuild(cls: type[ModelError], message: str, state: dict[str, Any]) -> ModelError:
    error = cls(message)
    error.__dict__.update(state)
    return error


class AuthenticationError(ModelError):
    """No key, or a key that the provider refuses (401)."""


class PermissionDeniedError(ModelError):
    """The key is known but may not do this (403)."""


class NotFoundError(ModelError):
    """No such model or endpoint (404)."""


class BadRequestError(ModelError):
    """The provider refuses the request as it stands (any other 4xx)."""


class UnsupportedParamsError(BadRequestError):
    """The model does not take a parameter that was set; see `Model.on_unsupported`."""


class ContextWindowError(BadRequestError):
    """The prompt, or prompt and `max_tokens` together, does not fit the model's context window."""


class ContentFilterError(BadRequestError):
    """The provider's content policy refused the prompt or the answer."""


class RateLimitError(ModelError):
    """Too many requests or tokens, or no quota left (429)."""

    retryable = True


class TimeoutError(ModelError, builtins.TimeoutError):
    """The provider gave up waiting (408, 504) or the call's own deadline passed."""

    retryable = True


class ConnectionError(ModelError, builtins.ConnectionError):
    """Refused, reset, redirected or not HTTP: there was no usable connection to the provider."""

    retryable = True


class ServerError(ModelError):
    """The provider failed (5xx), or sent something that is not an answer."""

    retryable = True


class StreamInterruptedError(ModelError):
    """A stream broke after its first delta; `.partial` holds what had arrived."""


class ParseError(ModelError):
    """The answer does not fit the schema; `.response` holds it."""


class BudgetError(ModelError):
    """The call would exceed a budget; nothing was sent."""


SECRET_NAME = re.compile(
    r"""(?ix)
    api[-_]?key | secret | passw(or)?d | passphrase | (^|[-_])pwd$ | credential | authorization | cookie | x-auth | signature
    | (private|access|subscription|functions?|account|signing|master|auth)[-_]?key
    | (access|auth|bearer|session|security|refresh|id|hf|api|ad|web[-_]?identity)[-_]?token | (^|[-_])token$
    """
)
_SHAPES = re.compile(
    r"""(?ix)
    (?P<label> \b (?: bearer | basic ) \s+ | (?: api[-_]?key | access[-_]?token | authorization ) ["']? \s* [=:] \s* ["']? )
    (?P<value> (?! bearer | basic ) [^\s"'&,<>{}]{6,} )
    | \b (?: sk | pk | rk | gsk | xai | r8 | hf | AIza | ya29 | AKIA ) [-_]? (?: [\w-]{16,} )
    | (?P<userinfo> :// ) [^/\s:@"']+ : [^/\s@"']+ @
    """
)


def is_secret_name(name: str) -> bool:
    """Whether a parameter, header or variable of this name holds a secret.

    >>> [is_secret_name(name) for name in ("aws_secret_access_key", "X-Api-Key", "max_tokens", "stop_token_ids")]
    [True, True, False, False]
    """
    return SECRET_NAME.search(name) is not None


def masked(name: str, value: Any) -> str:
    """The repr of a value of this name, its secrets hidden.

    >>> masked("api_key", "sk-123"), masked("extra_headers", {"Authorization": "Bearer x", "X-Team": "a"})
    ("'***'", "{'Authorization': '***', 'X-Team': 'a'}")
    """
    if hasattr(value, "get_secret_value") or (is_secret_name(name) and value is not None):
        return "'***'"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {masked(str(key), item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        inner = ", ".join(masked("", item) for item in value)
        return f"[{inner}]" if isinstance(value, list) else f"({inner},)" if len(value) == 1 else f"({inner})"
    return repr(value)


def secrets_in(values: Mapping[str, Any]) -> Iterator[str]:
    """The texts that stand under a secret's name, at any depth.

    >>> list(secrets_in({"auth": {"password": "hunter22"}, "seed": 3}))
    ['hunter22']
    """
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from secrets_in(value)
        elif isinstance(value, (list, tuple)):
            yield from secrets_in({f"{name}": item for item in value if isinstance(item, Mapping)})
        elif isinstance(value, str) and is_secret_name(name):
            yield value.removeprefix("Bearer ")


def redact(text: str, *secrets: str | None) -> str:
    """`text` without the given secrets, the keys in this process's environment, and anything key-shaped.

    >>> redact("Incorrect API key provided: my-key-1234", "my-key-1234")
    'Incorrect API key provided: [redacted]'
    """
    known = {secret for secret in secrets if secret and len(secret) >= 6}
    known |= {form for secret in known for form in (json.dumps(secret)[1:-1], quote(secret, safe=""))}
    known |= {form.replace("/", "\\/") for form in known}  # as some write JSON
    known.update(value for name, value in os.environ.items() if len(value) >= 8 and is_secret_name(name))
    for secret in sorted(known, key=len, reverse=True):
        text = text.replace(secret, "[redacted]")
    return _SHAPES.sub(_mask, text)


def redacted(value: Any, *secrets: str | None) -> Any:
    """Plain data with every text in it redacted.

    >>> redacted({"error": ["my-key-1234"]}, "my-key-1234")
    {'error': ['[redacted]']}
    """
    if isinstance(value, str):
        return redact(value, *secrets)
    if isinstance(value, dict):
        return {redact(str(name), *secrets): redacted(item, *secrets) for name, item in value.items()}
    if isinstance(value, list) and value and not isinstance(value[0], (int, float)):
        return [redacted(item, *secrets) for item in value]
    return value


def _mask(match: re.Match[str]) -> str:
    if match["userinfo"]:
        return "://[redacted]@"
    return f"{match['label'] or ''}[redacted]"


def shorten(text: str, limit: int = MAX_TEXT) -> str:
    """`text` in at most `limit` bytes of UTF-8, its middle cut out where it is longer.

    >>> shorten("a" * 5000)[-30:], len(shorten("a" * 5000)) <= 1900
    ('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', True)
    """
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= limit:
        return data.decode()
    half = (limit - 40) // 2
    return f"{data[:half].decode('utf-8', 'ignore')} … {data[-half:].decode('utf-8', 'ignore')}"
