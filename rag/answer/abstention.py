"""Decide when the papers do not answer a question, and say why."""

from __future__ import annotations

from collections.abc import Sequence

from rag.answer.relevance import Assessment
from rag.prompts import fill
from rag.records import Hit

_NEAREST = 3  # papers that a refusal lists


def reason_to_decline(assessment: Assessment, looked_at: int, threshold: float) -> str | None:
    """Return the reason why the papers do not answer, or None if they do."""
    asked = assessment.asked
    # If all papers are on the same subject, its words have almost no weight and the answerability
    # is low. A paper with all of the question's words answers anyway.
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
        return (
            f"{nothing} {'mention' if looked_at == 1 else 'mentions'} {words} in title or abstract"
        )
    if assessment.lacking:
        details = ", ".join(f"“{word}”" for word in assessment.lacking)
        return f"the nearest paper does not mention {details}"
    return f"{nothing} {'come' if looked_at == 1 else 'is'} close enough to the question"


def refusal_text(reason: str, hits: Sequence[Hit]) -> str:
    """Return the refusal that the user reads, with the nearest papers, one per line."""
    text = fill("not_found", reason=reason)
    nearest = "\n".join(f"- {hit.paper.title}" for hit in hits[:_NEAREST])
    return f"{text}\n{fill('nearest', nearest=nearest)}" if nearest else text


def declines(text: str) -> bool:
    """Check whether a model's sentence is, or contains, the refusal of prompts/refusal.md."""
    refusal = fill("refusal").rstrip(".")
    # Inside a sentence the case must match: "was not found to vanish" is no refusal, "The answer is
    # Not found" is.
    return refusal in text or text.strip(" .").casefold() == refusal.casefold()
