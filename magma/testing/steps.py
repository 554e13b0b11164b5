"""What goes over the wire: `Received` (a request as it arrived) and the steps that a reply is made of. No I/O."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypeAlias

Cut: TypeAlias = Literal["close", "fin", "reset", "hang"]


@dataclasses.dataclass(frozen=True, slots=True)
class Received:
    """One request as it arrived."""

    method: str
    path: str
    """Without the query."""
    query: str
    """What followed the `?`, undecoded."""
    headers: dict[str, str]
    """Names in lower case; of a repeated header the last one."""
    body: bytes
    at: float
    """`time.monotonic()` when its last byte had arrived."""
    version: str = "HTTP/1.1"

    def json(self) -> Any:
        """The decoded body; raises `ValueError` if it is not JSON."""
        return json.loads(self.body)

    def form(self) -> dict[str, list[bytes]]:
        """The parts of a multipart body by name, in order; {} for any other body."""
        boundary = re.search(r'boundary="?([^";]+)', self.headers.get("content-type", ""))
        form: dict[str, list[bytes]] = {}
        for part in self.body.split(b"--" + boundary[1].encode())[1:-1] if boundary else ():
            head, _, data = part.partition(b"\r\n\r\n")
            name = re.search(rb'name="([^"]*)"', head)
            form.setdefault(name[1].decode() if name else "", []).append(data.removesuffix(b"\r\n"))
        return form

    @property
    def keep_alive(self) -> bool:
        """Whether the client wants the connection kept."""
        return self.version == "HTTP/1.1" and self.headers.get("connection", "").lower() != "close"


@dataclasses.dataclass(frozen=True, slots=True)
class Wait:
    """Say nothing for so many seconds (0: give the network a turn)."""

    seconds: float


@dataclasses.dataclass(frozen=True, slots=True)
class Ping:
    """Repeat `data` every so many seconds until the client leaves or the server stops."""

    data: bytes
    seconds: float


@dataclasses.dataclass(frozen=True, slots=True)
class Hang:
    """Say nothing until the client leaves or the server stops."""


@dataclasses.dataclass(frozen=True, slots=True)
class Close:
    """FIN now, whatever was promised."""


@dataclasses.dataclass(frozen=True, slots=True)
class Reset:
    """RST now: the client's next read or write fails with ECONNRESET."""


Step: TypeAlias = bytes | Wait | Ping | Hang | Close | Reset
"""Bytes are one write to the socket."""


def chunk(data: bytes) -> bytes:
    """A chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def pinging(ping: Ping) -> Ping:
    """The ping in a chunked body."""
    return dataclasses.replace(ping, data=chunk(ping.data))


def paced(
    frames: list[tuple[bytes, bool]],
    *,
    gap: float,
    first_gap: float,
    ping: float | None,
    cut_after: int | None,
    cut: Cut,
) -> tuple[Step, ...]:
    """The steps of a stream made of (event, whether it carries content)."""
    content = [index for index, (_, carries) in enumerate(frames) if carries]
    end: tuple[Step, ...] = ()
    if cut_after is not None or ping is not None:
        kept = content[:cut_after]
        frames = frames[: kept[-1] + 1 if kept else (content or [len(frames)])[0]]
        end = _CUTS[cut] if ping is None else (Wait(ping), Ping(b": keep-alive\n\n", ping))
    steps: list[Step] = [Wait(first_gap)] if first_gap else []
    for index, (event, _) in enumerate(frames):
        steps += [Wait(gap), event] if gap and index else [event]
    return (*steps, *end)


# The pause lets the client read what came before: some stacks drop unread bytes when the RST arrives.
_CUTS: dict[Cut, tuple[Step, ...]] = {
    "close": (),
    "fin": (Close(),),
    "reset": (Wait(0.1), Reset()),
    "hang": (Hang(),),
}


def dripped(steps: Sequence[Step], seconds: float, part: Literal["body", "headers"]) -> Iterator[Step]:
    """The steps with one part in writes of one byte each."""
    in_head = True
    for step in steps:
        if not isinstance(step, bytes):
            yield step
            continue
        head, blank, rest = step.partition(b"\r\n\r\n") if in_head else (b"", b"", step)
        in_head = in_head and not blank
        for data, slow in ((head + blank, part == "headers"), (rest, part == "body")):
            if data and not slow:
                yield data
            elif data:
                for byte in data:
                    yield bytes((byte,))
                    yield Wait(seconds)
