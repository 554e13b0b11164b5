"""How a command fails: one line on stderr that says what happened and what to do next."""

from __future__ import annotations

from typing import IO, Any

import click

from .output import one_line


class Failure(click.ClickException):
    """Ends the command with `magma: error: …` on stderr and exit code 1."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Prints the line."""
        click.echo(f"magma: error: {one_line(self.message)}", file=file, err=True)


def failure(error: Exception) -> Failure:
    """The `Failure` for what a command raised."""
    from ..errors import ConfigError, MissingExtraError, ModelError

    if isinstance(error, (ConfigError, MissingExtraError)):
        return Failure(str(error))  # these say the next step themselves
    if isinstance(error, ModelError):
        step = _next_step(error)
        return Failure(f"{error}; {step}" if step else str(error))
    if isinstance(error, OSError):
        return Failure(f"{error}; MAGMA_DEBUG=1 shows where")
    return Failure(f"unexpected {type(error).__name__}: {error}; MAGMA_DEBUG=1 shows where")


def _next_step(error: Exception) -> str | None:
    """What to do about a failed call; None where the provider's own words are all there is to say."""
    from .. import errors

    seconds = getattr(error, "retry_after", None)
    steps = {
        errors.TimeoutError: "give it longer with -p timeout=SECONDS",
        errors.ConnectionError: "`magma doctor` shows what is reachable",
        errors.RateLimitError: f"ask again in {seconds:g} s"
        if seconds
        else "ask again later, or choose another model with -m",
        errors.PermissionDeniedError: "choose another model with -m, or a key that may use this one",
        errors.NotFoundError: "check the id given with -m, and api_base",
        errors.ContextWindowError: "shorten the prompt, or lower max_tokens",
        errors.ContentFilterError: "change the prompt, or choose another model with -m",
        errors.UnsupportedParamsError: "-p on_unsupported=drop leaves it out",
        errors.StreamInterruptedError: "the answer is not whole: ask again",
        errors.ServerError: "the fault is the provider's: ask again later",
    }
    return next((step for kind, step in steps.items() if isinstance(error, kind)), None)
