"""`TextClassifier` and `ImageClassifier`: which of these labels fits? A chat model answers, bound to the labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec
from pydantic import Field, InstanceOf

from .._call.inline import OPENAI_LIKE
from ..errors import ConfigError
from ._base import Connected
from ._frozen import FrozenDict
from ._handle import handle

if TYPE_CHECKING:
    from .._call.answer import Answer
    from .._call.request import Request
    from ..responses import Response


@handle
class Classifier(Connected):
    """What `TextClassifier` and `ImageClassifier` share: their labels, and how they ask and read."""

    operation: ClassVar[str] = "completion"
    model_type: ClassVar[str] = ""
    env_name: ClassVar[str] = ""
    connection: ClassVar[frozenset[str]] = Connected.connection | {"labels", "multi_label", "max_reasks"}
    response_type: ClassVar[str] = ""

    labels: InstanceOf[FrozenDict] | None = None
    """The labels, a list or a dict label -> what it means; for one call too: `classifier(text, labels=[…])`."""
    multi_label: bool = False
    """Whether several labels, or none, may fit."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.0
    """Randomness, 0 to 2; None is the provider's default."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """Most tokens of an answer; None is the provider's default."""
    max_reasks: Annotated[int, Field(ge=0, le=10)] = 1
    """How often an answer that is none of the labels is asked for again."""

    def _requests(self, inputs: dict[str, Any]) -> list[Request]:
        return [self._request(_asked(self, content, many=inputs["many"])) for content in inputs["contents"]]

    def _parse(self, request: Request, answer: Answer) -> Response:
        return _classified(request, answer, self.response_type)


@handle
class TextClassifier(Classifier):
    """Sorts texts into labels: `content` is `{"label", "score", "scores"}`, a list of them for a list of texts.

    A score is the probability that the model gave to the label, 0 to 1, from the provider's log probabilities; None
    where it tells none. With `multi_label=True` it is `{"labels", "scores"}`. Each text is a request of its own.

    >>> from magma import TextClassifier
    >>> classifier = TextClassifier("offline/echo", labels=["positive", "negative"])
    >>> classifier("A positive surprise!").consume()
    {'label': 'positive', 'score': None, 'scores': {'positive': None, 'negative': None}}
    """

    model_type: ClassVar[str] = "text_classifier"
    env_name: ClassVar[str] = "TEXT_CLASSIFIER"
    response_type: ClassVar[str] = "text_classification"
    aliases: ClassVar[Mapping[str, str]] = {"texts": "text", "input": "text", "data": "text"}

    if TYPE_CHECKING:

        def __init__(
            self, id: str | None = None, *, labels: Sequence[str] | Mapping[str, str] | None = ..., **others: Any
        ) -> None: ...

        def __call__(self, text: str | Sequence[str], **overrides: Any) -> Response:
            """Classifies a text or a list of texts."""
            ...

        async def acall(self, text: str | Sequence[str], **overrides: Any) -> Response:
            """As calling the handle, awaited."""
            ...

    def _inputs(self, text: str | Sequence[str]) -> dict[str, Any]:
        """Sorts a text, or a list of texts, into the labels.

        `.content` is `{"label", "score", "scores"}`, with `multi_label=True` `{"labels", "scores"}`; for a list a list of them.

        Args:
            text: a str, or a sequence of str, none of them empty; each is a request of its own.
            overrides: fields for this call only.

        Raises:
            ConfigError: no text or no labels; before anything is sent.
            ParseError: an answer that is none of the labels, after `max_reasks` more asks; `.response` holds what came.
            ModelError: the call failed; see `magma.errors` for the tree.
        """
        many = not isinstance(text, str)
        texts = _several(text, "text") if many else [text]
        for place, one in enumerate(texts):
            if not isinstance(one, str) or not one.strip():
                raise ConfigError(f"text{f'[{place}]' if many else ''} must be a text, not {one!r:.40}")
        return {"contents": texts, "many": many}


@handle
class ImageClassifier(Classifier):
    """Sorts images (path, URL, bytes, data URL, open file) into labels; answers as `TextClassifier` does.

    >>> from magma import ImageClassifier
    >>> ImageClassifier("offline/echo", labels={"cat": "a cat", "dog": "a dog"})(b"\\x89PNG\\r\\n\\x1a\\n")["content"]
    {'label': 'cat', 'score': None, 'scores': {'cat': None, 'dog': None}}
    """

    model_type: ClassVar[str] = "image_classifier"
    env_name: ClassVar[str] = "IMAGE_CLASSIFIER"
    response_type: ClassVar[str] = "image_classification"
    aliases: ClassVar[Mapping[str, str]] = {"images": "image", "input": "image", "data": "image"}

    if TYPE_CHECKING:

        def __init__(
            self, id: str | None = None, *, labels: Sequence[str] | Mapping[str, str] | None = ..., **others: Any
        ) -> None: ...

        def __call__(self, image: Any, **overrides: Any) -> Response:
            """Classifies an image or a list of images."""
            ...

        async def acall(self, image: Any, **overrides: Any) -> Response:
            """As calling the handle, awaited."""
            ...

    def _inputs(self, image: Any) -> dict[str, Any]:
        """Sorts an image, or a list of images, into the labels.

        `.content` is `{"label", "score", "scores"}`, with `multi_label=True` `{"labels", "scores"}`; for a list a list of them.

        Args:
            image: a path, URL, bytes, data URL or open file of at most 20 MB, or a list of them.
            overrides: fields for this call only.

        Raises:
            ConfigError: no image or no labels; before anything is sent.
            ParseError: an answer that is none of the labels, after `max_reasks` more asks; `.response` holds what came.
            ModelError: the call failed; see `magma.errors` for the tree.
        """
        from ..blocks import ChatBlock

        many = isinstance(image, (list, tuple))
        images = _several(image, "image") if many else [image]
        text = {"type": "text", "text": "Which label fits this image?"}
        return {"contents": [[text, ChatBlock.image(one)] for one in images], "many": many}


