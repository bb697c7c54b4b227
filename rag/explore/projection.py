"""Project the library to 2-D with t-SNE; similar papers are close together.

The only module that imports scikit-learn.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rag.library import Catalog
from rag.models.embedder import normalise

_PERPLEXITY = 20.0  # roughly the number of neighbours to preserve; see docs/LOG.md


def positions(catalog: Catalog) -> dict[str, tuple[float, float]]:
    """Map each paper's id to its coordinates (x, y), between -1 and 1.

    The coordinates are the t-SNE projection of the mean of the paper's passage vectors. The same
    library gives the same map. t-SNE preserves neighbourhoods; large distances mean little (van der
    Maaten and Hinton 2008).
    """
    with catalog.snapshot():
        parts = catalog.parts(catalog.paper_ids())
    if not parts:
        return {}
    means = np.stack([paper.passage_vectors.mean(axis=0) for paper in parts.values()])
    points = _scaled(_projected(normalise(means)))
    return {paper_id: (float(x), float(y)) for paper_id, (x, y) in zip(parts, points, strict=True)}


def _projected(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """Project unit vectors of shape (n, d) to points of shape (n, 2)."""
    if len(vectors) <= 3:  # too few for t-SNE: put them in a row
        return np.stack([np.arange(len(vectors)), np.zeros(len(vectors))], axis=1)
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    # scikit-learn requires a perplexity below the number of vectors.
    perplexity = min(_PERPLEXITY, (len(vectors) - 1) / 3)
    # One thread: on a busy machine several threads wait for each other far longer than they work.
    with threadpool_limits(1):
        tsne = TSNE(2, perplexity=perplexity, metric="cosine", init="pca", random_state=0)
        points: NDArray[np.float64] = tsne.fit_transform(vectors).astype(np.float64)
    return points


def _scaled(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre the points, and scale the largest coordinate to 1."""
    centred = points - (points.max(axis=0) + points.min(axis=0)) / 2
    scaled: NDArray[np.float64] = centred / max(float(np.abs(centred).max()), 1e-12)
    return scaled
