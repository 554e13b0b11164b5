"""Processes in which measuring happens: a `Worker` runs functions of benchmark modules, one after the other.

Each side of a comparison has a worker of its own, so neither sees what the other imported, patched or left running,
and its CPU time is its own. `python -m benchmarks._work` is the worker's end: JSON lines in, JSON lines out.
"""

from __future__ import annotations

import faulthandler
import json
import os
import selectors
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from importlib import import_module
from types import TracebackType
from typing import Any, Self

PATIENCE = 150.0  # seconds: whoever works longer hangs
_OURS = ("MAGMA_", "LANGFUSE_", "LITELLM_", "OPENAI_", "OTEL_")
_OFF = {"PYTHONDONTWRITEBYTECODE", "PYTHONSTARTUP", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}


def environment(**more: str) -> dict[str, str]:
    """The same clean environment for both sides: a key, no network, byte-compiled modules."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(_OURS) and name.upper() not in _OFF
    }
    fixed = {"OPENAI_API_KEY": "sk-loopback", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONHASHSEED": "0"}
    return kept | fixed | more


class WorkError(Exception):
    """A worker failed or hung."""


class Server:
    """The loopback server, in its own process."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "benchmarks._server"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment())
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().decode().strip()

    def stats(self, *, reset: bool = False) -> dict[str, int]:
        """Connections and requests as the server sees them."""
        with urllib.request.urlopen(f"{self.url}/{'reset' if reset else 'stats'}", timeout=10) as response:
            stats: dict[str, int] = json.load(response)
        return stats

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _end(self.process)


class Worker:
    """A fresh process that runs functions; started at once, ready at its first answer."""

    def __init__(self, **variables: str) -> None:
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks._work"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env=environment(**variables),
        )

    def do(self, function: Callable[..., Any], **arguments: Any) -> Any:
        """The function's result.

        Raises:
            WorkError: it raised, died, or took more than `PATIENCE`.
        """
        self.send(function, **arguments)
        return self.receive()

    def send(self, function: Callable[..., Any], **arguments: Any) -> None:
        """Starts a function; `receive` waits for it."""
        assert self.process.stdin is not None
        order = {"module": function.__module__, "function": function.__name__, "arguments": arguments}
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()

    def receive(self) -> Any:
        """The result of what was sent."""
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(PATIENCE):
                raise WorkError(f"hangs: no answer in {PATIENCE:.0f} s\n{self.stderr()}")
        line = self.process.stdout.readline()
        if not line:
            raise WorkError(f"died with status {self.process.wait()}\n{self.stderr()}")
        told = json.loads(line)
        if "error" in told:
            raise WorkError(told["error"])
        return told["result"]

    def stderr(self) -> str:
        """What the process wrote to stderr so far."""
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")[-4000:]

    def close(self) -> int:
        """Ends the process; its status."""
        return _end(self.process)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _end(process: subprocess.Popen[bytes]) -> int:
    assert process.stdin is not None
    try:
        process.stdin.close()
        return process.wait(10)
    except (subprocess.TimeoutExpired, BrokenPipeError):
        process.kill()
        return process.wait()


def main() -> None:
    """The worker's end; whatever is printed meanwhile goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    faulthandler.dump_traceback_later(PATIENCE - 10, exit=True)
    for line in sys.stdin:
        order = json.loads(line)
        faulthandler.dump_traceback_later(PATIENCE - 10, exit=True)
        try:
            function = getattr(import_module(order["module"]), order["function"])
            told = {"result": function(**order["arguments"])}
        except Exception as error:
            told = {"error": f"{order['function']}: {type(error).__name__}: {error}"[:2000]}
        print(json.dumps(told), file=answers)
    faulthandler.cancel_dump_traceback_later()


if __name__ == "__main__":
    main()
