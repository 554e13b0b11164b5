"""`magma models`: which models there are that can do it, for how much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from . import output
from .failure import Failure

if TYPE_CHECKING:
    from ..profiles import Profile


@click.command("models")
@click.option("--provider", metavar="NAME", help="Of this provider.")
@click.option("--type", "model_type", metavar="TYPE", help="Of this type, e.g. chat_completion, text_embedder.")
@click.option(
    "--with", "can", metavar="CAPABILITY", multiple=True, help="That can do this, e.g. tool_call; repeatable."
)
@click.option("--max-input-cost", type=float, metavar="DOLLARS", help="At most so much a million prompt tokens.")
@click.option("--max-output-cost", type=float, metavar="DOLLARS", help="At most so much a million answer tokens.")
@click.option("--min-context", type=int, metavar="TOKENS", help="That take at least so many tokens.")
@click.option("--name", metavar="TEXT", help="With this in their id.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first so many.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def command(can: tuple[str, ...], limit: int | None, as_json: bool, **filters: Any) -> None:
    """Lists models, the cheapest first; what is not known matches no filter.

    Prices are US dollars a million tokens, "?" where nobody says. Nothing is asked over the network.
    """
    from ..profiles import find

    capabilities: dict[str, Any] = {_capability(name): True for name in can}
    found = find(**filters, **capabilities)[:limit]
    if as_json:
        output.line([plain(profile) for profile in found])
    elif found:
        heads = ("ID", "TYPE", "CONTEXT", "$IN/M", "$OUT/M", "CAN")
        output.table([heads, *(_row(profile) for profile in found)])
    else:
        output.notice("no model that is known fits; leave a filter out")


def _capability(given: str) -> str:
    from difflib import get_close_matches

    from ..profiles import Capabilities

    name, names = given.replace("-", "_"), Capabilities.__struct_fields__
    if name not in names:
        near = get_close_matches(name, names, n=1)
        hint = f"; did you mean {near[0]}?" if near else ";"
        raise Failure(f"there is no capability {given!r}{hint} there are {', '.join(names)}")
    return name


def plain(profile: Profile) -> dict[str, Any]:
    """The profile as data that JSON knows; what is not known is null."""
    import msgspec

    def shown(value: Any) -> Any:
        if isinstance(value, msgspec.Struct):
            return {name: shown(getattr(value, name)) for name in value.__struct_fields__}
        return [shown(item) for item in value] if isinstance(value, (list, tuple)) else value

    return {name: msgspec.to_builtins(shown(getattr(profile, name))) for name in profile.__struct_fields__}


def number(value: float | None) -> str:
    """A figure, "?" where it is not known."""
    return "?" if value is None else f"{value:.10g}"


def abilities(profile: Profile) -> list[str]:
    """The names of what the model can do."""
    can = profile.capabilities
    return [name for name in can.__struct_fields__ if getattr(can, name)]


def _row(profile: Profile) -> tuple[str, ...]:
    cost = profile.cost
    return (
        profile.id,
        profile.model_type or profile.mode or "?",
        number(profile.limits.context),
        number(cost.input_per_million),
        number(cost.output_per_million),
        " ".join(abilities(profile)),
    )
