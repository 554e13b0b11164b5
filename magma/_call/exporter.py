"""The LangFuse client that takes the spans of `trace.py`: the host's own where it has made one, else ours.

Ours is isolated: it is not the process's OpenTelemetry provider, not in LangFuse's registry, what it complains
about is one warning of magma's, and the end of the interpreter waits for it only shortly.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from typing import Any

from ..errors import MissingExtraError, redact

EXIT_SECONDS = 2.0
"""How long the end of the interpreter waits for LangFuse to take the last spans."""
_NOISY = ("langfuse", "opentelemetry.exporter.otlp.proto.http.trace_exporter", "opentelemetry.sdk._shared_internal")

_log = logging.getLogger("magma")
_lock = threading.Lock()
_client: Client | None = None
_complained = False
ours: set[int] = set()
"""Threads that work for our client: what they log is told once, as ours."""


class Client:
    """LangFuse for these keys: the host's own client where it has made one, else ours; None where there can be none."""

    def __init__(self, config: tuple[str, str, str]) -> None:
        self.config = config
        self.langfuse: Any = None
        self.is_ours = False
        self._ending, self._ended = threading.Event(), threading.Event()
        try:
            self.langfuse, self.is_ours = _langfuse(*config)
        except ImportError as error:
            missing = (error.name or "").partition(".")[0] == "langfuse"
            complain(str(MissingExtraError("langfuse", extra="langfuse") if missing else error))
        except Exception as error:  # a setting that LangFuse cannot read
            complain(f"{type(error).__name__}: {error}")
        if self.is_ours:
            threading.Thread(target=self._wait_to_end, name="magma-langfuse", daemon=True).start()
            atexit.unregister(_leave)
            atexit.register(_leave)  # so that it runs before LangFuse's own, which waits for as long as the host hangs

    def end(self, wait: float = 0) -> None:
        """Has the last spans sent, by a thread that is there already: at exit none can be started."""
        if self.is_ours:
            self._ending.set()
            self._ended.wait(wait)

    def _wait_to_end(self) -> None:
        self._ending.wait()
        ours.add(threading.get_ident())
        self.langfuse.shutdown()
        self._ended.set()


def current() -> Client | None:
    """The client of what the environment says now."""
    global _client, _complained
    get = os.environ.get
    public, secret = get("LANGFUSE_PUBLIC_KEY"), get("LANGFUSE_SECRET_KEY")
    if not public or not secret:
        return None
    config = (public, secret, get("LANGFUSE_BASE_URL") or get("LANGFUSE_HOST") or "https://cloud.langfuse.com")
    if _client is None or _client.config != config:
        with _lock:
            if _client is None or _client.config != config:
                if _client is not None:
                    _client.end()
                _complained = False
                _client = Client(config)
    return _client


def _langfuse(public_key: str, secret_key: str, base_url: str) -> tuple[Any, bool]:
    """A client, and whether it was made here."""
    httpx = logging.getLogger("httpx")
    level, handlers = httpx.level, list(httpx.handlers)
    is_first = "langfuse" not in sys.modules
    from langfuse import get_client
    from langfuse._client.resource_manager import LangfuseResourceManager as Managers

    if is_first:  # importing LangFuse changes how httpx logs
        httpx.setLevel(level)
        httpx.handlers[:] = handlers
    with Managers._lock:
        if public_key in Managers._instances:
            return get_client(public_key=public_key), False
        others = set(threading.enumerate())
        client = make(public_key=public_key, secret_key=secret_key, base_url=base_url, tracer_provider=_provider())
        Managers._instances.pop(public_key, None)  # a client that the host makes later has its own mask and settings
    ours.update(thread.ident or 0 for thread in set(threading.enumerate()) - others)
    for name in _NOISY:
        logging.getLogger(name).addFilter(_is_not_ours)
    return client, True


def make(**settings: Any) -> Any:
    """Makes LangFuse's client; tests put one with `span_exporter=` in its place."""
    from langfuse import Langfuse

    return Langfuse(**settings)


class Guest:
    """The host's provider, whose end does not wait for LangFuse: `Client.end` does, and not for ever."""

    def __init__(self, host: Any) -> None:
        self._host = host

    def __getattr__(self, name: str) -> Any:
        return getattr(self._host, name)

    def add_span_processor(self, processor: Any) -> None:
        """Adds LangFuse's to the host's."""
        processor.shutdown = bool
        self._host.add_span_processor(processor)


def _provider() -> Any:
    """The OpenTelemetry provider that the host has set, else one for LangFuse alone."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

    host = trace.get_tracer_provider()
    if isinstance(host, TracerProvider):
        return Guest(host)
    rate = float(os.environ.get("LANGFUSE_SAMPLE_RATE") or 1)
    return TracerProvider(shutdown_on_exit=False, sampler=TraceIdRatioBased(rate) if rate < 1 else None)


def _is_not_ours(record: logging.LogRecord) -> bool:
    """Logging filter: what goes wrong with our client is one warning of ours; a dead LangFuse has no other news."""
    if record.levelno < logging.WARNING or threading.get_ident() not in ours:
        return True
    complain(record.getMessage())
    return False


def complain(text: str) -> None:
    """Tells of LangFuse's first failure, once per configuration."""
    global _complained
    if not _complained:
        _complained = True
        _log.warning("LangFuse tracing: %s", redact(text))


def _leave() -> None:
    if _client is not None:
        _client.end(EXIT_SECONDS)


def _enter_child() -> None:
    """After a fork: the parent's connection, calls under way, and locks that its threads hold are not the child's."""
    global _lock, _client
    _lock, _client = threading.Lock(), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_enter_child)
