"""Cassettes: real HTTP traffic, recorded once and replayed without a network, a key or the server.

Built on vcrpy, which takes the place of aiohttp's and httpx's (and urllib3's and http.client's) sending, so it holds for
every thread of the process. What is kept is what a reader needs and a stranger may see: of the headers only those that
`KEPT` names, no key, no port of a loopback server; bodies are shown as YAML, of uploads only
name, size and digest.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .._call.hooks import register_hook
from ..errors import MissingExtraError, is_secret_name
from .redaction import as_bytes, clean_body, clean_uri, decoded, formed
from .scripted import environment

try:
    from vcr import matchers
    from vcr.cassette import Cassette
    from vcr.errors import UnhandledHTTPRequestError
    from vcr.filters import decode_response
    from vcr.persisters.filesystem import CassetteNotFoundError
    from vcr.record_mode import RecordMode
    from vcr.request import Request
except ImportError:
    raise MissingExtraError("vcrpy", extra="testing") from None

import yaml  # type: ignore[import-untyped]  # comes with vcrpy

if TYPE_CHECKING:
    from .._call.request import Request as Asked

KEPT = frozenset(
    ("accept", "anthropic-beta", "anthropic-version", "content-encoding", "content-type", "openai-beta", "retry-after")
)
"""The headers that are recorded; every other one may hold a key, an id, a date or the recording machine's ways."""
_MODES = {"none": RecordMode.NONE, "once": RecordMode.ONCE, "new": RecordMode.NEW_EPISODES, "all": RecordMode.ALL}


class CassetteMissing(FileNotFoundError):
    """There is no such cassette, and it may not be recorded."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"there is no cassette {_shown(path)}")


class UnrecordedRequest(AssertionError):
    """Something was asked for that the cassette does not hold."""


@contextlib.contextmanager
def cassette(path: str | Path, *, record: Literal["none", "once", "new", "all"] = "none") -> Iterator[Tape]:
    """All HTTP traffic of this process out of (or into) a file, while the `with` block runs.

    An answer is found by method, URL and body (as JSON, so the order of keys does not matter) and played once for each
    time it was recorded. Of a server on loopback neither name nor port count. Without a key a placeholder is sent.

    Args:
        path: the YAML file.
        record: "none" replays only; "once" records where there is no file; "new" records what the file does not hold;
            "all" records everything anew.

    Raises:
        CassetteMissing: `record="none"`, and there is no file.
        UnrecordedRequest: at the end of the block, if something was asked for that is not there. The call itself
            raises `NotFoundError`; nothing is sent.
    """
    path = Path(path)
    if record == "none" and not path.exists():
        raise CassetteMissing(path)
    using = Tape.use(path=path, record_mode=_MODES[record])
    with environment("MAGMA_ALLOW_REQUESTS", "1"), using as tape:
        placeholder = register_hook("before_call", _with_key) if tape.write_protected else contextlib.nullcontext()
        with placeholder:
            yield tape
    if tape.missed:
        raise UnrecordedRequest("\n".join(tape.missed))


def _with_key(request: Asked) -> Asked | None:
    """A placeholder where the environment has no key; Vertex would take one for another way to sign in."""
    if request.api_key is not None or request.provider == "vertex_ai":
        return None
    return request.with_(api_key="replayed")


class Tape(Cassette):  # type: ignore[misc]
    """A cassette in use. `requests` and `responses` are what it holds, `play_count` says how many were played."""

    def __init__(self, path: Path, record_mode: RecordMode) -> None:
        kinds = (
            matchers.method,
            matchers.scheme,
            matchers.host,
            matchers.port,
            matchers.path,
            matchers.query,
            same_body,
        )
        super().__init__(
            str(path),
            persister=_File,
            record_mode=record_mode,
            match_on=kinds,
            before_record_request=self._clean_request,
            before_record_response=self._clean_response,
        )
        self.missed: list[str] = []
        """What was asked for but is not there."""
        self._secrets: set[str] = set()

    def _load(self) -> None:
        if self.record_mode != RecordMode.ALL:  # vcrpy would keep what is not asked for any more
            super()._load()

    def can_play_response_for(self, request: Request) -> bool:
        """Always, where nothing may be recorded: a miss gets an answer too, so that nobody tries again."""
        return self.write_protected or bool(super().can_play_response_for(request))

    def play_response(self, request: Request) -> dict[str, Any]:
        """The recorded answer, each one once; a 404 that says what is missing where there is none."""
        try:
            return super().play_response(request)  # type: ignore[no-any-return]
        except UnhandledHTTPRequestError:
            text = (
                f"{_shown(self._path)} holds no (further) answer to {request.method} {self._clean_request(request).uri}"
            )
            nearest = self.find_requests_with_most_matches(request)[:1]
            text += "".join(f"; of the nearest: {why}" for _, _, fails in nearest for _, why in fails)
            self.missed.append(text)
            body = json.dumps({"error": {"message": text, "type": "magma_cassette"}}).encode()
            headers = {"content-type": ["application/json"]}
            return {"status": {"code": 404, "message": "Not Found"}, "headers": headers, "body": {"string": body}}

    def _clean_request(self, request: Request) -> Request:
        """A copy without secrets; also applied to what is asked for, so that both sides of a match look the same."""
        self._secrets.update(
            str(value).rpartition(" ")[2] for name, value in request.headers.items() if is_secret_name(name)
        )
        headers = {name.lower(): str(value) for name, value in request.headers.items() if name.lower() in KEPT}
        body, boundary = as_bytes(request.body), re.search(r'boundary="?([^";]+)', headers.get("content-type", ""))
        if boundary:
            headers["content-type"] = "multipart/form-data"
            body = formed(body or b"", boundary[1])
        return Request(request.method, clean_uri(request.uri), clean_body(body, named=True), headers)

    def _clean_response(self, response: dict[str, Any]) -> dict[str, Any]:
        response = decode_response(copy.deepcopy(response))
        headers = {name.lower(): values for name, values in response["headers"].items()}
        response["headers"] = {name: values for name, values in sorted(headers.items()) if name in KEPT}
        kind = "".join(response["headers"].get("content-type", ()))
        if not kind.startswith(("audio/", "image/", "video/", "application/octet-stream")):
            secrets = [secret for secret in self._secrets if len(secret) >= 8]  # a shorter one is a word like "test"
            response["body"] = {"string": clean_body(response["body"].get("string"), *secrets)}
        return response


def same_body(asked: Request, recorded: Request) -> None:
    """A matcher of vcrpy: equal as JSON, or byte by byte. An AssertionError says what differs."""
    bodies: list[Any] = [asked.body, recorded.body]
    one, other = map(decoded, bodies)
    if one == other or asked.body == recorded.body:
        return
    if not isinstance(one, dict) or not isinstance(other, dict):
        raise AssertionError(f"the body is {one!r:.200}, not {other!r:.200}")
    differing = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    raise AssertionError(
        ", ".join(f"{name} is {one.get(name)!r:.200}, not {other.get(name)!r:.200}" for name in differing)
    )


def _shown(path: str | Path) -> str:
    """The path as short as it can be told."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return os.fspath(path)


