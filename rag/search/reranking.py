"""Rerank the best papers of a search with a cross-encoder (reads question and paper together)."""

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
    """A library with its embedder and settings; `reranker`, if given, reorders the best papers."""

    library: Library
    embedder: Embedder
    config: SearchConfig
    reranker: Reranker | None = None

    def search(
        self, question: str, k: int, candidate_ids: Collection[str] | None = None
    ) -> SearchResult:
        """Return the `k` best papers for a question, from `candidate_ids` if given.

        Raises LibraryError if the library can't be read, ModelError if the reranker fails.
        """
        if self.reranker is None:
            return search(self.library, self.embedder, question, self.config, k, candidate_ids)
        depth = max(k, self.reranker.papers)
        result = search(self.library, self.embedder, question, self.config, depth, candidate_ids)
        return reranked(self.reranker, question, result).first(k)


def reranked(reranker: Reranker, question: str, result: SearchResult) -> SearchResult:
    """Sort the first `reranker.papers` hits by the reranker's scores. Raises ModelError.

    The fused scores stay in their order: the first hit after sorting gets the highest one. The
    relevance model was fitted on fused scores, and a reranker's scores have another scale. They are
    kept as the stage "rerank".
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
