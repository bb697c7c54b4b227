"""Baseline: BM25 over title and abstract with bm25s: Lucene's formula, stop words, Snowball stems.

k1 and b are Anserini's defaults, which the published BEIR figures use. Papers that share no term
with the query are not returned.
"""

from __future__ import annotations

import bm25s
import Stemmer
from contract import Engine, Ranking, Request, run

_PARAMETERS = {"method": "lucene", "k1": 0.9, "b": 0.4}
_STOP_WORDS = "en"
_STEMMER = "english"


def build(request: Request) -> Engine:
    """Index the papers."""
    stemmer = Stemmer.Stemmer(_STEMMER)

    def tokens(texts: list[str]) -> bm25s.tokenization.Tokenized:
        return bm25s.tokenize(texts, stopwords=_STOP_WORDS, stemmer=stemmer, show_progress=False)

    index = bm25s.BM25(**_PARAMETERS)
    index.index(
        tokens([f"{paper.title} {paper.abstract}" for paper in request.papers]), show_progress=False
    )

    def search(text: str, k: int) -> Ranking:
        places, scores = index.retrieve(
            tokens([text]), k=min(k, len(request.papers)), show_progress=False
        )
        hits = zip(places[0].tolist(), scores[0].tolist(), strict=True)
        return [(request.papers[place].id, score) for place, score in hits if score > 0]

    return Engine(
        _PARAMETERS | {"stop_words": _STOP_WORDS, "stemmer": f"Snowball {_STEMMER}"}, search
    )


if __name__ == "__main__":
    run("bm25", ("bm25s", "PyStemmer", "numpy"), build)
