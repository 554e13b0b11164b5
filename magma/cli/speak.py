"""`magma speak`: text to speech."""

from __future__ import annotations

import os

import click

from . import files, handle, source

_DEFAULT = "openai/gpt-4o-mini-tts"
_FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
_EXTENSIONS = {**{name: name for name in _FORMATS}, "ogg": "opus", "": None}
_ELSEWHERE = {
    "id": "-m",
    "model": "-m",
    "input": "TEXT",
    "stream": "-o",
    "voice": "--voice",
    "response_format": "--format",
    "speed": "--speed",
}


@click.command("speak")
@click.argument("text", required=False)
@handle.options("MAGMA_SPEAKER_DEFAULT_ID", f"{_DEFAULT} where OPENAI_API_KEY is set, else offline/echo")
@click.option("-o", "--output", "path", metavar="OUT", required=True, help='The file, e.g. hello.mp3; "-" is stdout.')
@click.option("--voice", metavar="V", help="The voice, e.g. alloy.")
@click.option("--format", "shape", type=click.Choice(_FORMATS), help="Default: as the file's name ends.")
@click.option("--speed", type=float, metavar="S", help="How fast, 0.25 to 4.")
@files.force
def command(
    *,
    text: str | None,
    id: str | None,
    params: tuple[str, ...],
    path: str,
    voice: str | None,
    shape: str | None,
    speed: float | None,
    force: bool,
) -> None:
    """Speaks TEXT into a file, as the sound comes; TEXT "-" or none is read from stdin.

    A file that is there already is replaced only with --force, and only once the sound is whole.
    """
    from ..model.speak import Speaker

    files.check(path, force=force)
    fields = handle.parameters(Speaker, params, _ELSEWHERE)
    fields |= handle.given(voice=voice, response_format=shape or _format_of(path), speed=speed)
    words = source.prompt(text, "text", 'magma speak "Hello" -o hello.mp3')
    speaker = handle.made(Speaker, id, fields, does="gives a quiet tone", real=_DEFAULT)
    with speaker(words, stream=True) as stream, files.written(path, force=force) as out:
        for piece in stream:
            out.write(piece.content)
            out.flush()  # who listens to a pipe hears it at once
    files.tell_other_type(path, stream.response.content[:64])
    handle.warn(stream.response)


def _format_of(path: str) -> str | None:
    """The format that the file's name asks for; None where it says nothing."""
    extension = os.path.splitext(path)[1][1:].lower()
    if extension not in _EXTENSIONS:
        known = ", ".join(f".{name}" for name in _EXTENSIONS if name)
        raise click.UsageError(f"{path!r:.80} names no format of sound: end it with {known}, or give --format")
    return _EXTENSIONS[extension]
