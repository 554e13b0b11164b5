"""Ready-made schemas that make a model plan before it answers; msgspec Structs, usable as `schema=`.

>>> from magma.parsers.schema import schema_of
>>> schema_of(ChainOfThoughts).strict, schema_of(ReAct).strict, schema_of(SelfConsistency).strict
(True, True, True)

The description of each field travels in the JSON schema, so that the model reads it too.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class Step(Struct, frozen=True, kw_only=True):
    """One step of the reasoning."""

    explanation: Annotated[str, Meta(description="What is done in this step, and why")]
    """What is done in this step, and why."""
    output: Annotated[str, Meta(description="What this step results in")]
    """What this step results in."""


class ChainOfThoughts(Struct, frozen=True, kw_only=True):
    """Reason step by step, then answer (Wei et al. 2022)."""

    steps: Annotated[list[Step], Meta(description="The steps in their order, each building on those before it")]
    """The steps in their order."""
    final_answer: Annotated[str, Meta(description="The answer that follows from the steps")]
    """The answer that follows from the steps."""


class Argument(Struct, frozen=True, kw_only=True):
    """One argument of a tool; a pair, since strict mode knows no objects with free keys."""

    name: Annotated[str, Meta(description="The name of the tool's parameter")]
    """The name of the tool's parameter."""
    value: Annotated[str, Meta(description="The value as JSON, a text without quotes")]
    """The value as JSON, a text without quotes."""


class Action(Struct, frozen=True, kw_only=True):
    """One call of a tool."""

    name: Annotated[str, Meta(description="The name of the tool to call")]
    """The name of the tool to call."""
    arguments: Annotated[list[Argument], Meta(description="The arguments of the call; empty where it takes none")]
    """The arguments of the call; empty where it takes none."""


class ReAct(Struct, frozen=True, kw_only=True):
    """Think, then either act or answer (Yao et al. 2022)."""

    thought: Annotated[str, Meta(description="What is known, what is missing, and what to do next")]
    """What is known, what is missing, and what to do next."""
    actions: Annotated[
        list[Action] | None, Meta(description="The tools to call now, independent of each other; null when answering")
    ] = None
    """The tools to call now; None when answering."""
    final_answer: Annotated[str | None, Meta(description="The answer; null while there are actions")] = None
    """The answer; None while there are actions."""


class Path(Struct, frozen=True, kw_only=True):
    """One line of reasoning, independent of the others."""

    reasoning: Annotated[str, Meta(description="The reasoning of this path, from the question to its answer")]
    """The reasoning of this path, from the question to its answer."""
    answer: Annotated[str, Meta(description="The answer that this path arrives at")]
    """The answer that this path arrives at."""


class SelfConsistency(Struct, frozen=True, kw_only=True):
    """Reason along several independent paths, then take the answer most of them agree on (Wang et al. 2022)."""

    paths: Annotated[list[Path], Meta(description="Several different paths to an answer, at least three")]
    """Several different paths to an answer."""
    final_answer: Annotated[str, Meta(description="The answer that most paths agree on")]
    """The answer that most paths agree on."""
