"""The walk: from a line's wishes to their outcomes.

`walk` moves a line: it gets each wish's outcome from its source (`sources.py`) and hands a stream's deltas on. The
drivers, in `flow.py` and in `Stream`, drive the walk: they differ only in how they wait.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeVar

from ..errors import ModelError, StreamInterruptedError, TimeoutError
from ..responses import Response
from .answer import Answer
from .assemble import Assembly, Sound, assembly_of
from .engine import DELTA, ERROR, RESULT, Item, Job, Source
from .first import FirstOf
from .request import Ask, Begin, First, Request, Step
from .sources import source_of

R = TypeVar("R", bound=Response)
Parse = Callable[[Request, Answer], R]
Line = Generator[Step, Any, R]
Walk = Generator[Source | FirstOf | Response, Item | None, R]


class Abandoned(Exception):
    """Thrown into a walk whose stream is left early; what had arrived becomes the response."""


_LEFT: Item = (RESULT, None)


def walk(
    line: Line[R], emit: Callable[[dict[str, Any]], R | None] | None = None, parse: Parse[R] | None = None
) -> Walk[R]:
    """Moves the line: yields a source whenever an item is needed, and the deltas of a stream as they come.

    Args:
        line: the line.
        emit: makes what a stream's consumer gets out of a chunk (None: nothing); only for streams.
        parse: makes the `.partial` of a stream's error out of what had arrived; only for streams.
    """
    begun: dict[int, Source] = {}
    try:
        step = next(line)
        while True:
            if isinstance(step, Begin):
                begun[id(step.step)] = source_of(step.step)
                step = line.send(None)
                continue
            if isinstance(step, First):
                found: Any = yield FirstOf([begun[id(one)] for one in step.steps])
                place, (kind, value) = found[1]
                begun.pop(id(step.steps[place])).cancel()
                step = line.send((place, kind == ERROR, value))
                continue
            source = source_of(step)
            streamed = isinstance(step, Ask) and step.request.stream
            assembly = assembly_of(step.request.operation, step.began) if streamed else None  # type: ignore[union-attr]
            try:
                kind, value = yield from _outcome(source, assembly, emit)
            except Abandoned:
                if assembly is None or not assembly.began:
                    raise
                kind, value = _LEFT
            finally:
                source.cancel()
            if kind == ERROR:
                if assembly is not None and assembly.began and isinstance(value, ModelError) and parse is not None:
                    value = _midway(value, parse(step.request, assembly.answer()))  # type: ignore[union-attr]
                step = line.throw(value)
            else:
                step = line.send(assembly.answer(value) if assembly is not None else value)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    finally:
        line.close()
        for source in begun.values():
            source.cancel()


def _outcome(source: Source, assembly: Assembly | Sound | None, emit: Any) -> Generator[Any, Any, Item]:
    while True:
        item = yield source
        if item[0] != DELTA or assembly is None:
            return item  # type: ignore[no-any-return]
        assembly.add(item[1])
        delta: Any = emit(item[1]) if emit is not None else None
        if delta.__class__ is list:
            yield from delta
        elif delta is not None:
            yield delta


def _midway(error: ModelError, partial: Response) -> ModelError:
    """The error of a stream that had begun: it holds what had arrived, and is not asked for again."""
    state = {"partial": partial, "retryable": False}
    if isinstance(error, TimeoutError):
        error.__dict__.update(state)
        return error
    unit = "bytes" if isinstance(partial.content, bytes) else "characters"
    interrupted = StreamInterruptedError(f"the stream broke after {len(partial.content)} {unit}: {error}")
    interrupted.__dict__.update(error.__dict__ | state)
    return interrupted


def forsake(walk: Any, source: Source) -> None:
    """Ends a walk whose stream was garbage collected: on the engine's loop, never inside the finaliser."""
    if isinstance(source, Job):
        source.cancel()
        source.later(walk.close)
    else:
        walk.close()
