"""What of the traffic in a cassette may be seen: no key, no loopback server's port; what is large only as its digest."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from ..errors import is_secret_name, redact

HIDDEN = "[redacted]"
LONG = 400  # characters: longer than any key; without a space it is data (base64), in which nothing must be replaced
HUGE = 10_000  # characters of data in a request: as much as a reader could want to see of it


def clean_uri(uri: str) -> str:
    """Without user, key, and the name and port of a loopback server.

    >>> clean_uri("http://127.0.0.1:8080/v1beta/models/x?alt=sse&key=secret")
    'http://localhost/v1beta/models/x?alt=sse'
    """
    parts = urlsplit(uri)
    place = "localhost" if _is_loopback(parts.hostname or "") else parts.netloc.rpartition("@")[2]
    query = [
        (name, value) for name, value in parse_qsl(parts.query, True) if name != "key" and not is_secret_name(name)
    ]
    return parts._replace(netloc=place, query=urlencode(query)).geturl()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def as_bytes(body: Any) -> bytes | None:
    """A request's body, however its client holds it."""
    if body is None or isinstance(body, (bytes, str)):
        return body.encode() if isinstance(body, str) else body
    if isinstance(body, (dict, list)):
        return json.dumps(body).encode()
    return b"".join(piece if isinstance(piece, bytes) else str(piece).encode() for piece in body)


def clean_body(body: bytes | None, *secrets: str, named: bool = False) -> bytes | None:
    """The body, or the data of each of its events, without secrets. `named`: nor what a key calls one."""
    try:
        text = body.decode() if body else ""
    except UnicodeDecodeError:
        return body
    if not body or isinstance(decoded(body), (dict, list)):
        return _clean_json(text, secrets, named).encode() if body else body
    lines = [re.match(r"(data:)?(.*)", line, re.DOTALL) for line in text.split("\n")]
    clean = ((line[1] or "") + _clean_json(line[2], secrets, named) for line in lines if line)
    return "\n".join(clean).encode()


def _clean_json(text: str, secrets: tuple[str, ...], named: bool) -> str:
    try:
        value = json.loads(text)
    except ValueError:
        return str(_clean(text, secrets, named))
    clean = _clean(value, secrets, named)
    return text if clean == value else json.dumps(clean)


def _clean(value: Any, secrets: tuple[str, ...], named: bool) -> Any:
    if isinstance(value, dict):
        hidden = {name for name in value if named and is_secret_name(name) and isinstance(value[name], str)}
        return {name: HIDDEN if name in hidden else _clean(item, secrets, named) for name, item in value.items()}
    if isinstance(value, list):
        return [_clean(item, secrets, named) for item in value]
    if isinstance(value, str) and len(value) > LONG and " " not in value[:LONG]:
        digest = hashlib.sha256(value.encode()).hexdigest()
        return f"{value[:40]}… ({len(value)} characters, sha256 {digest})" if named and len(value) > HUGE else value
    if not isinstance(value, str):
        return value
    return redact(value, *secrets)


def decoded(body: bytes | None) -> Any:
    """The value of a JSON body; any other body as it is."""
    try:
        return json.loads(body or b"")
    except ValueError:
        return body


def formed(body: bytes, boundary: str) -> bytes:
    """A multipart body as JSON, whatever its boundary: its fields by name, its files as name, type, size and digest.

    >>> formed(b'--x\\r\\nContent-Disposition: form-data; name="model"\\r\\n\\r\\nwhisper-1\\r\\n--x--\\r\\n', "x")
    b'{"model": "whisper-1"}'
    """
    form: dict[str, Any] = {}
    for part in body.split(b"--" + boundary.encode())[1:-1]:
        head, _, data = part.partition(b"\r\n\r\n")
        told = dict(re.findall(r'\b(name|filename)="([^"]*)"', head.decode("utf-8", "replace")))
        name, value = told.get("name", ""), _part(head, data.removesuffix(b"\r\n"), told.get("filename"))
        form[name] = [*(form[name] if isinstance(form[name], list) else [form[name]]), value] if name in form else value
    return json.dumps(form).encode()


def _part(head: bytes, data: bytes, filename: str | None) -> Any:
    kind = re.search(rb"(?i)content-type: *([^\r\n]+)", head)
    if filename is None and kind is None:
        return data.decode("utf-8", "replace")
    digest = hashlib.sha256(data).hexdigest()
    return {"filename": filename, "type": kind and kind[1].decode("latin-1"), "bytes": len(data), "sha256": digest}
