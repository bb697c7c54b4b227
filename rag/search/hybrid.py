"""A question becomes ranked papers: lexical and dense candidates, one fused order.

Four views of a paper are scored: BM25 over its words, and over their letters, the cosine of its best passage, and the
cosines of its two best sentences. Words and passages find the candidates, and every candidate gets all four scores.
Each view's scores are standardised over the candidates (z-scores) and added up with the weights of the configuration;
Fox and Shaw (1994) call a sum of normalised scores CombSUM.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rag.config import SearchConfig
from rag.library import Library, PaperParts
from rag.models.embedder import Embedder, Vectors, normalise
from rag.records import Found, Hit
from rag.text.passages import pieces

_MIN_SPREAD = 1e-9


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the search knows of one hit beyond the hit: its parts, and each sentence's cosine to the question."""

    parts: PaperParts
    cosines: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Ranked hits, best first; `evidence` row for row; `looked_at` counts the papers that were searched."""

    hits: tuple[Hit, ...]
    evidence: tuple[Evidence, ...]
    looked_at: int

    def first(self, k: int) -> SearchResult:
        """Cut it to so many hits."""
        return replace(self, hits=self.hits[:k], evidence=self.evidence[:k])


@dataclass(frozen=True, slots=True)
class _Scores:
    """One row a candidate: the scores of the four stages; NaN where a paper shares no word, or no letters."""

    ids: list[str]
    lexical: NDArray[np.float64]
    letters: NDArray[np.float64]
    dense: NDArray[np.float64]
    sentence: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question's unit vectors, to compare with those of passages and of sentences, each of shape (d,)."""

    of_passages: Vectors
    of_sentences: Vectors


def search(
    library: Library,
    embedder: Embedder,
    question: str,
    config: SearchConfig,
    k: int,
    among: Collection[str] | None = None,
) -> SearchResult:
    """The `k` best papers for a question, of those in `among` where that is given.

    Raises LibraryError where the library can't be read.
    """
    asked = question_vectors(embedder, question)
    # A filter may leave none of the usual number of candidates, so it is applied to as many as there may be.
    depth = (
        config.candidates
        if among is None
        else max(config.candidates, library.catalog.count("passages"))
    )
    found = {paper for paper, _ in library.matching(question, depth)}
    passages = library.catalog.passages(
        identity for identity, _ in library.nearest(asked.of_passages, depth)
    )
    found |= {passage.paper_id for passage in passages.values()}
    if among is not None:
        found &= set(among)
    by_words, by_letters = library.scores(question, found)
    # One state of the catalog, so that texts and offsets belong together whatever a writer does meanwhile.
    with library.catalog.snapshot():
        # A paper that was taken out since the indexes answered has no parts any more.
        parts = library.catalog.parts(sorted(found))
        scores = _score(parts, by_words, by_letters, asked)
        fused = fuse(scores.lexical, scores.letters, scores.dense, scores.sentence, config)
        order = sorted(range(len(fused)), key=lambda row: (-fused[row], scores.ids[row]))[:k]
        papers = library.catalog.papers(scores.ids[row] for row in order)
        looked_at = library.catalog.count() if among is None else len(set(among))
    hits, evidence = [], []
    for rank, row in enumerate(order, start=1):
        own = parts[scores.ids[row]]
        best = own.passages[int((own.passage_vectors @ asked.of_passages).argmax())]
        hits.append(
            Hit(papers[scores.ids[row]], best, float(fused[row]), rank, _found(scores, row))
        )
        evidence.append(Evidence(own, own.sentence_vectors @ asked.of_sentences))
    return SearchResult(tuple(hits), tuple(evidence), looked_at)


def _score(
    parts: Mapping[str, PaperParts],
    by_words: Mapping[str, float],
    by_letters: Mapping[str, float],
    asked: Asked,
) -> _Scores:
    ids = sorted(parts)
    return _Scores(
        ids,
        np.array([by_words.get(identity, np.nan) for identity in ids]),
        np.array([by_letters.get(identity, np.nan) for identity in ids]),
        np.array(
            [float((parts[identity].passage_vectors @ asked.of_passages).max()) for identity in ids]
        ),
        np.array(
            [
                _best_sentences(parts[identity].sentence_vectors @ asked.of_sentences)
                for identity in ids
            ]
        ),
    )


def question_vectors(embedder: Embedder, question: str) -> Asked:
    """The question's unit vectors, each of shape (d,); a long question's are the means over its pieces."""
    parts = pieces(question, embedder.count, embedder.identity.max_tokens)
    means = (
        normalise(vectors.mean(axis=0, keepdims=True))[0]
        for vectors in embedder.embed_questions(parts)
    )
    return Asked(*means)


def _best_sentences(cosines: NDArray[np.float32]) -> float:
    """A paper's best sentence, steadied by its second best, which single odd sentences don't have."""
    best = np.sort(cosines)[-2:]
    return float(0.75 * best[-1] + 0.25 * best[0])


def fuse(
    lexical: NDArray[np.float64],
    letters: NDArray[np.float64],
    dense: NDArray[np.float64],
    sentence: NDArray[np.float64],
    config: SearchConfig,
) -> NDArray[np.float64]:
    """The weighted sum of the stages' z-scores, shape (n,); a paper without a shared word has BM25 0."""
    weighted = (
        (config.lexical_weight, np.nan_to_num(lexical)),
        (config.letters_weight, np.nan_to_num(letters)),
        (config.dense_weight, dense),
        (config.sentence_weight, sentence),
    )
    total = np.zeros(len(dense))
    for weight, scores in weighted:
        if len(scores) and (spread := scores.std()) > _MIN_SPREAD:
            total += weight * (scores - scores.mean()) / spread
    return total


def _found(scores: _Scores, row: int) -> tuple[Found, ...]:
    stages = (
        Found("lexical", float(scores.lexical[row])),
        Found("letters", float(scores.letters[row])),
        Found("dense", float(scores.dense[row])),
        Found("sentence", float(scores.sentence[row])),
    )
    return tuple(one for one in stages if not np.isnan(one.score))
