"""What pictures, sounds, films and documents are before they are sent: bytes with a type, or a URL.

`load` reads what a caller names (a path, bytes, an open file, a data URL), bounded and checked; a URL is kept, not
fetched. `sniff` tells a type from the first bytes. `fetch` is the one download, for those who ask for it.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
import time
from typing import Any, Literal
from urllib.parse import unquote_to_bytes, urlsplit

import msgspec

from . import errors
from .errors import ConfigError
from .media_types import ALIASES, ALSO_AUDIO, UNKNOWN, extension_of, guess, sniff

Kind = Literal["audio", "image", "video", "file"]

MB = 1_000_000
LIMITS: dict[str, int] = {"audio": 25 * MB, "image": 20 * MB, "video": 100 * MB, "file": 50 * MB}
"""Most bytes of a file by kind: OpenAI's speech-to-text takes 25 MB, its file inputs 50 MB; Gemini takes inline
requests of 100 MB; 20 MB is OpenAI's long-standing bound of one picture. `most=` overrides."""
REMOTE = ("http", "https", "gs", "s3")
"""Schemes of URLs that a provider reads itself."""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file's bytes with name and type, or the URL that a provider is to read itself.

    >>> File(name="a.wav", data=b"RIFF....WAVEfmt ", media_type="audio/wav")
    <File 'a.wav' audio/wav 16 B>
    """

    name: str
    """The file's name without folders; made up ("audio.mp3") where there is none."""
    media_type: str
    """E.g. "image/png", told by the first bytes, else by the name."""
    data: bytes | None = None
    """The bytes; None for a URL."""
    url: str | None = None
    """Where the file is, for a provider to read; None for bytes."""

    @property
    def extension(self) -> str:
        """The usual file extension of the type, without dot: "mp3"; "bin" when the type is unknown."""
        return extension_of(self.media_type)

    def base64(self) -> str:
        """The bytes as base64 text.

        Raises:
            ConfigError: a URL, whose bytes are not here.
        """
        if self.data is None:
            raise ConfigError(f"{shown(self.url)} is a URL, not bytes: download it first, e.g. with magma.media.fetch")
        return base64.b64encode(self.data).decode()

    def data_url(self) -> str:
        """The bytes as a data URL; a file that is a URL is that URL."""
        return self.url if self.url is not None else f"data:{self.media_type};base64,{self.base64()}"

    def __repr__(self) -> str:
        rest = size_of(len(self.data)) if self.data is not None else shown(self.url)
        return f"<File {self.name!r} {self.media_type} {rest}>"


def load(source: Any, *, what: Kind = "audio", most: int | None = None) -> File:
    """The file that `source` names: a path, bytes, an open binary file, a data URL, a URL (kept as it is), a `File`.

    Only regular files are read, and at most `most` bytes (default `LIMITS[what]`). An open file is read from its
    position and stays open. The type comes from the first bytes; only where they tell nothing, from the name.

    >>> load(b"%PDF-1.7", what="file")
    <File 'file.pdf' application/pdf 8 B>

    Raises:
        ConfigError: no such file, empty, too large, of another kind, or nothing that can be read.
    """
    bound = LIMITS[what] if most is None else most
    if isinstance(source, str) and not source.strip():
        raise ConfigError(f"the {what} is an empty text: give a path, bytes, an open file or a URL")
    if isinstance(source, File):
        return source if source.data is None else _file(source.data, source.name, source.media_type, what, bound)
    if isinstance(source, str) and source[:5].lower() == "data:":
        data, told = read_data_url(source, most=bound)
        return _file(data, "", told, what, bound)
    if isinstance(source, str) and is_url(source):
        return _remote(source, what)
    if isinstance(source, (bytes, bytearray, memoryview)):
        _check_size(source.nbytes if isinstance(source, memoryview) else len(source), what, "", bound)
        return _file(bytes(source), "", None, what, bound)
    if isinstance(source, (str, os.PathLike)):
        path = os.fsdecode(source)
        return _file(_read_path(path, what, bound), os.path.basename(path), None, what, bound)
    if callable(getattr(source, "read", None)):
        name = getattr(source, "name", None) or getattr(source, "filename", None)
        name = os.path.basename(name) if isinstance(name, str) else ""
        return _file(_read_open(source, what, bound), name, None, what, bound)
    raise ConfigError(f"the {what} must be a path, bytes, an open binary file or a URL, not {source!r:.80}")


def is_url(text: str) -> bool:
    """Whether a text is a URL rather than a path.

    >>> is_url("https://example.com/a.png"), is_url("C:/a.png"), is_url("a.png"), is_url("javascript:x")
    (True, False, False, True)
    """
    return re.match(r"(?i)[a-z][a-z0-9+.-]+://|(?:javascript|file|blob|about|data|mailto):", text) is not None


