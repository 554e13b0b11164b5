"""`Moderator`: is a text safe?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from ..errors import ConfigError
from ..messages import own
from ..responses import Dots
from ._base import Connected
from ._handle import handle

if TYPE_CHECKING:
    from .._call.answer import Answer
    from .._call.request import Request
    from ..responses import Response

_MOST_INPUTS = 32  # a list of 33 and more is refused by OpenAI's endpoint


@handle
class Moderator(Connected):
    """Judges texts: `content` is `{"safe", "flagged", "categories", "scores"}`, a list of them for a list.

    >>> from magma import Moderator
    >>> Moderator("offline/echo")("Hello").consume()["safe"]
    True
    """

    operation: ClassVar[str] = "moderation"
    model_type: ClassVar[str] = "moderation"
    env_name: ClassVar[str] = "MODERATOR"
    aliases: ClassVar[Mapping[str, str]] = {"texts": "input", "text": "input", "inputs": "input", "data": "input"}

    if TYPE_CHECKING:

        def __init__(self, id: str | None = None, **others: Any) -> None: ...

        def __call__(self, input: str | Sequence[str], **overrides: Any) -> Response:
            """Judges a text or a list of texts."""
            ...

        async def acall(self, input: str | Sequence[str], **overrides: Any) -> Response:
            """As calling the handle, awaited."""
            ...

    def _inputs(self, input: str | Sequence[str]) -> dict[str, Any]:
        """Judges a text, or a list of texts.

        `.content` is `{"safe", "flagged", "categories", "scores"}`, for a list of texts a list of them in order; scores are 0
        to 1 by category. More than 32 texts are sent in several requests.

        Args:
            input: a str, or a sequence of str, none of them empty.
            overrides: fields for this call only.

        Raises:
            ConfigError: no text, or something else; before anything is sent.
            ParseError: not one result per text; `.response` holds what came.
            ModelError: the call failed; see `magma.errors` for the tree.
        """
        if isinstance(input, str):
            if not input.strip():
                raise ConfigError("input is an empty text: give the text to judge")
            return {"input": own(input, "input")}
        if isinstance(input, (bytes, bytearray, dict)) or not isinstance(input, Sequence):
            raise ConfigError(f"input must be a str or a list of str, not {type(input).__name__}")
        if not input:
            raise ConfigError("input is an empty list: give at least one text")
        for place, text in enumerate(input):
            if not isinstance(text, str) or not text.strip():
                raise ConfigError(f"input[{place}] must be a text, not {text!r:.40}")
        return {"input": own(list(input), "input")}

    def _requests(self, inputs: dict[str, Any]) -> list[Request]:
        texts = inputs["input"]
        if isinstance(texts, str):
            return [self._request(inputs)]
        parts = [texts[at : at + _MOST_INPUTS] for at in range(0, len(texts), _MOST_INPUTS)]
        return [self._request({"input": part}) for part in parts]

    def _parse(self, request: Request, answer: Answer) -> Response:
        from ..responses import Response
        from ._answers import response_of

        given, results = request.inputs["input"], answer.body.get("results")

        def read() -> Any:
            count = len(given) if isinstance(given, list) else 1
            if not isinstance(results, list) or len(results) != count:
                came = len(results) if isinstance(results, list) else "no"
                raise ValueError(f"{came} results came for {count} texts")
            judged = [_judged(result, place) for place, result in enumerate(results)]
            return judged if isinstance(given, list) else judged[0]

        made = response_of(Response, request, answer, read, "moderation")
        left_out = [f"{name} was not sent: {request.model} does not take it" for name in sorted(request.params)]
        return msgspec.structs.replace(made, warnings=(*made.warnings, *left_out)) if left_out else made


def _judged(result: Any, place: int) -> Dots:
    categories = result.get("categories") if isinstance(result, dict) else None
    if not isinstance(categories, dict) or not isinstance(result.get("flagged"), bool):
        raise ValueError(f"result {place} has no categories or does not say whether it is flagged: {result!r:.80}")
    scores = result.get("category_scores")
    scores = scores if isinstance(scores, dict) else {}
    return Dots(
        safe=not result["flagged"],
        flagged=result["flagged"],
        categories={name: bool(value) for name, value in categories.items() if value is not None},
        scores={name: value for name, value in scores.items() if isinstance(value, (int, float))},
    )
