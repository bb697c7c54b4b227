"""Answer questions about the papers' texts: search, assess, then answer or decline."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from rag.answer.abstention import reason_to_decline
from rag.answer.relevance import assess
from rag.answer.reply import Pipeline, Reply
from rag.records import Query

_FEW = 10  # papers; for fewer candidates the answerability model is not used


def abstracts_reply(
    pipeline: Pipeline, query: Query, candidate_ids: Collection[str] | None = None
) -> Reply:
    """Answer from the texts of all papers, or of those in `candidate_ids`."""
    if candidate_ids is not None and len(candidate_ids) == 1 and query.whole_paper:
        return _summary(pipeline, query, next(iter(candidate_ids)))
    config = pipeline.config.answer
    result = pipeline.searcher.search(query.search_text, config.considered, candidate_ids)
    assessment = assess(pipeline.library, query.search_text, result, config)
    threshold = pipeline.synthesizer.least_answerability
    if candidate_ids is not None and len(candidate_ids) < _FEW:
        # The answerability model was fitted on complete libraries. For a few papers the best
        # paper's relevance is used instead.
        best = float(assessment.relevance.max(initial=0.0))
        assessment, threshold = replace(assessment, answerability=best), config.relevance
    if reason := reason_to_decline(assessment, result.looked_at, threshold):
        return Reply(
            result.hits,
            result.looked_at,
            refusal=reason,
            answerability=assessment.answerability,
        )
    rows = assessment.near_misses(config) if query.papers_wanted else []
    return Reply(
        result.hits,
        result.looked_at,
        pipeline.synthesizer.statements(query, result, assessment),
        answerability=assessment.answerability,
        near_misses=tuple(result.hits[row] for row in rows),
    )


def _summary(pipeline: Pipeline, query: Query, paper_id: str) -> Reply:
    """Summarise a paper by the sentences nearest to its title."""
    title = pipeline.library.catalog.paper(paper_id).title
    result = pipeline.searcher.search(title, 1, {paper_id})
    assessment = assess(pipeline.library, title, result, pipeline.config.answer)
    events = pipeline.synthesizer.statements(
        replace(query, search_text=title), result, replace(assessment, answerability=1.0)
    )
    return Reply(result.hits, result.looked_at, events)
