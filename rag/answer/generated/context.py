"""The context of a language model: the sentences nearest to the question, numbered by paper.

Each excerpt has a number of its own, so that a citation number points to exactly those sentences.
This module knows nothing about prompts or tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from rag.answer.extractive.sentence_selection import points_back
from rag.answer.relevance import Assessment
from rag.answer.sentence_scores import sentence_scores
from rag.library import PaperParts
from rag.models.embedder import Vectors
from rag.query.intent import asks_for_number
from rag.records import Hit, Sentence
from rag.search import SearchResult

# The weight of log(paper's relevance / best paper's relevance) in the scores of its sentences.
# With 0 the context had the answering sentence for 76 of 100 factual points, from 0.2 on for 91
# (docs/LOG.md).
_RELEVANCE = 0.2
_LEAST = 1e-6  # smaller relevances are raised to this, because their logarithm is taken
_MOST = 60  # sentences: more did not improve the answers, and each one needs a number


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Sentences of one paper that share one number; `rows` are their rows in the paper's parts."""

    hit: Hit
    parts: PaperParts
    rows: tuple[int, ...]

    @property
    def sentences(self) -> tuple[Sentence, ...]:
        """The sentences, in the paper's order."""
        return tuple(self.parts.sentences[row] for row in self.rows)

    @property
    def texts(self) -> list[str]:
        """The texts of the sentences, each on one line."""
        text = self.hit.paper.text
        return [
            " ".join(text[sentence.start : sentence.end].split()) for sentence in self.sentences
        ]

    @property
    def text(self) -> str:
        """The text of all sentences on one line."""
        return " ".join(self.texts)

    @property
    def known(self) -> dict[str, Vectors]:
        """The library's unit vectors of the sentences, by the sentences' texts."""
        return dict(zip(self.texts, self.parts.sentence_vectors[list(self.rows)], strict=True))

    @property
    def whole_paper(self) -> Excerpt:
        """All sentences of the paper except the title."""
        return replace(self, rows=tuple(_body(self.parts)))

    def first(self, sentences: int) -> Excerpt:
        """Return the excerpt cut to its first `sentences` sentences."""
        return replace(self, rows=self.rows[:sentences])


def whole_papers(result: SearchResult, rows: Iterable[int]) -> list[Excerpt]:
    """Return an excerpt for each of these hits, with all sentences except the title."""
    return [_excerpt(result, row, _body(result.evidence[row].parts)) for row in rows]


def ranked(question: str, result: SearchResult, assessment: Assessment) -> list[Excerpt]:
    """Rank the hits' sentences by their own scores and their papers' relevance, one an excerpt."""
    best = max(float(assessment.relevance.max(initial=0.0)), _LEAST)
    scored = []
    for row in assessment.order:
        share = max(float(assessment.relevance[row]), _LEAST) / best
        scored += [
            (score + _RELEVANCE * math.log(share), row, sentence)
            for sentence, score in _scores(question, result, assessment, row).items()
        ]
    scored.sort(key=lambda candidate: -candidate[0])
    return [_excerpt(result, row, (sentence,)) for _, row, sentence in scored[:_MOST]]


def best_of_each(
    question: str, result: SearchResult, assessment: Assessment, rows: Iterable[int], most: int
) -> list[Excerpt]:
    """Return one excerpt for each of these hits, with its best sentences, at most `most`."""
    excerpts = []
    for row in rows:
        scores = _scores(question, result, assessment, row)
        best = sorted(scores, key=lambda sentence: -scores[sentence])[:most]
        excerpts.append(_excerpt(result, row, sorted(best)))
    return excerpts


def one_by_one(excerpts: Iterable[Excerpt]) -> list[Excerpt]:
    """Split excerpts so that each sentence has a number of its own."""
    return [replace(excerpt, rows=(row,)) for excerpt in excerpts for row in excerpt.rows]


def arranged(excerpts: Sequence[Excerpt]) -> list[Excerpt]:
    """Group excerpts by paper, in the order of each paper's first excerpt, then of its text.

    A sentence that begins with a reference back ("It", "This method") is joined to the sentence
    before it, unless the context has that sentence too.
    """
    # Reversed, so that the first excerpt of a paper decides.
    places = {excerpt.hit.paper.id: place for place, excerpt in reversed(list(enumerate(excerpts)))}
    given = {(excerpt.hit.paper.id, row) for excerpt in excerpts for row in excerpt.rows}
    ordered = sorted(excerpts, key=lambda excerpt: (places[excerpt.hit.paper.id], excerpt.rows))
    return [_with_antecedent(excerpt, given) for excerpt in ordered]


def numbered(excerpts: Sequence[Excerpt]) -> str:
    """Format excerpts for a prompt: each paper's title, and below it its numbered excerpts."""
    lines = []
    for title, group in groupby(
        enumerate(excerpts, start=1), key=lambda entry: entry[1].hit.paper.title
    ):
        lines.append(" ".join(title.split()))
        lines += [f"[{number}] {excerpt.text}" for number, excerpt in group]
    return "\n".join(lines)


def _with_antecedent(excerpt: Excerpt, given: set[tuple[str, int]]) -> Excerpt:
    before = excerpt.rows[0] - 1
    if (
        before in _body(excerpt.parts)
        and (excerpt.hit.paper.id, before) not in given
        and points_back(excerpt.texts[0])
    ):
        return replace(excerpt, rows=(before, *excerpt.rows))
    return excerpt


def _scores(
    question: str, result: SearchResult, assessment: Assessment, row: int
) -> dict[int, float]:
    """Score a paper's sentences, by their rows."""
    evidence = result.evidence[row]
    scores = sentence_scores(
        result.hits[row], evidence, assessment, number=asks_for_number(question)
    )
    return {
        number: scores[sentence]
        for number, sentence in enumerate(evidence.parts.sentences)
        if sentence in scores
    }


def _body(parts: PaperParts) -> range:
    """Return the rows of the abstract's sentences, or of the title if there is no abstract."""
    return range(1 if len(parts.sentences) > 1 else 0, len(parts.sentences))


def _excerpt(result: SearchResult, row: int, rows: Iterable[int]) -> Excerpt:
    return Excerpt(result.hits[row], result.evidence[row].parts, tuple(rows))
