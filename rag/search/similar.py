"""Papers like a paper, by the vectors that are stored of it."""

from __future__ import annotations

from rag.library import Library
from rag.models.embedder import Vectors, normalise
from rag.records import Found, Hit

_SPARE = 50  # passages beyond those wanted: a paper has several


def similar(library: Library, identity: str, k: int) -> tuple[Hit, ...]:
    """The `k` papers whose best passage is nearest to the paper's mean passage, by cosine; not the paper itself.

    Raises NotFound.
    """
    paper = library.catalog.paper(identity)
    parts = library.catalog.parts([paper.id]).get(paper.id)
    if parts is None:
        return ()
    mean: Vectors = normalise(parts.passage_vectors.mean(axis=0, keepdims=True))[0]
    nearest = library.nearest(mean, _SPARE + 10 * k)
    with library.catalog.snapshot():
        passages = library.catalog.passages(one for one, _ in nearest)
        best = {
            passages[one].paper_id: (one, cosine)
            for one, cosine in reversed(nearest)
            if one in passages
        }
        best.pop(paper.id, None)
        order = sorted(best, key=lambda one: (-best[one][1], one))[:k]
        papers = library.catalog.papers(order)
    return tuple(
        Hit(
            papers[one], passages[best[one][0]], best[one][1], rank, (Found("dense", best[one][1]),)
        )
        for rank, one in enumerate(order, start=1)
    )
