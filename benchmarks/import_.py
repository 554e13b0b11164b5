"""Importing magma and making a handle: what it must not load, and CPU time beside `import pydantic.dataclasses`."""

from __future__ import annotations

import subprocess
import sys

from ._measure import Figure, Run, middle
from ._work import environment

HEAVY = ("litellm", "langfuse", "openai", "aiohttp", "grpc", "opentelemetry")
OURS = "import magma; magma.Model('openai/gpt-4o')"
FLOOR = "import pydantic.dataclasses"


def _python(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment(), check=True, capture_output=True, text=True, timeout=60).stdout


def _cpu(code: str) -> float:
    """CPU seconds of the statement in a fresh interpreter, its own start not counted."""
    return float(_python(f"import time; began = time.process_time(); {code}; print(time.process_time() - began)"))


def measure(run: Run) -> list[Figure]:
    """Modules first (that also byte-compiles them), then interleaved fresh processes."""
    loaded = _python(f"{OURS}; import sys; print(*[name for name in {HEAVY!r} if name in sys.modules])").split()
    wrong = f"importing magma loads {', '.join(loaded)}" if loaded else ""
    modules = Figure("import, heavy modules loaded", len(loaded), "", 0, wrong=wrong, note=f"of {', '.join(HEAVY)}")
    _cpu(FLOOR)
    pairs = [(_cpu(OURS), _cpu(FLOOR)) for _ in range(run.some(31, 9))]
    value, spread = middle([ours / floor for ours, floor in pairs])
    ours, floor = (middle(list(column))[0] * 1e3 for column in zip(*pairs, strict=True))
    note = f"{ours:.3g} against {floor:.3g} ms"
    return [modules, Figure("import, CPU beside pydantic.dataclasses", value, "x", 1.6, spread, note)]
