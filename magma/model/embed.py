"""`Embedder` and `ImageEmbedder`: texts or images to vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec
from pydantic import Field

from .._call.inline import OPENAI_LIKE
from ..errors import ConfigError
from ..media import File, load
from ..messages import own
from ._base import Connected
from ._handle import handle

if TYPE_CHECKING:
    from .._call.answer import Answer
    from .._call.request import Request
    from ..vectors import Embedding

# Inputs per request: OpenAI's API reference; Cohere's, Google's, Voyage's and Mistral's likewise.
MOST_INPUTS = {"cohere": 96, "gemini": 100, "vertex_ai": 250, "voyage": 1000, "mistral": 128}
_MOST_INPUTS = 2048
# OpenAI takes 300 000 tokens per request; a token is rarely less than two bytes.
_MOST_BYTES = 600_000
_TAKES_BASE64 = frozenset({"openai", "azure", "hosted_vllm"})


@handle
class Embedder(Connected):
    """Turns texts into vectors; a list of any length keeps its order and is sent in as many requests as it needs.

    >>> from magma import Embedder
    >>> embedder = Embedder("offline/echo", dimensions=4)
    >>> len(embedder("Hello").consume()), embedder(["Hello", "World"])
    (4, <Embedding 2 x 4 $0>)
    """

    operation: ClassVar[str] = "embedding"
    model_type: ClassVar[str] = "text_embedder"
    env_name: ClassVar[str] = "EMBEDDER"
    aliases: ClassVar[Mapping[str, str]] = {"texts": "input", "text": "input", "inputs": "input", "data": "input"}

    dimensions: Annotated[int, Field(ge=1)] | None = None
    """Length of the vectors, where the model has several; None is the model's own."""
    input_type: str | None = None
    """What the texts are for, e.g. "search_query" or "search_document" (cohere, voyage, nvidia)."""
    user: str | None = None
    """Your end user, for the provider's abuse detection."""

    if TYPE_CHECKING:

        def __init__(self, id: str | None = None, *, dimensions: int | None = ..., **others: Any) -> None: ...

        def __call__(self, input: str | Sequence[str], **overrides: Any) -> Embedding:
            """Embeds a text or a list of texts."""
            ...

        async def acall(self, input: str | Sequence[str], **overrides: Any) -> Embedding:
            """As calling the handle, awaited."""
            ...

    def _inputs(self, input: str | Sequence[str]) -> dict[str, Any]:
        """Embeds a text, or a list of texts of any length.

        `.content` of the `Embedding` is a list of floats, for a list of texts a list of such lists in their order; `.array`
        is the same as float32 of shape (dimensions,) or (texts, dimensions). A long list is sent in several requests, which
        hooks see one by one.

        Args:
            input: a str, or a sequence of str, none of them empty.
            overrides: fields for this call only.

        Raises:
            ConfigError: no text, or something else; before anything is sent.
            ParseError: not one vector per text, or one that holds no numbers; `.response` holds what came.
            ModelError: the call failed; see `magma.errors` for the tree.
        """
        return {"input": _texts(input), **_encoding(self)}

    def _requests(self, inputs: dict[str, Any]) -> list[Request]:
        if isinstance(inputs["input"], str):
            return [self._request(inputs)]
        return [self._request({**inputs, "input": part}) for part in _parts(inputs["input"], self.provider)]

    def _parse(self, request: Request, answer: Answer) -> Embedding:
        return embedding(request, answer, "text_embedding")


