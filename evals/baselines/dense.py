"""Baseline: one embedding per paper with sentence-transformers, and exact cosine search.

The model truncates long texts.
"""

from __future__ import annotations

import numpy as np
from contract import Engine, Ranking, Request, run
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer


def build(request: Request) -> Engine:
    """Embed the papers."""
    model = SentenceTransformer(request.model)

    def embed(texts: list[str]) -> NDArray[np.float32]:
        vectors: NDArray[np.float32] = model.encode(
            texts, normalize_embeddings=True, show_progress_bar=False
        )
        return vectors

    papers = embed([f"{paper.title} {paper.abstract}" for paper in request.papers])

    def search(text: str, k: int) -> Ranking:
        scores = papers @ embed([text])[0]
        places = np.argsort(-scores, kind="stable")[:k]
        return [(request.papers[place].id, float(scores[place])) for place in places]

    settings = {
        "model": request.model,
        "max_seq_length": model.max_seq_length,
        "similarity": "cosine, exact",
        "device": str(model.device),
    }
    return Engine(settings, search)


if __name__ == "__main__":
    run("dense", ("sentence-transformers", "transformers", "torch", "numpy"), build)
