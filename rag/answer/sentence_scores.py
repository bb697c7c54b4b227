"""How well does each sentence of a paper answer? What quotations and the context of a language model are chosen by."""

from __future__ import annotations

import re

from rag.answer.relevance import Assessment, coverage
from rag.records import Hit, Sentence
from rag.search import Evidence

# What counts beside a sentence's cosine to the question: the question's words in it, and a figure where one is asked
# for. Chosen on the dev questions of the Daily Papers corpus; the bundled questions agree (docs/LOG.md).
_WORDS = 0.2
_FIGURE = 0.3
_SCRAP = 4  # words


def sentence_scores(
    hit: Hit, evidence: Evidence, assessment: Assessment, *, number: bool
) -> dict[Sentence, float]:
    """Score the paper's sentences, the title only where there is nothing else; `number` says that one is asked for."""
    text, parts = hit.paper.text, evidence.parts.sentences
    return {
        sentence: float(cosine)
        + _bonus(text[sentence.start : sentence.end], assessment, number=number)
        for sentence, cosine in zip(parts, evidence.cosines, strict=True)
        if sentence.start > 0 or len(parts) == 1
    }


def _bonus(text: str, assessment: Assessment, *, number: bool) -> float:
    figure = _FIGURE if number and re.search(r"\d", text) else 0.0
    # A link to code, and scraps that a full stop in debris cut off, answer nothing.
    empty = -1.0 if "://" in text or len(text.split()) < _SCRAP else 0.0
    return _WORDS * coverage(text, assessment.asked) + figure + empty
