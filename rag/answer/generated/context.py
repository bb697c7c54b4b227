"""What a language model is given to read: the sentences that come nearest to the question, numbered, paper by paper.

A number stands for a sentence, so that a mark points to that very sentence. Nothing here knows of prompts or tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from rag.answer.extractive.sentence_selection import leans
from rag.answer.relevance import Assessment
from rag.answer.sentence_scores import sentence_scores
from rag.library import PaperParts
from rag.models.embedder import Vectors
from rag.query.intent import asks_for_number
from rag.records import Hit, Sentence
from rag.search import SearchResult

# How much the logarithm of a paper's relevance, as a share of the best paper's, adds to its sentences' scores. With 0
# the sentence that answers was among those given for 76 of 100 points of facts, from 0.2 on for 91 (docs/LOG.md).
_RELEVANCE = 0.2
_LEAST = 1e-6  # of a relevance whose logarithm is taken
_MOST = 60  # sentences; a model reads more no better, and each needs a number


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Sentences of one paper that are given under one number; `rows` are their rows in the paper's parts."""

    hit: Hit
    parts: PaperParts
    rows: tuple[int, ...]

    @property
    def sentences(self) -> tuple[Sentence, ...]:
        """The sentences, in the paper's order."""
        return tuple(self.parts.sentences[row] for row in self.rows)

    @property
    def texts(self) -> list[str]:
        """The sentences as the paper has them, each on one line."""
        text = self.hit.paper.text
        return [" ".join(text[one.start : one.end].split()) for one in self.sentences]

    @property
    def text(self) -> str:
        """All of it on one line."""
        return " ".join(self.texts)

    @property
    def known(self) -> dict[str, Vectors]:
        """The library's unit vectors of the sentences, by their texts."""
        return dict(zip(self.texts, self.parts.sentence_vectors[list(self.rows)], strict=True))

    @property
    def whole(self) -> Excerpt:
        """All sentences of its paper but the title."""
        return replace(self, rows=tuple(_body(self.parts)))

    def first(self, sentences: int) -> Excerpt:
        """Cut it to so many sentences."""
        return replace(self, rows=self.rows[:sentences])


def whole_papers(result: SearchResult, rows: Iterable[int]) -> list[Excerpt]:
    """Give the papers in these rows of a search's hits with all their sentences but the title."""
    return [_excerpt(result, row, _body(result.evidence[row].parts)) for row in rows]


def ranked(question: str, result: SearchResult, assessment: Assessment) -> list[Excerpt]:
    """Rank the sentences of a search's hits by how well they and their papers answer, one to an excerpt."""
    best = max(float(assessment.relevance.max(initial=0.0)), _LEAST)
    scored = []
    for row in assessment.order:
        share = max(float(assessment.relevance[row]), _LEAST) / best
        scored += [
            (score + _RELEVANCE * math.log(share), row, sentence)
            for sentence, score in _scores(question, result, assessment, row).items()
        ]
    scored.sort(key=lambda one: -one[0])
    return [_excerpt(result, row, (sentence,)) for _, row, sentence in scored[:_MOST]]


def best_of_each(
    question: str, result: SearchResult, assessment: Assessment, rows: Iterable[int], most: int
) -> list[Excerpt]:
    """Give each of the papers in these rows with its best sentences, at most so many, as one excerpt."""
    excerpts = []
    for row in rows:
        scores = _scores(question, result, assessment, row)
        excerpts.append(
            _excerpt(result, row, sorted(sorted(scores, key=lambda one: -scores[one])[:most]))
        )
    return excerpts


def one_by_one(excerpts: Iterable[Excerpt]) -> list[Excerpt]:
    """Give each sentence of excerpts a number of its own."""
    return [replace(one, rows=(row,)) for one in excerpts for row in one.rows]


def arranged(excerpts: Sequence[Excerpt]) -> list[Excerpt]:
    """Put excerpts together by paper, the paper of the first one first, its sentences in their order.

    A sentence that begins with a word that points back is joined to the one before it, unless that is given too.
    """
    papers = {one.hit.paper.id: place for place, one in reversed(list(enumerate(excerpts)))}
    given = {(one.hit.paper.id, row) for one in excerpts for row in one.rows}
    ordered = sorted(excerpts, key=lambda one: (papers[one.hit.paper.id], one.rows))
    return [_with_antecedent(one, given) for one in ordered]


def numbered(excerpts: Sequence[Excerpt]) -> str:
    """Write excerpts as a model reads them: each paper's title, and below it its excerpts with their numbers."""
    lines = []
    for title, own in groupby(enumerate(excerpts, start=1), key=lambda one: one[1].hit.paper.title):
        lines += [" ".join(title.split()), *(f"[{number}] {one.text}" for number, one in own)]
    return "\n".join(lines)


def _with_antecedent(one: Excerpt, given: set[tuple[str, int]]) -> Excerpt:
    before = one.rows[0] - 1
    if (
        before in _body(one.parts)
        and (one.hit.paper.id, before) not in given
        and leans(one.texts[0])
    ):
        return replace(one, rows=(before, *one.rows))
    return one


def _scores(
    question: str, result: SearchResult, assessment: Assessment, row: int
) -> dict[int, float]:
    """Scores of a paper's sentences by their rows."""
    evidence = result.evidence[row]
    scores = sentence_scores(
        result.hits[row], evidence, assessment, number=asks_for_number(question)
    )
    return {n: scores[one] for n, one in enumerate(evidence.parts.sentences) if one in scores}


def _body(parts: PaperParts) -> range:
    """The rows of the abstract's sentences; of the title where there is no abstract."""
    return range(1 if len(parts.sentences) > 1 else 0, len(parts.sentences))


def _excerpt(result: SearchResult, row: int, rows: Iterable[int]) -> Excerpt:
    return Excerpt(result.hits[row], result.evidence[row].parts, tuple(rows))
