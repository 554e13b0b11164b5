"""`magma profile`: all that is known about one model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from . import output
from .failure import Failure
from .models import number, plain

if TYPE_CHECKING:
    from ..profiles import Profile


@click.command("profile")
@click.argument("id")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(id: str, as_json: bool) -> None:
    """Prints what the model ID can do, takes, holds and costs. Nothing is asked over the network."""
    from ..profiles import get_model_profile

    profile = get_model_profile(id)
    if profile is None:
        near = _nearest(id)
        raise Failure(f"nothing is known about {id!r}" + (f"; did you mean {', '.join(near)}?" if near else ""))
    if as_json:
        output.line(plain(profile))
    else:
        output.table(_rows(profile))


def _nearest(id: str) -> list[str]:
    from difflib import get_close_matches

    from ..profiles import ALIASES, select

    head, slash, name = id.partition("/")
    ids = [profile.id for profile in select(lambda profile: True)]
    wanted = f"{ALIASES.get(head, head)}/{name}" if slash else id
    near = get_close_matches(wanted, ids, n=3, cutoff=0.6)
    return near or [known for known in ids if known.rpartition("/")[2] == id.rpartition("/")[2]][:3]


def _rows(profile: Profile) -> Iterator[tuple[str, str]]:
    yield "id", profile.id
    yield "type", profile.model_type or f"none ({profile.mode or 'not known'})"
    yield "takes", ", ".join(profile.modalities.input) or "?"
    yield "gives", ", ".join(profile.modalities.output) or "?"
    yield "context", _with(number(profile.limits.context), "tokens")
    yield "answer", _with(number(profile.limits.output), "tokens")
    if profile.limits.dimensions is not None:
        yield "dimensions", str(profile.limits.dimensions)
    can = {name: getattr(profile.capabilities, name) for name in profile.capabilities.__struct_fields__}
    for head, value in (("can", True), ("cannot", False), ("not known", None)):
        yield head, ", ".join(name for name, said in can.items() if said is value) or "-"
    for name in profile.cost.__struct_fields__:
        rate = getattr(profile.cost, name)
        if isinstance(rate, float) or (rate is None and name in ("input_per_million", "output_per_million")):
            yield "cost", _with(f"{'' if rate is None else '$'}{number(rate)}", name.replace("_", " "))
    for tier in profile.cost.tiers:
        prices = f"${number(tier.input_per_million)}/${number(tier.output_per_million)} per million"
        yield "cost", f"{prices} for prompts of more than {tier.above} tokens"
    if profile.deprecation_date is not None:
        yield "deprecated", f"{profile.deprecation_date}"
    if profile.knowledge is not None:
        yield "knows until", profile.knowledge
    for note in profile.notes:
        yield "note", note
    yield "source", profile.source


def _with(figure: str, unit: str) -> str:
    return f"{figure} {unit}"
