"""Where a request goes: what makes a base URL and headers that can work, and cannot leak."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ..errors import ConfigError, is_secret_name, masked

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2: a token


def check_url(url: Any, where: str) -> None:
    """Raises ConfigError unless `url` is None or an http(s) URL without a user, a password or a key in it."""
    if url is None:
        return
    if not isinstance(url, str):
        raise ConfigError(f"{where} must be a str, not {type(url).__name__}")
    if "@" in url or "\uff20" in url:  # never repeated: it may be a password
        raise ConfigError(f"{where} holds a user name or password; give the key as api_key=")
    if any(ord(sign) <= 32 or ord(sign) == 127 for sign in url):
        raise ConfigError(f"{where} holds a space or line break: {url!r:.80}")
    query = ""
    try:
        parts = urlsplit(url)
        query = parts.query
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_url = False
    if not is_url:
        raise ConfigError(f"{where} must be an http(s) URL such as 'http://localhost:8000/v1'; got {url!r:.80}")
    for name, _ in parse_qsl(query, keep_blank_values=True):
        if is_secret_name(name) or name.lower() in ("key", "sig", "code"):
            raise ConfigError(f"{where} holds a secret in its query ({name}=…); give the key as api_key=")


def check_headers(headers: Any, where: str) -> None:
    """Raises ConfigError unless `headers` is None or a mapping of header names to texts that HTTP can carry."""
    if headers is None:
        return
    if not isinstance(headers, Mapping):
        raise ConfigError(f"{where} must be a dict, not {type(headers).__name__}")
    for name, value in headers.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise ConfigError(f"{where}: {name!r} cannot be the name of a header")
        if not isinstance(value, str):
            raise ConfigError(f"{where}[{name!r}] must be a str, not {masked(name, value)}")
        check_header_value(value, f"{where}[{name!r}]")


def check_header_value(value: str, where: str) -> None:
    """Raises ConfigError for what cannot stand in a header; never repeats the value, which may be a key."""
    if any(ord(sign) < 32 or ord(sign) == 127 for sign in value):
        raise ConfigError(f"{where} holds a line break or another control character; take it off (.strip()?)")
    try:
        value.encode("latin-1")
    except UnicodeEncodeError as error:
        raise ConfigError(f"{where} holds {value[error.start]!r}, which a header cannot carry") from None
