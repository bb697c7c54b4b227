"""Score each sentence of a paper by how well it answers; the scores choose what to quote."""

from __future__ import annotations

import re

from rag.answer.relevance import Assessment, coverage
from rag.records import Hit, Sentence
from rag.search import Evidence

# The score is the sentence's cosine to the question, plus these weights of the question's words in
# the sentence, and of a figure if the question asks for one. They were chosen on the development
# questions of the Daily Papers corpus; the bundled questions agree (docs/LOG.md).
_WORDS = 0.2
_FIGURE = 0.3
_SHORTEST = 4  # words; a shorter sentence is a fragment


def sentence_scores(
    hit: Hit, evidence: Evidence, assessment: Assessment, *, number: bool
) -> dict[Sentence, float]:
    """Score the paper's sentences; the title only if there is no abstract.

    `number` means that the question asks for a number.
    """
    text, parts = hit.paper.text, evidence.parts.sentences
    return {
        sentence: float(cosine)
        + _bonus(text[sentence.start : sentence.end], assessment, number=number)
        for sentence, cosine in zip(parts, evidence.cosines, strict=True)
        if sentence.start > 0 or len(parts) == 1
    }


def _bonus(text: str, assessment: Assessment, *, number: bool) -> float:
    figure = _FIGURE if number and re.search(r"\d", text) else 0.0
    # Penalise links to code and sentence fragments (splitting errors): they answer nothing.
    penalty = -1.0 if "://" in text or len(text.split()) < _SHORTEST else 0.0
    return _WORDS * coverage(text, assessment.asked) + figure + penalty
