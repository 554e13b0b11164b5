"""`magma chat`: one question, one answer."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from . import output

if TYPE_CHECKING:
    from .._call.stream import Stream
    from ..model.chat import Model
    from ..responses import Generation

# Arguments of the call; every other -p is a field of the model, or goes to the provider.
_INPUTS = frozenset(
    "tools tool_schemas tool_choice schema generation_schema response_format prefilling typed_parser".split()
)
_OPTIONS = {
    "id": "-m",
    "model": "-m",
    "system_prompt": "-s",
    "messages": "the prompt",
    "stream": "--stream or --no-stream",
}


@click.command("chat")
@click.argument("prompt", required=False)
@click.option(
    "-m", "--model", "id", metavar="ID", help='"provider/name"; default: MAGMA_MODEL_DEFAULT_ID, else offline/echo.'
)
@click.option("-s", "--system", metavar="TEXT", help="The system prompt.")
@click.option("--stream/--no-stream", default=None, help="Print the answer as it arrives; the default on a terminal.")
@click.option(
    *("-p", "--param", "params"),
    metavar="KEY=VALUE",
    multiple=True,
    help="A parameter, e.g. temperature=0.2; VALUE is JSON or text. Repeatable. Keys are better set in the environment.",
)
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
    messages = _prompt(prompt)
    fields, inputs = _parameters(params)
    model = _model(id, fields)
    if stream is None:
        stream = sys.stdout.isatty() and not as_json
    if stream:
        response = _streamed(model(messages, system_prompt=system, stream=True, **inputs), as_json)
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
    is_piped = sys.stdin is not None and not sys.stdin.isatty()
    if argument is None or argument == "-":
        if not is_piped:
            raise click.UsageError('there is no prompt: give one, as in magma chat "Say hi!", or pipe it into stdin')
        return _stdin()
    piped = _stdin() if is_piped else ""
    return "\n\n".join(part for part in (argument, piped) if part)


def _stdin() -> str:
    """What is piped in, without its last line's end, as a shell's $(…) would give it."""
    data = sys.stdin.buffer.read()
    try:
        return data.decode().removeprefix("\ufeff").rstrip("\r\n")
    except UnicodeDecodeError as error:
        from ..errors import ConfigError

        raise ConfigError(
            f"stdin is not UTF-8: byte {data[error.start]:#04x} at offset {error.start}; "
            "convert it first, e.g. with iconv -f LATIN1 -t UTF-8"
        ) from None


def _parameters(params: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The model's keywords and the call's, out of the -p options."""
    fields: dict[str, Any] = {}
    inputs: dict[str, Any] = {}
    for param in params:
        name, equals, text = param.partition("=")
        name = name.strip()
        if not equals or not name:
            raise click.BadParameter("must be KEY=VALUE, e.g. temperature=0.2", param_hint="-p")
        if name in _OPTIONS:
            raise click.BadParameter(f"{name} is no parameter: use {_OPTIONS[name]}", param_hint="-p")
        (inputs if name in _INPUTS else fields)[name] = _value(name, text)
    return fields, inputs


def _value(name: str, text: str) -> Any:
    """What a parameter's text means: for a field the same as in its variable, else JSON where it is JSON."""
    from ..model._settle import from_text
    from ..model.chat import Model

    if name in Model.fields:
        return from_text(name, text, f"-p {name}")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _model(id: str | None, fields: dict[str, Any]) -> Model:
    """The model that was asked for, else the environment's, else the offline one."""
    from ..errors import ConfigError
    from ..model._explain import problem_of
    from ..model._settle import variable_of
    from ..model.chat import Model

    variable = variable_of(Model, "id")
    if id is None and not os.environ.get(variable):
        id = "offline/echo"
        output.notice(
            f"{id} answers, the embedded offline model that only repeats your text; choose a real one with "
            f"-m PROVIDER/NAME (e.g. -m openai/gpt-4o) or {variable}"
        )
    elif id is None and (problem := problem_of(Model, "id")):
        raise ConfigError(problem)
    return Model(id, **fields)


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
    for warning in response.warnings:
        output.notice(warning, "warning")
    if response.refusal:
        output.notice(f"the model refuses: {response.refusal}")
    if response.finish_reason == "length":
        output.notice("the answer is cut off (finish_reason length); allow more with -p max_tokens=NUMBER")
    elif response.finish_reason in ("content_filter", "error"):
        output.notice(
            f"the answer may not be whole (finish_reason {response.finish_reason}); change the prompt or ask again"
        )
