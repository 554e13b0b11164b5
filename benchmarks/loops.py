"""30 times `asyncio.run`: no socket for each loop, nothing on stderr."""

from __future__ import annotations

import asyncio

from ._measure import Figure, Run, expect, sockets
from ._server import TEXT
from ._work import Worker

LOOPS = 30


def loops(url: str) -> int:
    """Connections after the last loop, less those after the first."""
    from magma import Model

    model = Model("openai/gpt-4o", api_base=f"{url}/v1")

    async def main() -> None:
        expect((await model.acall("Say hi!")).content, TEXT)

    asyncio.run(main())
    before = sockets(url)
    for _ in range(LOOPS - 1):
        asyncio.run(main())
    return sockets(url) - before


def naive(url: str) -> int:
    """The same with LiteLLM."""
    import litellm

    async def main() -> None:
        messages = [{"role": "user", "content": "Say hi!"}]
        await litellm.acompletion("openai/gpt-4o", messages, temperature=0, api_base=f"{url}/v1")

    asyncio.run(main())
    before = sockets(url)
    for _ in range(LOOPS - 1):
        asyncio.run(main())
    return sockets(url) - before


def measure(run: Run) -> list[Figure]:
    """The worker's stderr is read after it has exited."""
    with Worker() as ours, Worker() as theirs:
        ours.send(loops, url=run.url)
        theirs.send(naive, url=run.url)
        extra, others = ours.receive(), theirs.receive()
        status, told = ours.close(), ours.stderr()
    wrong = f"{extra} sockets leaked" if extra > 2 else ""
    noise = f"exit status {status}, stderr: {told}" if told or status else ""
    return [
        Figure("loops, extra sockets", extra, "", 2, note=f"LiteLLM {others}", wrong=wrong),
        Figure("loops, lines on stderr", len(told.splitlines()), "", 0, wrong=noise),
    ]
