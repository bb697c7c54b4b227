"""A map of the library: papers that say the like lie side by side. The only door to scikit-learn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rag.library import Catalog
from rag.models.embedder import normalise

_PERPLEXITY = 20.0  # about how many neighbours a paper is to keep; see docs/LOG.md


def positions(catalog: Catalog) -> dict[str, tuple[float, float]]:
    """Where each paper lies, between -1 and 1: its mean passage vector in two dimensions by t-SNE.

    The same library gives the same map. t-SNE keeps neighbours; distances across the map mean little (van der Maaten
    and Hinton 2008).
    """
    with catalog.snapshot():
        parts = catalog.parts(catalog.paper_ids())
    if not parts:
        return {}
    placed = _scaled(
        _placed(normalise(np.stack([own.passage_vectors.mean(axis=0) for own in parts.values()])))
    )
    return {paper: (float(x), float(y)) for paper, (x, y) in zip(parts, placed, strict=True)}


def _placed(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """Points of shape (n, 2) for unit vectors of shape (n, d)."""
    if len(vectors) <= 3:  # too few to have neighbours
        return np.stack([np.arange(len(vectors)), np.zeros(len(vectors))], axis=1)
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    perplexity = min(_PERPLEXITY, (len(vectors) - 1) / 3)
    # On a busy machine its threads wait for each other much longer than they work.
    with threadpool_limits(1):
        tsne = TSNE(2, perplexity=perplexity, metric="cosine", init="pca", random_state=0)
        points: NDArray[np.float64] = tsne.fit_transform(vectors).astype(np.float64)
    return points


def _scaled(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centred, the farthest coordinate at 1."""
    centred = points - (points.max(axis=0) + points.min(axis=0)) / 2
    scaled: NDArray[np.float64] = centred / max(float(np.abs(centred).max()), 1e-12)
    return scaled
