"""`magma chat`: one question, one answer."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from . import handle, output, source

if TYPE_CHECKING:
    from .._call.stream import Stream
    from ..responses import Generation

# Arguments of the call; every other -p is a field of the model, or goes to the provider.
_INPUTS = frozenset(
    "tools tool_schemas tool_choice schema generation_schema response_format prefilling typed_parser".split()
)
_EXAMPLE = 'magma chat "Say hi!"'
_OPTIONS = {
    "id": "-m",
    "model": "-m",
    "system_prompt": "-s",
    "messages": "the prompt",
    "stream": "--stream or --no-stream",
}


@click.command("chat")
@click.argument("prompt", required=False)
@handle.options("MAGMA_MODEL_DEFAULT_ID")
@click.option("-s", "--system", metavar="TEXT", help="The system prompt.")
@click.option("--stream/--no-stream", default=None, help="Print the answer as it arrives; the default on a terminal.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the whole response as JSON; with --stream a line per delta first."
)
def command(
    *,
    prompt: str | None,
    id: str | None,
    system: str | None,
    stream: bool | None,
    params: tuple[str, ...],
    as_json: bool,
) -> None:
    """Asks a model and prints its answer.

    PROMPT "-" or none is read from stdin; what is piped in beside a PROMPT follows it after a blank line.
    """
    from ..model.chat import Model

    messages = _prompt(prompt)
    given = handle.parameters(Model, params, _OPTIONS)
    inputs = {name: given.pop(name) for name in _INPUTS & given.keys()}
    model = handle.made(Model, id, given, does="repeats your text", real="openai/gpt-4o", keyed=False)
    if stream is None:
        stream = sys.stdout.isatty() and not as_json
    if stream:
        deltas: Any = model(messages, system_prompt=system, stream=True, **inputs)
        response = _streamed(deltas, as_json)
    else:
        response = model(messages, system_prompt=system, **inputs)
        if not as_json:
            output.text(response.text)
    if as_json:
        output.line(response.to_dict())
    else:
        _print_rest(response)
    _print_notices(response)


def _prompt(argument: str | None) -> str:
    """The prompt: the argument, stdin, or both."""
    words = source.prompt(argument, "prompt", _EXAMPLE)
    if argument is None or argument == "-" or not source.is_piped():
        return words
    return "\n\n".join(part for part in (words, source.text("-", "prompt", _EXAMPLE)) if part)


def _streamed(stream: Stream[Generation], as_json: bool) -> Generation:
    """Prints the deltas as they come; gives the whole."""
    from ..errors import ModelError

    written = False
    with stream:
        try:
            for delta in stream:
                if as_json:
                    output.line(delta.to_dict())
                elif delta.content:
                    output.text(delta.content)
                    written = True
        except ModelError:
            if written:
                output.text("\n")  # the error has a line of its own
            raise
    return stream.response


def _print_rest(response: Generation) -> None:
    """What follows the text: the end of its line, and the tool calls."""
    if response.text or not response.tool_calls:
        output.text("\n")
    for call in response.tool_calls:
        broken = {"raw": call.raw, "invalid": call.invalid} if call.invalid else {}
        output.line({"id": call.id, "name": call.name, "arguments": call.arguments, **broken})


def _print_notices(response: Generation) -> None:
    handle.warn(response)
    if response.refusal:
        output.notice(f"the model refuses: {response.refusal}")
    if response.finish_reason == "length":
        output.notice("the answer is cut off (finish_reason length); allow more with -p max_tokens=NUMBER")
    elif response.finish_reason in ("content_filter", "error"):
        output.notice(
            f"the answer may not be whole (finish_reason {response.finish_reason}); change the prompt or ask again"
        )
