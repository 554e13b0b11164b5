"""The script "import, one call, exit", from its start to its end."""

from __future__ import annotations

import resource
import subprocess
import sys
import time

from ._measure import Figure, Run, middle
from ._server import TEXT
from ._work import environment

OURS = "import magma, sys; print(magma.Model('openai/gpt-4o', api_base=sys.argv[1])('Say hi!').content)"
NAIVE = """
import litellm, sys
messages = [{"role": "user", "content": "Say hi!"}]
answer = litellm.completion("openai/gpt-4o", messages, temperature=0, api_base=sys.argv[1])
print(answer.choices[0].message.content)
"""


def _seconds(code: str, url: str) -> tuple[float, float]:
    """Wall and CPU seconds of a fresh interpreter."""
    command = [sys.executable, "-c", code, f"{url}/v1"]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, env=environment(), check=True, capture_output=True, text=True, timeout=60)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if TEXT not in done.stdout or done.stderr:
        raise AssertionError(f"wrong output: {done.stdout!r} {done.stderr!r}"[:2000])
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(run: Run) -> list[Figure]:
    """Fresh processes, interleaved; the first one byte-compiles and is not counted."""
    _seconds(OURS, run.url)
    pairs = [(_seconds(OURS, run.url), _seconds(NAIVE, run.url)) for _ in range(run.some(9, 1))]
    figures = []
    for index, (word, bound) in enumerate((("wall", 0.75), ("CPU", None))):
        value, spread = middle([ours[index] / naive[index] for ours, naive in pairs])
        ours, naive = (middle([pair[side][index] for pair in pairs])[0] for side in (0, 1))
        figures.append(Figure(f"script, {word}", value, "x", bound, spread, f"{ours:.3g} against {naive:.3g} s"))
    return figures
