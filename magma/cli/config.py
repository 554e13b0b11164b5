"""`magma config explain`: which value each field has, and why."""

from __future__ import annotations

import click

from . import output


@click.group("config")
def command() -> None:
    """Looks at the configuration."""


@command.command()
@click.argument("id", required=False)
@click.option("--type", "model_type", metavar="TYPE", default="chat_completion", help="Model type, e.g. text_embedder.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def explain(ctx: click.Context, id: str | None, model_type: str, as_json: bool) -> None:
    """Prints each field of a model, its value, and where the value is from.

    Sources: an argument, the environment (MAGMA_MODEL_DEFAULT_…), or the default.
    """
    from ..model._explain import explain, misspelt
    from ..model._factory import HOMES, class_of

    if model_type not in HOMES:
        raise click.UsageError(f"--type must be one of {', '.join(HOMES)}; not {model_type}")
    cls = class_of(model_type)
    rows = explain(cls, **({} if id is None else {"id": id}))
    warnings = list(misspelt(cls).values())
    problems = [row.problem for row in rows if row.problem]
    if as_json:
        fields = [{"name": row.name, "value": row.plain, "source": row.source, "problem": row.problem} for row in rows]
        output.line({"type": cls.__name__, "fields": fields, "warnings": warnings})
    else:
        output.table((row.name, row.shown, row.source) for row in rows)
    for warning in warnings:
        output.notice(warning, "warning")
    for problem in problems:
        output.notice(problem, "error")
    ctx.exit(1 if problems else 0)
