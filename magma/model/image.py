"""`ImageGenerator` and `ImageEditor`: text, or text and images, to images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import msgspec
from pydantic import Field

from ..contents import Image
from ..errors import ConfigError
from ..messages import own
from ._answers import uploaded
from ._base import Connected
from ._handle import handle

if TYPE_CHECKING:
    from .._call.answer import Answer
    from .._call.request import Request
    from ..responses import Response


@handle
class ImageGenerator(Connected):
    """Turns a prompt into an image: `content` is an `Image`, a list of them for `n` above 1.

    An `Image` is the str of its URL or data URL, with `.save(path)` and `.bytes()`.

    >>> from magma import ImageGenerator
    >>> ImageGenerator("offline/echo")("A cat wearing a space suit").consume().bytes()[1:4]
    b'PNG'
    """

    operation: ClassVar[str] = "image_generation"
    model_type: ClassVar[str] = "text_to_image"
    env_name: ClassVar[str] = "IMAGE_GENERATOR"
    aliases: ClassVar[Mapping[str, str]] = {"input": "prompt", "data": "prompt"}

    n: Annotated[int, Field(ge=1, le=10)] | None = None
    """How many images, 1 to 10; None is one."""
    size: str | None = None
    """`WIDTHxHEIGHT` in pixels, e.g. "1024x1024", or "auto"."""
    quality: str | None = None
    """E.g. "standard", "hd", "low", "high"."""
    style: str | None = None
    """"vivid" or "natural" (dall-e-3)."""
    background: str | None = None
    """"transparent", "opaque" or "auto" (gpt-image)."""
    output_format: str | None = None
    """"png", "jpeg" or "webp" (gpt-image)."""
    response_format: Literal["url", "b64_json"] | None = None
    """Whether a URL or the image itself comes back; None is the provider's choice."""
    user: str | None = None
    """Your end user, for the provider's abuse detection."""

    if TYPE_CHECKING:

        def __init__(self, id: str | None = None, *, n: int | None = ..., **others: Any) -> None: ...

        def __call__(self, prompt: str, **overrides: Any) -> Response:
            """Makes an image."""
            ...

        async def acall(self, prompt: str, **overrides: Any) -> Response:
            """As calling the handle, awaited."""
            ...

    def _inputs(self, prompt: str) -> dict[str, Any]:
        """Makes an image, or `n` of them.

        `.content` is an `Image`, a list of them for `n` above 1.

        Args:
            prompt: what the image shows.
            overrides: fields for this call only.

        Raises:
            ConfigError: no prompt; before anything is sent.
            ParseError: no image, or one that cannot be read; `.response` holds what came.
            ModelError: the call failed; see `magma.errors` for the tree.
        """
        return {"prompt": _prompt(prompt)}

    def _parse(self, request: Request, answer: Answer) -> Response:
        return images(request, answer)


@handle
class ImageEditor(Connected):
    """Changes an image, or makes one out of several, as a prompt says; `mask` is transparent where it may change.

    >>> from magma import ImageEditor
    >>> png = b"\\x89PNG\\r\\n\\x1a\\n"
    >>> ImageEditor("offline/echo")("Make it night", image=png).consume().media_type
    'image/png'
    """

    operation: ClassVar[str] = "image_edit"
    model_type: ClassVar[str] = "image_text_to_image"
    env_name: ClassVar[str] = "IMAGE_EDITOR"
    aliases: ClassVar[Mapping[str, str]] = {"images": "image", "data": "prompt"}

    n: Annotated[int, Field(ge=1, le=10)] | None = None
    """How many images, 1 to 10; None is one."""
    size: str | None = None
    """`WIDTHxHEIGHT` in pixels, e.g. "1024x1024", or "auto"."""
    quality: str | None = None
    """E.g. "low" or "high"."""
    background: str | None = None
    """"transparent", "opaque" or "auto"."""
    input_fidelity: str | None = None
    """"high" keeps closer to the image given."""
    response_format: Literal["url", "b64_json"] | None = None
    """Whether a URL or the image itself comes back; None is the provider's choice."""
    user: str | None = None
    """Your end user, for the provider's abuse detection."""

    if TYPE_CHECKING:

        def __init__(self, id: str | None = None, *, n: int | None = ..., **others: Any) -> None: ...

        def __call__(self, prompt: str, image: Any = None, *, mask: Any = None, **overrides: Any) -> Response:
            """Edits an image or several."""
            ...

        async def acall(self, prompt: str, image: Any = None, *, mask: Any = None, **overrides: Any) -> Response:
            """As calling the handle, awaited."""
            ...

    def _inputs(self, prompt: str, image: Any = None, *, mask: Any = None) -> dict[str, Any]:
        """Changes an image, or makes one out of several.

        `.content` is an `Image`, a list of them for `n` above 1.

        Args:
            prompt: what to change.
            image: a path, URL, bytes, data URL or open file of at most 20 MB, or a list of them.
            mask: an image that is transparent where the first may change.
            overrides: fields for this call only.

        Raises:
            ConfigError: no prompt, no image, or one that cannot be read; before anything is sent.
            ParseError: no image, or one that cannot be read; `.response` holds what came.
            ModelError: the call failed; see `magma.errors` for the tree.
        """
        if image is None or (isinstance(image, (list, tuple)) and not image):
            raise ConfigError("image is missing: give a path, bytes, a URL, or a list of them")
        several = isinstance(image, Sequence) and not isinstance(image, (str, bytes, bytearray, memoryview))
        loaded = [uploaded(one, "image") for one in image] if several else uploaded(image, "image")
        sent = {"prompt": _prompt(prompt), "image": loaded}
        return sent if mask is None else {**sent, "mask": uploaded(mask, "image")}

    def _parse(self, request: Request, answer: Answer) -> Response:
        return images(request, answer)


def _prompt(prompt: Any) -> Any:
    if not isinstance(prompt, str):
        raise ConfigError(f"prompt must be a str, not {type(prompt).__name__}")
    if not prompt.strip():
        raise ConfigError("prompt is an empty text: say what the image shows")
    return own(prompt, "prompt")


def images(request: Request, answer: Answer) -> Response:
    """The response that an answer with images in OpenAI's shape is."""
    from ..responses import Response
    from ._answers import response_of

    data, wanted = answer.body.get("data"), request.params.get("n") or 1

    def read() -> Any:
        if not isinstance(data, list) or not data:
            raise ValueError("the answer holds no image")
        made = [_image(item, place) for place, item in enumerate(data)]
        return made[0] if wanted == 1 else made

    count = len(data) if isinstance(data, list) else 0
    sizes = {name: request.params.get(name) for name in ("size", "quality")}
    made = response_of(Response, request, answer, read, "image_generation", images=count, **sizes)
    if count == wanted:
        return made
    told = f"{count} image{'' if count == 1 else 's'} came, not {wanted}"
    return msgspec.structs.replace(made, warnings=(*made.warnings, told))


def _image(item: Any, place: int) -> Image:
    if not isinstance(item, dict):
        raise ValueError(f"image {place} is {item!r:.40}, not an object")
    revised = item.get("revised_prompt")
    revised = revised if isinstance(revised, str) else None
    if isinstance(item.get("url"), str) and item["url"]:
        return Image(item["url"], revised_prompt=revised)
    if isinstance(item.get("b64_json"), str) and item["b64_json"]:
        try:
            return Image.from_base64(item["b64_json"], revised_prompt=revised)
        except ConfigError:
            raise ValueError(f"image {place} is no valid base64: {item['b64_json'][:16]!r}") from None
    raise ValueError(f"image {place} has neither url nor b64_json, but {sorted(map(str, item))}")
