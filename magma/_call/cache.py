"""A bounded store of answers, in memory or in one sqlite file that processes share.

Holds `Answer`s as JSON under the fingerprint of their request: every hit is read anew, so nobody can
change what the next one gets. A file that cannot be used (locked, read-only, full) makes misses, not
errors; one that is not a cache is a `ConfigError` at construction.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections import OrderedDict
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError

if TYPE_CHECKING:
    import sqlite3
    from typing import TypeAlias

    from ..errors import ModelError
    from .answer import Answer

    Flight: TypeAlias = Future[Answer | ModelError | None]

_log = logging.getLogger("magma")
_PATIENCE = 0.25  # seconds to wait for a locked file before it counts as a miss
_TOUCH = "UPDATE answers SET used = (SELECT coalesce(max(used), 0) + 1 FROM answers) WHERE key = ?"
_STORE = "INSERT OR REPLACE INTO answers VALUES (?, ?, (SELECT coalesce(max(used), 0) + 1 FROM answers))"
_MARK = 0x6D61676D  # "magm": sqlite's application_id of our files


class Cache:
    """Keeps the answers of `Model(..., cache=Cache())`; the least recently used goes first.

    Args:
        path: an sqlite file, made when it is not there; None keeps the answers in this process's memory.
            Identical calls in flight in one process become one request (streams do not wait for each other).
        size: how many answers are kept.

    >>> Cache(size=128)
    <Cache 0/128, 0 hits>

    Raises:
        ConfigError: a size below 1, or a file that is something else than a cache.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, *, size: int = 128) -> None:
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ConfigError(f"cache size must be a whole number above 0, not {size!r}")
        if path is not None and (not isinstance(path, (str, os.PathLike)) or not os.fspath(path)):
            raise ConfigError(f"cache path must be a file name, not {path!r}")
        self.path = None if path is None else os.fspath(path)
        if isinstance(self.path, bytes) or "\0" in (self.path or "") or not _is_text(self.path or ""):
            raise ConfigError(f"cache path must be a text that a file name can be, not {self.path!r:.80}")
        self.size = size
        self.hits = self.misses = 0
        self._lock = threading.Lock()
        self._flights: dict[str, Flight] = {}
        self._memory: OrderedDict[str, bytes] = OrderedDict()
        self._file = None if self.path is None else _File(self.path, size)
        _all[id(self)] = self

    def get(self, key: str) -> Answer | None:
        """The answer under this key, or None."""
        found = self._file.get(key) if self._file else None
        with self._lock:
            if self._file is None and key in self._memory:
                self._memory.move_to_end(key)
                found = self._memory[key]
            if found is None:
                self.misses += 1
            else:
                self.hits += 1
        return None if found is None else _decode(found)

    def put(self, key: str, answer: Answer) -> None:
        """Keeps the answer; drops the least recently used one where there are too many."""
        import msgspec

        data = msgspec.json.encode(answer, enc_hook=repr)
        if self._file:
            self._file.put(key, data)
            return
        with self._lock:
            self._memory[key] = data
            self._memory.move_to_end(key)
            while len(self._memory) > self.size:
                self._memory.popitem(last=False)

    def lead_or_join(self, key: str) -> tuple[bool, Flight]:
        """(True, flight) for the first of identical calls in flight, (False, its flight) for the others."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None:
                return False, flight
            flight = self._flights[key] = Future()
            return True, flight

    def land(self, key: str, flight: Flight, outcome: Answer | ModelError | None) -> None:
        """The leader's call ended, for all who joined: well, with an error, or cancelled (then one of them leads)."""
        with self._lock:
            if self._flights.get(key) is flight:
                del self._flights[key]
        if not flight.done():
            flight.set_result(outcome)

    def cache_info(self) -> dict[str, int]:
        """Hits, misses, the bound and the number of answers kept.

        >>> Cache(size=8).cache_info()
        {'hits': 0, 'misses': 0, 'maxsize': 8, 'currsize': 0}
        """
        return {"hits": self.hits, "misses": self.misses, "maxsize": self.size, "currsize": len(self)}

    def cache_clear(self) -> None:
        """Forgets all answers and counts."""
        with self._lock:
            self._memory.clear()
            self.hits = self.misses = 0
        if self._file:
            self._file.clear()

    def __len__(self) -> int:
        return self._file.count() if self._file else len(self._memory)

    def __bool__(self) -> bool:
        return self.hits + self.misses > 0  # as seed 001 asks `if model._response_cache:` before it divides by them

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cache) and (self.path, self.size) == (other.path, other.size)

    def __hash__(self) -> int:
        return hash((self.path, self.size))

    def __copy__(self) -> Cache:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Cache:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _cache, (self.path, self.size)

    def __repr__(self) -> str:
        where = f" {self.path}" if self.path else ""
        return f"<Cache{where} {len(self)}/{self.size}, {self.hits} hit{'' if self.hits == 1 else 's'}>"


