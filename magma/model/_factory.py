"""The names by which msgflux's users make a handle: `Model.chat_completion(id)`, `Model.text_embedder(id)` and so on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import profiles

if TYPE_CHECKING:
    from .chat import Model
    from .classify import ImageClassifier, TextClassifier
    from .embed import Embedder, ImageEmbedder
    from .image import ImageEditor, ImageGenerator
    from .moderate import Moderator
    from .rerank import Reranker
    from .speak import Speaker
    from .transcribe import Transcriber

HOMES = {
    "chat_completion": ("chat", "Model"),
    "text_embedder": ("embed", "Embedder"),
    "text_to_image": ("image", "ImageGenerator"),
    "image_text_to_image": ("image", "ImageEditor"),
    "text_to_speech": ("speak", "Speaker"),
    "speech_to_text": ("transcribe", "Transcriber"),
    "moderation": ("moderate", "Moderator"),
    "text_classifier": ("classify", "TextClassifier"),
    "image_classifier": ("classify", "ImageClassifier"),
    "image_embedder": ("embed", "ImageEmbedder"),
    "text_reranker": ("rerank", "Reranker"),
}
"""Model type -> the file in this folder and the class in it; in the order in which the types are told."""


def class_of(model_type: str) -> Any:
    """The class of a model type such as "text_embedder"."""
    from importlib import import_module

    home, name = HOMES[model_type]
    return getattr(import_module(f".{home}", __package__), name)


class Factory:
    """Makes handles of every type, and tells which types and providers there are."""

    __slots__ = ()

    @classmethod
    def chat_completion(cls, id: str, /, **parameters: Any) -> Model:
        """A chat model; the same as `Model(id, …)`.

        >>> from magma import Model
        >>> Model.chat_completion("openai/gpt-4o", temperature=0.7)
        Model('openai/gpt-4o', temperature=0.7)
        """
        return cls(id, **parameters)  # type: ignore[call-arg,return-value]

    @staticmethod
    def text_embedder(id: str, /, **parameters: Any) -> Embedder:
        """The same as `Embedder(id, …)`."""
        return class_of("text_embedder")(id, **parameters)  # type: ignore[no-any-return]

    @staticmethod
    def text_to_image(id: str, /, **parameters: Any) -> ImageGenerator:
        """The same as `ImageGenerator(id, …)`."""
        return class_of("text_to_image")(id, **parameters)  # type: ignore[no-any-return]

    @staticmethod
    def image_text_to_image(id: str, /, **parameters: Any) -> ImageEditor:
        """The same as `ImageEditor(id, …)`."""
        return class_of("image_text_to_image")(id, **parameters)  # type: ignore[no-any-return]

    @staticmethod
    def text_to_speech(id: str, /, **parameters: Any) -> Speaker:
        """The same as `Speaker(id, …)`."""
        return class_of("text_to_speech")(id, **parameters)  # type: ignore[no-any-return]

    @staticmethod
    def speech_to_text(id: str, /, **parameters: Any) -> Transcriber:
        """The same as `Transcriber(id, …)`."""
        return class_of("speech_to_text")(id, **parameters)  # type: ignore[no-any-return]

    @staticmethod
    def moderation(id: str, /, **parameters: Any) -> Moderator:
        """The same as `Moderator(id, …)`."""
        return class_of("moderation")(id, **parameters)  # type: ignore[no-any-return]

    @staticmethod
    def text_classifier(id: str, /, **parameters: Any) -> TextClassifier:
        """The same as `TextClassifier(id, …)`."""
        return class_of("text_classifier")(id, **parameters)  # type: ignore[no-any-return]

    @staticmethod
    def image_classifier(id: str, /, **parameters: Any) -> ImageClassifier:
        """The same as `ImageClassifier(id, …)`."""
        return class_of("image_classifier")(id, **parameters)  # type: ignore[no-any-return]

    @staticmethod
    def image_embedder(id: str, /, **parameters: Any) -> ImageEmbedder:
        """The same as `ImageEmbedder(id, …)`."""
        return class_of("image_embedder")(id, **parameters)  # type: ignore[no-any-return]

    @staticmethod
    def text_reranker(id: str, /, **parameters: Any) -> Reranker:
        """The same as `Reranker(id, …)`."""
        return class_of("text_reranker")(id, **parameters)  # type: ignore[no-any-return]

    @staticmethod
    def model_types() -> list[str]:
        """The names of the eleven model types, in their order.

        >>> from magma import Model
        >>> Model.model_types()[:2]
        ['chat_completion', 'text_embedder']
        """
        return list(HOMES)

    @staticmethod
    def providers() -> dict[str, list[str]]:
        """The providers of each model type, out of LiteLLM's own tables.

        >>> from magma import Model
        >>> Model.providers()["chat_completion"][:3]
        ['openai', 'google', 'anthropic']
        """
        return profiles.providers_by_type()
