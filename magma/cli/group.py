"""The commands, and how each of them ends.

Only click and the standard library are imported up here, so that `--help` is quick; a command imports what it needs
inside its function. A new command is a file with a `command` in it, and one name in the loop below.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from . import BROKEN_PIPE, INTERRUPTED, chat, config, doctor, dotenv, embed, image, models, profile, speak, transcribe
from .failure import Failure, failure


class Commands(click.Group):
    """A group whose commands end with one line and an exit code, never with a traceback (unless MAGMA_DEBUG=1)."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; what it raises becomes a `Failure` or an exit code."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            if sys.stderr is not None and sys.stderr.isatty():
                click.echo(err=True)  # the shell's prompt does not belong behind ^C
            raise click.exceptions.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            raise click.exceptions.Exit(BROKEN_PIPE) from None
        except Exception as error:
            if os.environ.get("MAGMA_DEBUG") == "1":
                raise
            raise failure(error) from error


def _version(ctx: click.Context, option: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version

    from .. import __version__

    try:
        litellm = version("litellm")
    except PackageNotFoundError:
        litellm = "not installed"
    python = ".".join(map(str, sys.version_info[:3]))
    click.echo(f"magma {__version__} (litellm {litellm}, Python {python})")
    ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Print the versions."
)
@click.pass_context
def commands(ctx: click.Context) -> None:
    """AI models as values, on the command line.

    A .env file in the working directory is read; the environment wins over it.
    """
    if sys.stdout is None:
        raise Failure("stdout is closed: there is nowhere to write the answer to")
    ctx.obj = dotenv.read()


for _part in (chat, config, doctor, embed, image, models, profile, speak, transcribe):
    commands.add_command(_part.command)


def run(arguments: Sequence[str] | None) -> int:
    """Runs one command line; gives its exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # an answer's emoji must not fail in a Latin-1 terminal
    try:
        try:
            return commands.main(arguments, prog_name="magma", standalone_mode=False) or 0
        except OSError as error:  # from printing a help text; click has its own way with broken pipes
            raise failure(error) from error
        except SystemExit:
            return BROKEN_PIPE
    except click.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        return _told(error)


def _told(error: click.ClickException) -> int:
    try:
        error.show()
    except OSError:  # nobody reads stderr either
        return BROKEN_PIPE
    return error.exit_code
