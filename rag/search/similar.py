"""Papers that are similar to a paper, by the stored vectors of its passages."""

from __future__ import annotations

from rag.library import Library
from rag.models.embedder import Vectors, normalise
from rag.records import Found, Hit

_SPARE = 50  # additional passages to look at, because a paper has several


def similar(library: Library, paper_id: str, k: int) -> tuple[Hit, ...]:
    """Return the `k` papers whose best passage is nearest to the mean of a paper's passages.

    The measure is the cosine; the paper itself is not returned. Raises NotFound.
    """
    paper = library.catalog.paper(paper_id)
    parts = library.catalog.parts([paper.id]).get(paper.id)
    if parts is None:
        return ()
    mean: Vectors = normalise(parts.passage_vectors.mean(axis=0, keepdims=True))[0]
    nearest = library.nearest(mean, _SPARE + 10 * k)
    with library.catalog.snapshot():
        passages = library.catalog.passages(passage_id for passage_id, _ in nearest)
        # Reversed, so that the nearest passage of each paper is kept. A passage that a writer has
        # removed since the index answered is not in the catalog any more.
        best = {
            passages[passage_id].paper_id: (passage_id, cosine)
            for passage_id, cosine in reversed(nearest)
            if passage_id in passages
        }
        best.pop(paper.id, None)
        order = sorted(best, key=lambda other_id: (-best[other_id][1], other_id))[:k]
        papers = library.catalog.papers(order)
    hits = []
    for rank, other_id in enumerate(order, start=1):
        passage_id, cosine = best[other_id]
        hits.append(
            Hit(papers[other_id], passages[passage_id], cosine, rank, (Found("dense", cosine),))
        )
    return tuple(hits)