def _several(given: Any, name: str) -> list[Any]:
    if isinstance(given, (bytes, Mapping)) or not isinstance(given, Sequence):
        raise ConfigError(f"{name} must be a str or a list of str, not {type(given).__name__}")
    if not given:
        raise ConfigError(f"{name} is an empty list: give at least one")
    return list(given)


def _asked(classifier: Any, content: Any, *, many: bool) -> dict[str, Any]:
    """The inputs of the chat request that classifies one text or image."""
    from ..messages import to_messages
    from ._reading import read_as

    labels = classifier.labels
    if not labels:
        raise ConfigError(f"{type(classifier).__name__} needs labels=[…], a list or a dict label -> description")
    inputs: dict[str, Any] = {
        "messages": to_messages({"role": "user", "content": content}, _prompt(labels, classifier.multi_label)),
        "tools": None,
        "tool_choice": None,
        "response_format": None,
    }
    if classifier.provider in OPENAI_LIKE and not classifier.multi_label:
        inputs |= {"logprobs": True, "top_logprobs": 5}
    schema = _schema(list(labels), classifier.multi_label)
    inputs = read_as(classifier, inputs, schema=schema, prefilling=None, typed_parser=None)
    inputs["reading"] = msgspec.structs.replace(inputs["reading"], many=many)
    return inputs


def _prompt(labels: Mapping[str, str], multi: bool) -> str:
    listed = "\n".join(f"- {label}: {meaning}" if meaning else f"- {label}" for label, meaning in labels.items())
    wanted = "every label that fits, or none" if multi else "the one label that fits best"
    return f"Classify what the user gives you. Answer with {wanted}, out of:\n{listed}"


def _schema(labels: list[str], multi: bool) -> dict[str, Any]:
    one = {"type": "string", "enum": labels}
    name, kind = ("labels", {"type": "array", "items": one}) if multi else ("label", one)
    schema = {"type": "object", "properties": {name: kind}, "required": [name], "additionalProperties": False}
    return {"name": "classification", "schema": schema, "strict": True}


def _classified(request: Request, answer: Answer, response_type: str) -> Response:
    from ..responses import Response
    from ._generation import generation

    made = request.reading.read(request, generation(request, answer))
    properties = request.reading.kind["schema"]["properties"]
    if "labels" in properties:
        labels = list(dict.fromkeys(made.content["labels"]))
        content: dict[str, Any] = {"labels": labels, "scores": None}
    else:
        label = made.content["label"]
        scores = label_scores(made.logprobs, label, properties["label"]["enum"])
        content = {"label": label, "score": scores[label], "scores": scores}
    shared = {name: getattr(made, name) for name in Response.__struct_fields__}
    return Response(
        **{**shared, "content": [content] if request.reading.many else content, "response_type": response_type}
    )


def label_scores(logprobs: Any, label: str, labels: Sequence[str]) -> dict[str, float | None]:
    """The probability of each label, where the log probabilities of an answer's tokens tell it.

    That of the label which was chosen is the product over its tokens; that of another one is its first token's, where
    no second label begins like it.

    >>> tokens = [{"token": "pos", "logprob": -0.1, "top_logprobs": [{"token": "neg", "logprob": -3.0}]}]
    >>> scores = label_scores({"content": tokens}, "pos", ["pos", "neg"])
    >>> round(scores["pos"], 2), round(scores["neg"], 2)
    (0.9, 0.05)
    """
    scores: dict[str, float | None] = dict.fromkeys(labels)
    tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(tokens, list) or not all(_is_token(token) for token in tokens):
        return scores
    text = "".join(token["token"] for token in tokens)
    start = text.rfind(label)
    if start < 0:
        return scores
    at, span = 0, []
    for token in tokens:
        if at < start + len(label) and at + len(token["token"]) > start:
            span.append(token)
        at += len(token["token"])
    scores[label] = math.exp(min(sum(token["logprob"] for token in span), 0.0))
    for other in span[0].get("top_logprobs") or ():
        piece = str(other.get("token") or "").strip(' "\n{:') if _is_token(other) else ""
        fits = [one for one in labels if piece and one.startswith(piece)]
        if len(fits) == 1 and fits[0] != label:
            scores[fits[0]] = min((scores[fits[0]] or 0.0) + math.exp(min(other["logprob"], 0.0)), 1.0)
    return scores


def _is_token(token: Any) -> bool:
    return (
        isinstance(token, dict)
        and isinstance(token.get("token"), str)
        and isinstance(token.get("logprob"), (int, float))
        and token["logprob"] < math.inf  # nor NaN
    )
