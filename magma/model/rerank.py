"""`Reranker`: which documents answer a query best?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from ..errors import ConfigError
from ..messages import own
from ._base import Connected
from ._handle import handle

if TYPE_CHECKING:
    from .._call.answer import Answer
    from .._call.request import Request
    from ..responses import Response


@handle
class Reranker(Connected):
    """Ranks documents by a query: `content` is a list of `{"index", "score", "document"}`, best first.

    >>> from magma import Reranker
    >>> ranked = Reranker("offline/echo")("capital of France", ["Rome", "Paris is the capital of France"]).consume()
    >>> ranked[0]["index"], ranked[0]["document"]
    (1, 'Paris is the capital of France')
    """

    operation: ClassVar[str] = "rerank"
    model_type: ClassVar[str] = "text_reranker"
    env_name: ClassVar[str] = "RERANKER"
    aliases: ClassVar[Mapping[str, str]] = {"texts": "documents", "docs": "documents"}

    top_n: Annotated[int, Field(ge=1)] | None = None
    """How many documents to keep; None keeps all."""

    if TYPE_CHECKING:

        def __init__(self, id: str | None = None, *, top_n: int | None = ..., **others: Any) -> None: ...

        def __call__(self, query: str, documents: Sequence[Any], **overrides: Any) -> Response:
            """Ranks the documents, each a str or a dict."""
            ...

        async def acall(self, query: str, documents: Sequence[Any], **overrides: Any) -> Response:
            """As calling the handle, awaited."""
            ...

    def _inputs(self, query: str, documents: Sequence[Any]) -> dict[str, Any]:
        """Ranks documents by how well they answer a query.

        `.content` is a list of `{"index", "score", "document"}`, best first, `top_n` of them; what a score means is the
        provider's affair.

        Args:
            query: the question.
            documents: a sequence of str or dicts, none of them empty.
            overrides: fields for this call only.

        Raises:
            ConfigError: no query or no documents; before anything is sent.
            ParseError: indices that are twice there or out of range, scores that are no numbers, too few results; `.response` holds what came.
            ModelError: the call failed; see `magma.errors` for the tree.
        """
        if not isinstance(query, str) or not query.strip():
            raise ConfigError(f"query must be a text, not {query!r:.40}")
        if isinstance(documents, (str, bytes, Mapping)) or not isinstance(documents, Sequence):
            raise ConfigError(f"documents must be a list of str or dicts, not {type(documents).__name__}")
        if not documents:
            raise ConfigError("documents is an empty list: give at least one document")
        for place, document in enumerate(documents):
            if not isinstance(document, (str, Mapping)) or not document or not str(document).strip():
                raise ConfigError(f"documents[{place}] must be a text or a dict, not {document!r:.40}")
        return {"query": own(query, "query"), "documents": own(list(documents), "documents")}

    def _parse(self, request: Request, answer: Answer) -> Response:
        from ..responses import Response
        from ._answers import response_of

        documents = request.inputs["documents"]
        wanted = min(request.params.get("top_n") or len(documents), len(documents))

        def read() -> list[dict[str, Any]]:
            ranked = _ranked(answer.body.get("results"), documents)
            if len(ranked) < wanted:
                raise ValueError(f"{len(ranked)} results came for {wanted} documents")
            return ranked[:wanted]

        return response_of(Response, request, answer, read, "text_reranking", queries=1)


def _ranked(results: Any, documents: list[Any]) -> list[dict[str, Any]]:
    if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
        raise ValueError("the results are no list of objects")
    seen, ranked = set[int](), list[dict[str, Any]]()
    for result in results:
        index, score = result.get("index"), _score(result)
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(documents):
            raise ValueError(f"a result has the index {index!r:.20} for {len(documents)} documents")
        if index in seen:
            raise ValueError(f"the index {index} is twice in the results")
        if score is None:
            told = result.get("relevance_score", result.get("score"))
            raise ValueError(f"document {index} has the score {told!r:.20}, which is no number")
        seen.add(index)
        ranked.append({"index": index, "score": score, "document": documents[index]})
    return sorted(ranked, key=lambda one: -one["score"])


def _score(result: dict[str, Any]) -> float | None:
    """A document's score; None for what is no finite number."""
    told = result.get("relevance_score", result.get("score"))
    if isinstance(told, bool) or not isinstance(told, (int, float)):
        return None
    try:
        score = float(told)
    except OverflowError:
        return None
    return score if math.isfinite(score) else None