_all: weakref.WeakValueDictionary[int, Cache] = weakref.WeakValueDictionary()


def _enter_child() -> None:
    """After a fork: another thread may have held a lock, and its flights never land here."""
    for cache in tuple(_all.values()):
        cache._lock, cache._flights = threading.Lock(), {}


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_enter_child)


def _is_text(path: str) -> bool:
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return True


def _cache(path: str | None, size: int) -> Cache:
    return Cache(path, size=size)


def _decode(data: bytes) -> Answer | None:
    import msgspec

    from .answer import Answer

    try:
        return msgspec.json.decode(data, type=Answer)
    except msgspec.DecodeError:  # written by another version
        return None


class _File:
    """The sqlite side: one connection a thread and process."""

    def __init__(self, path: str, size: int) -> None:
        self.path, self.size = path, size
        self._local = threading.local()
        self._touched: dict[str, None] = {}
        self._complained = False
        self._check()

    def _check(self) -> None:
        """Raises ConfigError for a file that cannot be a cache; makes none, that is left to the first answer."""
        folder = os.path.dirname(os.path.abspath(self.path))
        if os.path.exists(self.path):
            self._open()
        elif not os.path.isdir(folder) or not os.access(folder, os.W_OK):
            raise ConfigError(
                f"the cache file {self.path} cannot be made: {folder} is no folder that can be written to"
            )

    def _open(self) -> sqlite3.Connection:
        import sqlite3

        if getattr(self._local, "pid", None) == os.getpid():
            return self._local.connection  # type: ignore[no-any-return]
        connection: Any = None
        try:
            connection = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
            mark = connection.execute("PRAGMA application_id").fetchone()[0]
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if tables and mark != _MARK:
                raise ConfigError(f"{self.path} is another program's sqlite file; give the cache a path of its own")
            if not tables:
                _create(connection)
            connection.execute("PRAGMA synchronous = NORMAL")  # a power cut may cost the last answers, not the file
        except sqlite3.DatabaseError as error:
            if connection is not None and "locked" in str(error):
                return connection  # type: ignore[no-any-return] # in use right now: each access tries again
            raise ConfigError(
                f"the cache file {self.path} cannot be used: {error}; give another path or delete it"
            ) from None
        self._local.connection, self._local.pid = connection, os.getpid()
        return connection  # type: ignore[no-any-return]

    def _run(self, sql: str, *values: Any) -> list[Any]:
        """The rows; none where the file cannot be used right now, as a cache must never fail a call."""
        import sqlite3

        try:
            return self._open().execute(sql, values).fetchall()
        except (sqlite3.Error, ConfigError, OSError, ValueError) as error:
            if not self._complained:
                self._complained = True
                _log.warning("the cache file %s cannot be used right now, calls go on without it: %s", self.path, error)
            return []

    def get(self, key: str) -> bytes | None:
        rows = self._run("SELECT answer FROM answers WHERE key = ?", key)
        if not rows:
            return None
        self._touched[key] = None  # written with the next answer, when the order matters: a hit only reads
        return bytes(rows[0][0])

    def put(self, key: str, data: bytes) -> None:
        touched, self._touched = self._touched, {}
        for used in list(touched):
            self._run(_TOUCH, used)
        self._run(_STORE, key, data)
        self._run(
            "DELETE FROM answers WHERE key IN (SELECT key FROM answers ORDER BY used DESC LIMIT -1 OFFSET ?)", self.size
        )

    def clear(self) -> None:
        self._run("DELETE FROM answers")

    def count(self) -> int:
        rows = self._run("SELECT count(*) FROM answers")
        return int(rows[0][0]) if rows else 0


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA application_id = {_MARK}")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer BLOB NOT NULL, used INTEGER NOT NULL)"
    )
    connection.execute("CREATE INDEX IF NOT EXISTS by_use ON answers (used)")
