"""The shape of an answer: a comparison, a list of papers, findings of several papers, or a few sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rag.answer.relevance import Assessment
from rag.config import AnswerConfig
from rag.records import Intent, Query

FEW = 2  # relevant papers are quoted at length, more are listed
_ALONE = 0.05  # of the best paper's odds: where the next has less, a question is about the best one (docs/LOG.md)
_COMPARED = 3  # papers that a comparison has

Kind = Literal["comparison", "list", "findings", "answer"]


@dataclass(frozen=True, slots=True)
class Shape:
    """The kind of an answer, and the rows of the hits that it is made from, most relevant first.

    A list is asked for; findings are what several papers say where no list is asked for. `alone` says that one paper
    answers far better than any other.
    """

    kind: Kind
    rows: tuple[int, ...]
    alone: bool


def shape_of(query: Query, assessment: Assessment, config: AnswerConfig) -> Shape:
    """Choose the shape of an answer by what is asked, and by how many papers answer."""
    rows, alone = assessment.answering(config), assessment.stands_alone(_ALONE)
    if query.intent is Intent.COMPARISON and len(rows) > 1:
        return Shape("comparison", tuple(rows[:_COMPARED]), alone)
    if query.papers_wanted:
        listed = assessment.listed(config)[: query.metadata.limit]
        return Shape("list", tuple(listed), alone)
    if alone and query.question.rstrip().endswith("?"):
        rows = rows[:1]
    if len(rows) > 1 and not query.quantity:
        return Shape(
            "findings", tuple(rows if len(rows) <= FEW else assessment.listed(config)), alone
        )
    return Shape("answer", tuple(rows), alone)