# The file.


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Texts of several lines are written as such."""


def _write_text(dumper: Any, text: str) -> Any:
    plain = "\n" in text and not re.search(r"[\r\t\x85\u2028\u2029]| \n", text)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if plain else None)


_Dumper.add_representer(str, _write_text)


def _dump(data: Any) -> str:
    return str(yaml.dump(data, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=120))


class _File:
    """Where vcrpy keeps a cassette: its own layout, with JSON bodies as YAML below `json`."""

    @staticmethod
    def load_cassette(path: str, serializer: Any) -> tuple[list[Request], list[dict[str, Any]]]:
        del serializer
        if not os.path.exists(path):
            raise CassetteNotFoundError
        data = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        requests, responses = [], []
        for interaction in data["interactions"]:
            asked, answer = interaction["request"], interaction["response"]
            headers = {name: values[0] for name, values in asked["headers"].items()}
            requests.append(Request(asked["method"], asked["uri"], _unwrapped(asked["body"]), headers))
            responses.append({**answer, "body": {"string": _unwrapped(answer["body"]) or b""}})
        return requests, responses

    @staticmethod
    def save_cassette(path: str, cassette_dict: Mapping[str, Any], serializer: Any) -> None:
        del serializer
        interactions = []
        for request, response in zip(cassette_dict["requests"], cassette_dict["responses"], strict=True):
            headers = {name: [request.headers[name]] for name in sorted(request.headers)}
            asked = {"method": request.method, "uri": request.uri, "headers": headers, "body": _wrapped(request.body)}
            answer = {**response, "body": _wrapped(response["body"]["string"])}
            interactions.append({"request": asked, "response": answer})
        data = {"version": 1, "interactions": interactions}
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(_dump(data), encoding="utf-8")


def _wrapped(body: bytes | None) -> dict[str, Any]:
    """How a body is written: as `{"json": …}` or as text where YAML loses nothing of it, else as it is."""
    value = decoded(body)
    forms: list[dict[str, Any]] = [{"json": value}] if isinstance(value, (dict, list)) else []
    with contextlib.suppress(UnicodeDecodeError):
        forms += [{"string": body.decode()}] if body is not None else []
    return next((form for form in forms if _survives(form)), {"string": body})


def _survives(form: dict[str, Any]) -> bool:
    try:
        return _unwrapped(yaml.load(_dump(form).encode(), Loader=yaml.SafeLoader)) == _unwrapped(form)
    except (yaml.YAMLError, ValueError):
        return False


def _unwrapped(body: Mapping[str, Any]) -> bytes | None:
    if "json" in body:
        return json.dumps(body["json"]).encode()
    string = body["string"]
    return string.encode() if isinstance(string, str) else string