def check_url(url: str, what: str = "file", *, schemes: tuple[str, ...] = REMOTE) -> None:
    """Refuses a URL that nobody could or should read.

    Raises:
        ConfigError: another scheme, no host, a password in it, or characters that no URL has.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # reading it is what checks it
    except ValueError:
        raise ConfigError(f"the {what}'s URL {shown(url)} cannot be read: check its host and port") from None
    if parts.scheme not in schemes:
        known = ", ".join(schemes)
        raise ConfigError(f"the {what}'s URL has the scheme {parts.scheme!r:.40}; use one of {known}, or give a path")
    if parts.username is not None or parts.password is not None:
        raise ConfigError(f"the {what}'s URL holds a user or password, which a provider would see: give a signed URL")
    if not parts.netloc or any(char.isspace() or not char.isprintable() for char in url):
        raise ConfigError(f"the {what}'s URL {shown(url)} has no host, or a blank in it: quote or correct it")


def size_of(count: int) -> str:
    """Bytes as people say them.

    >>> size_of(16), size_of(12_345), size_of(25_000_000)
    ('16 B', '12.3 kB', '25 MB')
    """
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:.1f}".removesuffix(".0") + f" {unit}"
    return f"{count} B"


def read_data_url(url: str, *, most: int | None = None) -> tuple[bytes, str | None]:
    """The bytes of a data URL and the media type that it tells, None where it tells none.

    >>> read_data_url("data:text/plain;base64,SGk=")
    (b'Hi', 'text/plain')

    Raises:
        ConfigError: no data URL, broken base64, or more than `most` bytes.
    """
    head, comma, body = url.partition(",")
    if not comma or head[:5].lower() != "data:":
        raise ConfigError(f"the data URL {shown(url)} has no comma: write data:<type>;base64,<data>")
    told, *options = (part.strip().lower() for part in head[5:].split(";"))
    if most is not None and len(body) > 4 * most + 100:  # before it is unpacked: escapes triple, base64 adds a third
        raise ConfigError(f"the data URL is larger than {size_of(most)}: shrink it, or raise most=")
    try:
        data = unquote_to_bytes(body) if "%" in body or "base64" not in options else body.encode("ascii")
        if "base64" in options:
            data = base64.b64decode(b"".join(data.split()), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ConfigError(f"the data URL {shown(url)} is no valid base64: encode the bytes again") from None
    return data, (ALIASES.get(told, told) if "/" in told else None)


def _remote(url: str, what: Kind) -> File:
    check_url(url, what)
    path = urlsplit(url).path
    return File(name=os.path.basename(path) or what, media_type=guess(path) or UNKNOWN, url=url)


def _file(data: bytes, name: str, told: str | None, what: Kind, most: int) -> File:
    """The checked `File`; bytes that are no `what` are refused where their type is known."""
    called = f" {name!r:.80}" if name else ""
    if not data:
        raise ConfigError(f"the {what}{called} is empty: there is nothing to send")
    _check_size(len(data), what, called, most)
    media_type = sniff(data) or (told if told != UNKNOWN else None) or guess(name) or UNKNOWN
    fits = media_type.startswith(f"{what}/") or (what == "audio" and media_type in ALSO_AUDIO)
    if what != "file" and media_type != UNKNOWN and not fits:
        raise ConfigError(f"the {what}{called} is {media_type}, not {what}: give another file")
    if what == "audio" and media_type == UNKNOWN:
        raise ConfigError(
            f"the audio{called} is of no known format: give wav, mp3, flac, ogg, m4a or webm, or a name that tells"
        )
    name = name.encode("utf-8", "replace").decode()  # a name that is no UTF-8 on disk still goes into JSON
    return File(name=name or f"{what}.{extension_of(media_type)}", media_type=media_type, data=data)


def _check_size(size: int, what: str, called: str, most: int) -> None:
    if size > most:
        raise ConfigError(f"the {what}{called} is larger than {size_of(most)}: shrink or split it, or raise most=")


def _read_path(path: str, what: str, most: int) -> bytes:
    try:
        found = os.stat(path)
        if stat.S_ISDIR(found.st_mode):
            raise ConfigError(f"the {what} {path!r:.80} is a directory: give a file in it")
        if not stat.S_ISREG(found.st_mode):  # a pipe or a device could block for ever, or never end
            raise ConfigError(f"the {what} {path!r:.80} is no regular file: read it yourself and give the bytes")
        _check_size(found.st_size, what, f" {path!r:.80}", most)
        with open(path, "rb") as file:
            return file.read(most + 1)
    except FileNotFoundError:
        raise ConfigError(f"the {what} {path!r:.80} does not exist: check the path and the working directory") from None
    except PermissionError:
        raise ConfigError(f"the {what} {path!r:.80} may not be read: check its permissions") from None
    except (OSError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        why = getattr(error, "strerror", None) or error
        raise ConfigError(f"the {what} {path!r:.80} cannot be read ({why}): give a path, bytes or a URL") from None


def _read_open(file: Any, what: str, most: int) -> bytes:
    """At most `most` + 1 bytes from an open file's position."""
    pieces: list[bytes] = []
    left = most + 1
    while left > 0:
        try:
            piece = file.read(left)
        except (OSError, ValueError, TypeError) as error:
            raise ConfigError(f"the {what} {file!r:.80} cannot be read ({error}): open it with mode 'rb'") from None
        if isinstance(piece, str):
            raise ConfigError(f"the {what} {file!r:.80} is open as text: open it with mode 'rb'")
        if not isinstance(piece, (bytes, bytearray, memoryview)):
            getattr(piece, "close", lambda: None)()  # an unawaited coroutine would warn
            raise ConfigError(
                f"the {what}'s read() gave a {type(piece).__name__}, not bytes: read it and give the bytes"
            )
        if not piece:
            break
        pieces.append(bytes(piece))
        left -= len(pieces[-1])
    return b"".join(pieces)