@handle
class ImageEmbedder(Connected):
    """Turns images (path, URL, bytes, data URL, open file) into vectors.

    >>> from magma import ImageEmbedder
    >>> ImageEmbedder("offline/echo", dimensions=4)(b"\\x89PNG\\r\\n\\x1a\\n")
    <Embedding 4 $0>
    """

    operation: ClassVar[str] = "embedding"
    model_type: ClassVar[str] = "image_embedder"
    env_name: ClassVar[str] = "IMAGE_EMBEDDER"
    aliases: ClassVar[Mapping[str, str]] = {"images": "image", "input": "image", "data": "image"}

    dimensions: Annotated[int, Field(ge=1)] | None = None
    """Length of the vectors, where the model has several; None is the model's own."""
    input_type: str | None = None
    """What the vectors are for, where the provider asks."""

    if TYPE_CHECKING:

        def __init__(self, id: str | None = None, *, dimensions: int | None = ..., **others: Any) -> None: ...

        def __call__(self, image: Any, **overrides: Any) -> Embedding:
            """Embeds an image or a list of images."""
            ...

        async def acall(self, image: Any, **overrides: Any) -> Embedding:
            """As calling the handle, awaited."""
            ...

    def _inputs(self, image: Any) -> dict[str, Any]:
        """Embeds an image, or a list of images.

        `.content` of the `Embedding` is a list of floats, for a list of images a list of such lists in their order.

        Args:
            image: a path, URL, bytes, data URL or open file of at most 20 MB, or a list of them.
            overrides: fields for this call only.

        Raises:
            ConfigError: no image, or one that cannot be read; before anything is sent.
            ParseError: not one vector per image; `.response` holds what came.
            ModelError: the call failed; see `magma.errors` for the tree.
        """
        known = self.profile if self.provider in ("openai", "azure") else None
        if known is not None and "image" not in known.modalities.input:  # it would embed the image's base64 as text
            raise ConfigError(f"{self.id} takes no images; use a model that does, such as jina_ai/jina-clip-v2")
        if isinstance(image, (list, tuple)):
            if not image:
                raise ConfigError("image is an empty list: give at least one image")
            return {"input": [load(one, what="image") for one in image], **_encoding(self)}
        return {"input": load(image, what="image"), **_encoding(self)}

    def _requests(self, inputs: dict[str, Any]) -> list[Request]:
        images = inputs["input"]
        if isinstance(images, File):
            return [self._request(inputs)]
        most = MOST_INPUTS.get(self.provider, _MOST_INPUTS)
        return [self._request({**inputs, "input": images[at : at + most]}) for at in range(0, len(images), most)]

    def _parse(self, request: Request, answer: Answer) -> Embedding:
        return embedding(request, answer, "image_embedding")


def _encoding(embedder: Any) -> dict[str, Any]:
    """Asks for base64 where it is understood; whoever asked for another encoding gets that."""
    wants = "encoding_format" not in embedder.extra and embedder.provider in _TAKES_BASE64
    return {"encoding_format": "base64"} if wants else {}


def _texts(given: Any) -> Any:
    if isinstance(given, str):
        if not given.strip():
            raise ConfigError("input is an empty text: give the text to embed")
        return own(given, "input")
    if isinstance(given, (bytes, bytearray, dict)) or not isinstance(given, Sequence):
        raise ConfigError(f"input must be a str or a list of str, not {type(given).__name__}")
    if not given:
        raise ConfigError("input is an empty list: give at least one text")
    for place, text in enumerate(given):
        if not isinstance(text, str):
            raise ConfigError(f"input[{place}] must be a str, not {type(text).__name__}")
        if not text.strip():
            raise ConfigError(f"input[{place}] is an empty text: leave it out")
    return [own(text, f"input[{place}]") for place, text in enumerate(given)]


def _parts(texts: list[str], provider: str) -> list[list[str]]:
    """The texts in lists that the provider takes in one request."""
    most = MOST_INPUTS.get(provider, _MOST_INPUTS)
    bytes_left, parts = 0, list[list[str]]()
    for text in texts:
        size = len(text) if text.isascii() else len(text.encode())
        if not parts or len(parts[-1]) == most or (size > bytes_left and provider in OPENAI_LIKE):
            parts.append([])
            bytes_left = _MOST_BYTES
        parts[-1].append(text)
        bytes_left -= size
    return parts


def embedding(request: Request, answer: Answer, response_type: str) -> Embedding:
    """The `Embedding` that an answer in OpenAI's shape is."""
    from ..vectors import Embedding, read_vectors
    from ._answers import response_of

    given = request.inputs["input"]
    many = isinstance(given, list)

    def read() -> Any:
        vectors = read_vectors(answer.body.get("data"), len(given) if many else 1)
        return vectors if many else vectors[0]

    made = response_of(Embedding, request, answer, read, response_type)
    wanted, came = request.params.get("dimensions"), len(made.content[0] if many else made.content)
    if wanted is None or came == wanted:
        return made
    told = f"the vectors have {came} dimensions, not {wanted}: {request.model} did not heed dimensions"
    return msgspec.structs.replace(made, warnings=(*made.warnings, told))
