"""What an answer is made of: a comparison, a list of papers, findings of several papers, or a few sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rag.answer.relevance import Assessment
from rag.config import AnswerConfig
from rag.query.intent import asks_for_number, asks_for_papers, asks_to_compare

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


def shape_of(question: str, assessment: Assessment, config: AnswerConfig) -> Shape:
    """Choose the shape of an answer by what is asked, and by how many papers answer."""
    rows, alone = assessment.answering(config), assessment.stands_alone(_ALONE)
    if asks_to_compare(question) and len(rows) > 1:
        return Shape("comparison", tuple(rows[:_COMPARED]), alone)
    if asks_for_papers(question):
        return Shape("list", tuple(assessment.listed(config)), alone)
    if alone and question.rstrip().endswith("?"):
        rows = rows[:1]
    if len(rows) > 1 and not asks_for_number(question):
        return Shape(
            "findings", tuple(rows if len(rows) <= FEW else assessment.listed(config)), alone
        )
    return Shape("answer", tuple(rows), alone)