def fetch(url: str, *, most: int = LIMITS["video"], timeout: float = 60.0) -> bytes:
    """Downloads a file over http(s): at most `most` bytes, within `timeout` seconds, following no redirect.

    Raises:
        ConfigError: a URL that is not http(s), more than `most` bytes, or MAGMA_ALLOW_REQUESTS=0.
        ModelError: no connection, no answer in time, a redirect, or an HTTP error; the texts hold no query string.
    """
    import httpx

    check_url(url, schemes=("http", "https"))
    if os.environ.get("MAGMA_ALLOW_REQUESTS", "1").strip().lower() in ("0", "false", "no", "off"):
        raise ConfigError(f"MAGMA_ALLOW_REQUESTS=0 forbids fetching {shown(url)}; allow requests, or give the bytes")
    deadline, pieces, size = time.monotonic() + timeout, [], 0
    headers = {"Accept-Encoding": "identity"}
    try:
        with httpx.stream("GET", url, timeout=timeout, follow_redirects=False, headers=headers) as response:
            _check_status(url, response.status_code, response.headers.get("location"))
            promised = response.headers.get("content-length", "")
            if promised.isdigit() and int(promised) > most:
                raise ConfigError(f"{shown(url)} is larger than {size_of(most)}: raise most=")
            for piece in response.iter_bytes():
                size += len(piece)
                if size > most:
                    raise ConfigError(f"{shown(url)} is larger than {size_of(most)}: raise most=")
                if time.monotonic() > deadline:
                    raise errors.TimeoutError(f"{shown(url)} was not there after {timeout:g} s: raise timeout=")
                pieces.append(piece)
    except httpx.TimeoutException:
        raise errors.TimeoutError(f"{shown(url)} was not there after {timeout:g} s: raise timeout=") from None
    except httpx.InvalidURL:
        raise ConfigError(f"the URL {shown(url)} cannot be read: check its host and port") from None
    except (httpx.HTTPError, OSError) as error:
        if isinstance(error, errors.ModelError):
            raise
        why = type(error).__name__
        raise errors.ConnectionError(f"{shown(url)} cannot be fetched ({why}): check host and network") from None
    return b"".join(pieces)


def _check_status(url: str, status: int, location: str | None) -> None:
    """Raises what an HTTP status other than a plain success means."""
    if 300 <= status < 400:
        target = shown(location) if location else "nowhere"
        text = f"{shown(url)} redirects to {target}, which is not followed: fetch that URL if you trust it"
        raise errors.ConnectionError(text, status_code=status, retryable=False)
    if status >= 400:
        kinds: dict[int, type[errors.ModelError]] = {
            401: errors.AuthenticationError,
            403: errors.PermissionDeniedError,
            404: errors.NotFoundError,
            408: errors.TimeoutError,
            429: errors.RateLimitError,
            504: errors.TimeoutError,
        }
        kind = kinds.get(status, errors.ServerError if status >= 500 else errors.BadRequestError)
        raise kind(f"{shown(url)} answered {status}: links to made files expire, ask for a new one", status_code=status)


def shown(url: str | None) -> str:
    """A URL for a message: no query (it may hold a signature), no password, short.

    >>> shown("https://me:pw@example.com/a.png?sig=secret")
    'https://example.com/a.png'
    """
    shown = re.sub(r"://[^/@]*@", "://", re.split(r"[?#]", url or "", maxsplit=1)[0])
    return shown if len(shown) <= 80 else f"{shown[:79]}…"
