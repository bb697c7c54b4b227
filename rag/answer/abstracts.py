"""Questions on what the papers say: searched, weighed, and answered from their sentences or declined."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from rag.answer.abstention import reason_to_decline
from rag.answer.relevance import assess
from rag.answer.reply import Reply
from rag.answer.synthesizer import Synthesizer
from rag.config import Config
from rag.query.intent import asks_for_papers, asks_for_the_whole
from rag.search import Searcher

_FEW = 10  # papers


def text_reply(
    searcher: Searcher,
    synthesizer: Synthesizer,
    question: str,
    config: Config,
    among: Collection[str] | None = None,
) -> Reply:
    """The answer from the texts of the papers, or of those in `among`."""
    if among is not None and len(among) == 1 and asks_for_the_whole(question):
        return _whole_paper(searcher, synthesizer, question, next(iter(among)), config)
    result = searcher.search(question, config.answer.considered, among)
    assessment = assess(searcher.library, question, result, config.answer)
    threshold = synthesizer.least_answerability
    if among is not None and len(among) < _FEW:
        # The model of what the papers tell was fitted on whole libraries; of a few papers the best one's relevance
        # says enough.
        assessment = replace(assessment, answerability=float(assessment.relevance.max(initial=0.0)))
        threshold = config.answer.relevance
    if reason := reason_to_decline(assessment, result.looked_at, threshold):
        return Reply(
            result.hits, result.looked_at, refusal=reason, answerability=assessment.answerability
        )
    said = synthesizer.statements(question, result, assessment)
    below = assessment.near_misses(config.answer) if asks_for_papers(question) else []
    near_misses = tuple(result.hits[row] for row in below)
    return Reply(
        result.hits,
        result.looked_at,
        said,
        answerability=assessment.answerability,
        near_misses=near_misses,
    )


def _whole_paper(
    searcher: Searcher, synthesizer: Synthesizer, question: str, identity: str, config: Config
) -> Reply:
    """What one paper is about: the sentences nearest its title."""
    title = searcher.library.catalog.paper(identity).title
    result = searcher.search(title, 1, {identity})
    assessment = replace(assess(searcher.library, title, result, config.answer), answerability=1.0)
    return Reply(
        result.hits, result.looked_at, synthesizer.statements(title, result, assessment, question)
    )
