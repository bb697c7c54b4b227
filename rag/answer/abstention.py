"""Saying that the papers don't tell, and why."""

from __future__ import annotations

from collections.abc import Sequence

from rag.answer.relevance import Assessment
from rag.prompts import fill
from rag.records import Hit

_NEAREST = 3


def reason_to_decline(assessment: Assessment, looked_at: int, threshold: float) -> str | None:
    """Why the papers don't tell, or None where they do."""
    asked = assessment.asked
    # Where every paper is on the same subject, its words weigh nothing; a paper that has them all is an answer.
    answerable = assessment.answerability >= threshold or assessment.covered
    if answerable and (not asked.weights or len(asked.unknown) < len(asked.weights)):
        return None
    nothing = (
        "the one paper that was searched does not"
        if looked_at == 1
        else f"none of the {looked_at} papers"
    )
    if asked.unknown:
        words = ", ".join(f"“{term}”" for term in asked.unknown)
        return f"{nothing} {'mention' if looked_at == 1 else 'mentions'} {words}"
    if assessment.lacking:
        details = ", ".join(f"“{word}”" for word in assessment.lacking)
        return f"the paper that comes nearest has no word of {details}"
    return f"{nothing} {'come' if looked_at == 1 else 'is'} close enough to the question"


def refusal_text(reason: str, hits: Sequence[Hit]) -> str:
    """The refusal as the user reads it; the nearest papers, where there are any, one a line."""
    said = fill("not_found", reason=reason)
    nearest = "\n".join(f"- {hit.paper.title}" for hit in hits[:_NEAREST])
    return f"{said}\n{fill('nearest', nearest=nearest)}" if nearest else said


def declines(text: str) -> bool:
    """Whether a model's sentence is the refusal of prompts/refusal.md, or holds it: "The answer is Not found."."""
    refusal = fill("refusal").rstrip(".")
    # With its capital letter, since "was not found to vanish" refuses nothing.
    return refusal in text or text.strip(" .").casefold() == refusal.casefold()
