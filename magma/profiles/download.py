"""One JSON document over HTTP: bounded in size and time, and from the host that was named."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import msgspec

from ..errors import ConfigError, ConnectionError, ModelError, ServerError, TimeoutError, redact

if TYPE_CHECKING:
    import httpx

MAX_BYTES = 50_000_000  # models.dev's document has about 3 MB
MAX_REDIRECTS = 3


def fetch(url: str, timeout: float) -> Any:
    """The document at `url`, decoded.

    Raises:
        ConfigError: a URL or timeout that cannot work, or MAGMA_ALLOW_REQUESTS=0.
        ConnectionError, TimeoutError, ServerError: there was no such document.
    """
    _check(url, timeout)
    import httpx

    end = time.monotonic() + timeout
    try:
        with httpx.Client(timeout=timeout, follow_redirects=False) as client:
            for _ in range(MAX_REDIRECTS + 1):
                with client.stream("GET", url, headers={"accept": "application/json"}) as answer:
                    if not answer.has_redirect_location:
                        return _decoded(url, _body(answer, url, end))
                    url = _next(url, answer.headers["location"])
    except httpx.TimeoutException:
        raise _late(url, timeout) from None
    except httpx.InvalidURL as error:
        raise ConfigError(f"{url!r:.200} is no URL ({error})") from None
    except httpx.HTTPError as error:
        raise ConnectionError(f"{_shown(url)} could not be fetched: {type(error).__name__}: {error}") from None
    raise refused(url, f"it redirects more than {MAX_REDIRECTS} times")


def _check(url: str, timeout: float) -> None:
    if not isinstance(url, str) or not all(_origin(url)[:2]):
        raise ConfigError(f"url must be an http(s) URL such as https://models.dev/api.json, not {url!r:.200}")
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 < timeout <= 3600:
        raise ConfigError(f"timeout must be seconds, more than 0 and at most 3600, not {timeout!r:.80}")
    if os.environ.get("MAGMA_ALLOW_REQUESTS", "1").strip().lower() in ("0", "false", "no", "off"):
        raise ConfigError(f"MAGMA_ALLOW_REQUESTS=0 forbids fetching {_shown(url)}; unset it, or do without")


def _body(answer: httpx.Response, url: str, end: float) -> bytes:
    if answer.status_code != 200:
        raise refused(url, f"status {answer.status_code}", answer.status_code)
    parts, size = [], 0
    for part in answer.iter_bytes():  # decompressed: a bomb is stopped as well
        size += len(part)
        if size > MAX_BYTES:
            raise refused(url, f"it has more than {MAX_BYTES // 1_000_000} MB")
        if time.monotonic() > end:
            raise _late(url, None)
        parts.append(part)
    return b"".join(parts)


def _decoded(url: str, data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise refused(url, f"it is not JSON ({error})") from None


def _origin(url: str) -> tuple[str | None, str | None, int | None]:
    """Scheme, host and port of an http(s) URL; None for what is none."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        return (parts.scheme, parts.hostname, port) if port else (None, None, None)
    except ValueError:
        return None, None, None


def _next(url: str, location: str) -> str:
    try:
        target = urljoin(url, location)
    except ValueError:
        target = ""
    if _origin(url) != _origin(target):
        host = _origin(target)[1] or "no URL"
        raise ConnectionError(f"{_shown(url)} redirects to another host, {host}; give that URL if you trust it")
    return target


def _late(url: str, timeout: float | None) -> ModelError:
    words = "in time" if timeout is None else f"within {timeout:g} s"
    return TimeoutError(f"{_shown(url)} was not fetched {words}; give it longer with timeout=")


def refused(url: str, why: str, status: int | None = None) -> ServerError:
    """The error for a document that cannot be used."""
    return ServerError(f"{_shown(url)} cannot be used: {why}; the profiles are as they were", status_code=status)


def _shown(url: str) -> str:
    return redact(url.partition("?")[0])
