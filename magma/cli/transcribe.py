"""`magma transcribe`: speech to text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from . import files, handle, output, source

if TYPE_CHECKING:
    from ..contents import Transcript

_DEFAULT = "openai/whisper-1"  # of OpenAI's, the one that knows every format and timestamps
_ELSEWHERE = {
    "id": "-m",
    "model": "-m",
    "file": "FILE",
    "language": "--language",
    "response_format": "--format",
    "timestamp_granularities": "--timestamps",
}


@click.command("transcribe")
@click.argument("file", metavar="FILE_OR_URL")
@handle.options("MAGMA_TRANSCRIBER_DEFAULT_ID", f"{_DEFAULT} where OPENAI_API_KEY is set, else offline/echo")
@click.option("--language", metavar="L", help='The language spoken, as ISO 639-1, e.g. "en".')
@click.option(
    *("--format", "shape"),
    type=click.Choice(["text", "json", "srt", "vtt", "verbose_json"]),
    help="How it is written; verbose_json has times too. Default: text, with --timestamps verbose_json.",
)
@click.option(
    *("--timestamps", "times"),
    type=click.Choice(["word", "segment"]),
    multiple=True,
    help="The time of each word or segment; repeatable.",
)
@click.option("-o", "--output", "path", metavar="OUT", help="Write it to this file.")
@files.force
@handle.as_json
def command(
    *,
    file: str,
    id: str | None,
    params: tuple[str, ...],
    language: str | None,
    shape: str | None,
    times: tuple[str, ...],
    path: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Writes down what is said in a recording: a file, a URL, or "-" for stdin."""
    from ..media import LIMITS
    from ..model.transcribe import Transcriber

    if path is not None and path != "-":  # text may go to a terminal
        files.check(path, force=force)
    example = "magma transcribe talk.mp3"
    recording: Any = source.data("recording", example, LIMITS["audio"] + 1) if file == "-" else file
    fields = handle.parameters(Transcriber, params, _ELSEWHERE)
    fields |= handle.given(language=language, timestamp_granularities=tuple(dict.fromkeys(times)))
    if shape is not None:
        fields["response_format"] = None if shape == "text" else shape  # every provider has the text, few the format
    transcriber = handle.made(Transcriber, id, fields, does="tells the size of a recording", real=_DEFAULT)
    response = transcriber(recording)
    said: Transcript = response.content
    if as_json:
        written = json.dumps({**response.to_dict(), **_plain(said)}, ensure_ascii=path is None)
    else:
        written = _written(said, shape or ("verbose_json" if times else "text"))
    if path is None or path == "-":
        output.text(written.rstrip("\n") + "\n")
    else:
        with files.written(path, force=force) as out:
            out.write(f"{written.rstrip()}\n".encode())
    handle.warn(response)


def _written(said: Transcript, shape: str) -> str:
    """The transcript in that shape; subtitles are the text that came."""
    if shape == "json":
        return json.dumps({"text": said}, ensure_ascii=False)
    return json.dumps(_plain(said), ensure_ascii=False) if shape == "verbose_json" else str(said)


def _plain(said: Transcript) -> dict[str, Any]:
    import msgspec

    parts = {name: msgspec.to_builtins(getattr(said, name)) for name in ("language", "duration", "segments", "words")}
    return {"text": str(said), **parts}
