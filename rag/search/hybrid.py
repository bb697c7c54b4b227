"""Hybrid search: lexical and dense retrieval of candidates, fused into one ranking.

A paper has four scores: BM25 over words, BM25 over character n-grams ("letters"), the cosine of its
best passage, and the cosines of its two best sentences. Words and passages find the candidates, and
every candidate gets all four scores. Each kind of score is standardised over the candidates
(z-scores); the sum is weighted by the configuration. Fox and Shaw (1994) call a sum of normalised
scores CombSUM.
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

_MIN_SPREAD = 1e-9  # scores with a smaller standard deviation do not separate the candidates


@dataclass(frozen=True, slots=True)
class Evidence:
    """The passages and sentences of one hit, and each sentence's cosine to the question."""

    parts: PaperParts
    cosines: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Hits, best first, the evidence of each, and the number of papers searched (`looked_at`)."""

    hits: tuple[Hit, ...]
    evidence: tuple[Evidence, ...]
    looked_at: int

    def first(self, k: int) -> SearchResult:
        """Return the result cut to its first `k` hits."""
        return replace(self, hits=self.hits[:k], evidence=self.evidence[:k])


@dataclass(frozen=True, slots=True)
class _Scores:
    """The four scores of each candidate, row for row.

    `lexical` and `ngrams` are NaN for a paper that shares no word or no n-gram with the question.
    """

    ids: list[str]
    lexical: NDArray[np.float64]
    ngrams: NDArray[np.float64]
    dense: NDArray[np.float64]
    sentence: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class QuestionVectors:
    """A question's unit vectors, one for passages and one for sentences, each of shape (d,)."""

    for_passages: Vectors
    for_sentences: Vectors


def search(
    library: Library,
    embedder: Embedder,
    question: str,
    config: SearchConfig,
    k: int,
    candidate_ids: Collection[str] | None = None,
) -> SearchResult:
    """Return the `k` best papers for a question, from `candidate_ids` if given.

    Raises LibraryError if the library can't be read.
    """
    vectors = question_vectors(embedder, question)
    # A filter might exclude all of the usual candidates, so a filtered search looks at everything.
    depth = (
        config.candidates
        if candidate_ids is None
        else max(config.candidates, library.catalog.count("passages"))
    )
    found = {paper_id for paper_id, _ in library.matching(question, depth)}
    passages = library.catalog.passages(
        passage_id for passage_id, _ in library.nearest(vectors.for_passages, depth)
    )
    found |= {passage.paper_id for passage in passages.values()}
    if candidate_ids is not None:
        found &= set(candidate_ids)
    by_words, by_ngrams = library.scores(question, found)
    # One snapshot of the catalog, so that texts and offsets agree while another process writes.
    with library.catalog.snapshot():
        # A paper that was deleted after the indexes answered has no parts any more.
        parts = library.catalog.parts(sorted(found))
        scores = _score(parts, by_words, by_ngrams, vectors)
        fused = fuse(scores.lexical, scores.ngrams, scores.dense, scores.sentence, config)
        order = sorted(range(len(fused)), key=lambda row: (-fused[row], scores.ids[row]))[:k]
        papers = library.catalog.papers(scores.ids[row] for row in order)
        looked_at = library.catalog.count() if candidate_ids is None else len(set(candidate_ids))
    hits, evidence = [], []
    for rank, row in enumerate(order, start=1):
        paper_parts = parts[scores.ids[row]]
        cosines = paper_parts.passage_vectors @ vectors.for_passages
        best = paper_parts.passages[int(cosines.argmax())]
        hits.append(
            Hit(papers[scores.ids[row]], best, float(fused[row]), rank, _found(scores, row))
        )
        evidence.append(Evidence(paper_parts, paper_parts.sentence_vectors @ vectors.for_sentences))
    return SearchResult(tuple(hits), tuple(evidence), looked_at)


def _score(
    parts: Mapping[str, PaperParts],
    by_words: Mapping[str, float],
    by_ngrams: Mapping[str, float],
    vectors: QuestionVectors,
) -> _Scores:
    ids = sorted(parts)
    return _Scores(
        ids,
        np.array([by_words.get(paper_id, np.nan) for paper_id in ids]),
        np.array([by_ngrams.get(paper_id, np.nan) for paper_id in ids]),
        np.array(
            [
                float((parts[paper_id].passage_vectors @ vectors.for_passages).max())
                for paper_id in ids
            ]
        ),
        np.array(
            [
                _best_sentences(parts[paper_id].sentence_vectors @ vectors.for_sentences)
                for paper_id in ids
            ]
        ),
    )


def question_vectors(embedder: Embedder, question: str) -> QuestionVectors:
    """Embed a question to unit vectors of shape (d,).

    A question that is longer than the embedder reads gets the mean of its pieces' vectors.
    """
    parts = pieces(question, embedder.count, embedder.identity.max_tokens)
    means = (
        normalise(vectors.mean(axis=0, keepdims=True))[0]
        for vectors in embedder.embed_questions(parts)
    )
    return QuestionVectors(*means)


def _best_sentences(cosines: NDArray[np.float32]) -> float:
    """Average the best cosine and the second best, 3 to 1, so that one odd sentence counts less."""
    best = np.sort(cosines)[-2:]
    return float(0.75 * best[-1] + 0.25 * best[0])


def fuse(
    lexical: NDArray[np.float64],
    ngrams: NDArray[np.float64],
    dense: NDArray[np.float64],
    sentence: NDArray[np.float64],
    config: SearchConfig,
) -> NDArray[np.float64]:
    """Add up the weighted z-scores of the four stages, shape (n,).

    NaN, a paper that shares no word or no n-gram with the question, counts as a BM25 score of 0.
    """
    weighted = (
        (config.lexical_weight, np.nan_to_num(lexical)),
        (config.letters_weight, np.nan_to_num(ngrams)),
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
        Found("letters", float(scores.ngrams[row])),
        Found("dense", float(scores.dense[row])),
        Found("sentence", float(scores.sentence[row])),
    )
    return tuple(stage for stage in stages if not np.isnan(stage.score))
