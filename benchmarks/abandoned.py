"""1 000 streams left after three of their deltas, half by `break` and `del`, half by `close()`: no hang, no socket."""

from __future__ import annotations

import gc
import time

from ._measure import Figure, Run, expect, sockets
from ._server import TEXT
from ._work import Worker, WorkError

TAKEN = 3


def leave(url: str, count: int) -> dict[str, float]:
    """Leaves `count` streams and counts connections before and after."""
    from magma import Model

    model, plain = (Model("openai/gpt-4o", api_base=f"{url}/{place}/v1") for place in ("drip-5000", "v1"))
    expect(plain("Say hi!").content, TEXT)
    before, slowest, most = sockets(url), 0.0, 0
    for number in range(count):
        began = time.perf_counter()
        stream = model("Count!", stream=True)
        for index, delta in enumerate(stream, 1):
            expect(delta.content, f"word{index - 1:04d} ")
            if index == TAKEN:
                break
        if number % 2:
            stream.close()
        del stream
        slowest = max(slowest, time.perf_counter() - began)
        most = max(most, sockets(url)) if number % 50 == 0 else most
    gc.collect()
    time.sleep(0.5)
    expect(plain("Say hi!").content, TEXT)
    return {"extra": sockets(url) - before, "slowest": slowest, "most": most - before}


def measure(run: Run) -> list[Figure]:
    """A worker that hangs is killed and reported."""
    count, before = run.some(1_000, 100), run.server.stats()["open"]
    with Worker() as worker:
        try:
            found = worker.do(leave, url=run.url, count=count)
        except WorkError as error:
            return [Figure("abandoned, hangs", 1, "", 0, wrong=str(error))]
        time.sleep(0.2)
        at_server = run.server.stats()["open"] - before
    wrong = f"{found['extra']} sockets leaked" if found["extra"] > 2 else ""
    note = f"meanwhile at most {found['most']:.0f}; {at_server} still open at the server"
    return [
        Figure("abandoned, hangs", 0, "", 0, note=f"of {count}; the slowest took {found['slowest'] * 1e3:.0f} ms"),
        Figure("abandoned, extra sockets", found["extra"], "", 2, note=note, wrong=wrong),
    ]
