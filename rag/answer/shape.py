"""Choose the shape of an answer: a comparison, a list, findings, or a few sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rag.answer.relevance import Assessment
from rag.config import AnswerConfig
from rag.records import Intent, Query

FEW = 2  # relevant papers that are quoted at length; more papers are listed
# If the second paper's odds are below this share of the best paper's, the question is about the
# best paper (docs/LOG.md).
_ALONE = 0.05
_COMPARED = 3  # papers in a comparison, at most

Kind = Literal["comparison", "list", "findings", "answer"]


@dataclass(frozen=True, slots=True)
class Shape:
    """The kind of an answer, and the rows of the hits that it uses, most relevant first.

    A "list" is asked for; "findings" are sentences of several papers without a list being asked
    for. `alone` means that one paper answers far better than any other.
    """

    kind: Kind
    rows: tuple[int, ...]
    alone: bool


def shape_of(query: Query, assessment: Assessment, config: AnswerConfig) -> Shape:
    """Choose the shape of an answer by what is asked, and by how many papers answer."""
    rows, alone = assessment.answering(config), assessment.has_clear_best(_ALONE)
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
