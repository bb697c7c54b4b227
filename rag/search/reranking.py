"""Rerank the best papers of a search by a model that reads question and paper together (a cross-encoder)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from rag.config import SearchConfig
from rag.library import Library
from rag.models import Embedder, Reranker
from rag.records import Found
from rag.search.hybrid import SearchResult, search


@dataclass(frozen=True, slots=True)
class Searcher:
    """Bundles what a search needs; `reranker`, if there is one, reorders the best papers."""

    library: Library
    embedder: Embedder
    config: SearchConfig
    reranker: Reranker | None = None

    def search(self, question: str, k: int, among: Collection[str] | None = None) -> SearchResult:
        """The `k` best papers for a question, of those in `among` where that is given.

        Raises LibraryError where the library can't be read, ModelError where the reranker fails.
        """
        if self.reranker is None:
            return search(self.library, self.embedder, question, self.config, k, among)
        result = search(
            self.library, self.embedder, question, self.config, max(k, self.reranker.papers), among
        )
        return reranked(self.reranker, question, result).first(k)


def reranked(reranker: Reranker, question: str, result: SearchResult) -> SearchResult:
    """Put the first `reranker.papers` hits into the order of the reranker's scores.

    The fused scores are reassigned in that order, since the relevance model was fitted on fused scores and a reranker's
    are on another scale; the reranker's score is kept as the stage "rerank".
    """
    hits, evidence = result.hits[: reranker.papers], result.evidence[: reranker.papers]
    if len(hits) < 2:
        return result
    scores = reranker.score(question, [hit.paper.text for hit in hits])
    order = np.argsort(-scores, kind="stable")
    ordered = tuple(
        replace(
            hits[row],
            score=place.score,
            rank=place.rank,
            found_by=(*hits[row].found_by, Found("rerank", float(scores[row]))),
        )
        for place, row in zip(hits, order, strict=True)
    )
    return replace(
        result,
        hits=ordered + result.hits[len(hits) :],
        evidence=tuple(evidence[row] for row in order) + result.evidence[len(hits) :],
    )
