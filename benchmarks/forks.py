"""200 forks after first use: each child asks something of its own and must get its own answer.

The parent goes on calling meanwhile: between the forks, and for the second half also in a second thread, so that
these forks happen while a request is in flight.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

from ._measure import Figure, Run, expect
from ._work import Worker, WorkError

AT_ONCE = 2
HANGS = 30  # seconds after which a child is killed


class Parent:
    """The parent's own calls."""

    def __init__(self, model: Any) -> None:
        self.model, self.made, self.wrong, self.enough = model, 0, 0, False

    def call(self, name: str) -> None:
        """One call with a text of its own."""
        self.made += 1
        text = f"parent {name} {self.made}"
        self.wrong += self.model(text).content != text

    def go_on(self) -> None:
        """Calls until it is enough."""
        while not self.enough:
            self.call("thread")


def fork(url: str, count: int) -> dict[str, int]:
    """Forks `count` children; how many were right, wrong or killed, and the same of the parent's own calls."""
    from magma import Model

    model = Model("openai/gpt-4o", api_base=f"{url}/echo/v1")
    expect(model("first").content, "first")
    parent, found = Parent(model), {"right": 0, "wrong": 0, "killed": 0}
    thread = threading.Thread(target=parent.go_on)
    running: list[int] = []
    started = 0
    while started < count or running:
        while started < count and len(running) < AT_ONCE:
            running.append(_child(model, f"child {started}"))
            started += 1
        if started > count // 2 and not thread.ident:
            thread.start()
        parent.call("main")
        for pid in list(running):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                running.remove(pid)
                found["right" if status == 0 else "wrong" if os.WIFEXITED(status) else "killed"] += 1
    parent.enough = True
    thread.join()
    return {**found, "parent": parent.made, "parent wrong": parent.wrong}


def _child(model: Any, text: str) -> int:
    pid = os.fork()
    if pid:
        return pid
    signal.alarm(HANGS)
    status = 1
    try:
        status = 0 if model(text).content == text else 2
    finally:
        os._exit(status)


def measure(run: Run) -> list[Figure]:
    """Two children at a time."""
    count = run.some(200, 20)
    with Worker() as worker:
        try:
            found = worker.do(fork, url=run.url, count=count)
        except WorkError as error:
            return [Figure("forks, right children", 0, "", count, least=True, wrong=str(error))]
    bad = found["wrong"] + found["killed"] + found["parent wrong"]
    note = f"of {count}; the parent made {found['parent']} calls meanwhile"
    wrong = str(found) if bad else ""
    return [Figure("forks, right children", found["right"], "", count, least=True, note=note, wrong=wrong)]
