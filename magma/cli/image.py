"""`magma image`: a prompt, or a prompt and images, to images."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from . import files, handle, output, source
from .failure import Failure

if TYPE_CHECKING:
    from ..contents import Image
    from ..model._base import Handle
    from ..responses import Response

_DEFAULT = "openai/gpt-image-1"
_ELSEWHERE = {
    "id": "-m",
    "model": "-m",
    "prompt": "PROMPT",
    "image": "--edit",
    "mask": "--mask",
    "size": "--size",
    "quality": "--quality",
    "n": "-n",
}
_USE_O = "the image comes as data, not as a URL, and a terminal cannot show it: save it with -o OUT.png"


@click.command("image")
@click.argument("prompt", required=False)
@handle.options(
    "MAGMA_IMAGE_GENERATOR_DEFAULT_ID, with --edit MAGMA_IMAGE_EDITOR_DEFAULT_ID",
    f"{_DEFAULT} where OPENAI_API_KEY is set, else offline/echo",
)
@click.option("-o", "--output", "path", metavar="OUT", help="Save it, e.g. as cat.png; several as cat-1.png, ….")
@click.option("--edit", "images", metavar="IMAGE", multiple=True, help="Change this image (file or URL); repeatable.")
@click.option("--mask", metavar="IMAGE", help="With --edit: an image that is transparent where it may change.")
@click.option("--size", metavar="S", help='WIDTHxHEIGHT in pixels, e.g. 1024x1024, or "auto".')
@click.option("--quality", metavar="Q", help='E.g. "low" or "high".')
@click.option("-n", "count", type=int, metavar="N", help="How many, 1 to 10.")
@files.force
def command(
    *,
    prompt: str | None,
    id: str | None,
    params: tuple[str, ...],
    path: str | None,
    images: tuple[str, ...],
    mask: str | None,
    size: str | None,
    quality: str | None,
    count: int | None,
    force: bool,
) -> None:
    """Makes an image as PROMPT says and prints its URL, or saves it with -o.

    PROMPT "-" or none is read from stdin. A file that is there already is replaced only with --force.
    """
    from ..model.image import ImageEditor, ImageGenerator

    if mask is not None and not images:
        raise click.UsageError("--mask needs --edit IMAGE: it says where that image may change")
    kind: type[Handle] = ImageEditor if images else ImageGenerator
    fields = handle.parameters(kind, params, _ELSEWHERE) | handle.given(size=size, quality=quality, n=count)
    words = source.prompt(prompt, "prompt", 'magma image "A cat in a space suit" -o cat.png')
    maker: Any = handle.made(kind, id, fields, does="draws one pixel", real=_DEFAULT)
    paths = _checked(maker, path, force)
    inputs: dict[str, Any] = {"image": list(images), "mask": mask} if images else {}
    response = maker(words, **inputs)
    _keep(response, path, paths, force)
    handle.warn(response)


def _checked(maker: Any, path: str | None, force: bool) -> list[str]:
    """Where the images go; what cannot work is told before they are paid for."""
    if path is None:
        if sys.stdout.isatty() and (maker.provider == "offline" or "gpt-image" in maker.name):
            raise Failure(_USE_O)
        return []
    count = maker.n or 1
    if path == "-" and count > 1:
        raise click.UsageError("stdout takes one image: give a file with -o, or -n 1")
    paths = _numbered(path, count)
    for one in paths:
        files.check(one, force=force)
    return paths


def _numbered(path: str, count: int) -> list[str]:
    stem, extension = os.path.splitext(path)
    return [path] if count == 1 else [f"{stem}-{number}{extension}" for number in range(1, count + 1)]


def _keep(response: Response, path: str | None, paths: list[str], force: bool) -> None:
    """Saves the images, or prints where they are."""
    made: list[Image] = response.content if isinstance(response.content, list) else [response.content]
    if path is None:
        if sys.stdout.isatty() and any(image.startswith("data:") for image in made):
            raise Failure(_USE_O)
        for image in made:
            output.text(f"{image}\n")
        return
    for image, place in zip(made, paths if len(made) <= len(paths) else _numbered(path, len(made)), strict=False):
        data = _data(image)
        with files.written(place, force=force) as out:
            out.write(data)
        files.tell_other_type(place, data)


def _data(image: Image) -> bytes:
    from ..errors import ConfigError, ModelError

    try:
        return image.bytes()
    except (ConfigError, ModelError):
        if not image.startswith("data:"):
            output.text(f"{image}\n")  # it is paid for: whoever has the URL can still fetch it
        raise
