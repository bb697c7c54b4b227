"""Compare named papers: search each of them for the aspect that the question compares."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

import numpy as np

from rag.answer.abstention import reason_to_decline
from rag.answer.relevance import assess
from rag.answer.reply import Pipeline, Reply
from rag.query import asks_about_whole_paper, without_comparison, without_names
from rag.records import NamedPaper, Query
from rag.search import SearchResult


def comparison_reply(pipeline: Pipeline, query: Query, candidate_ids: Collection[str]) -> Reply:
    """Answer from the named papers that are candidates.

    The reply is a refusal if none of the papers is about what the question asks.
    """
    library, config = pipeline.library, pipeline.config.answer
    named = [paper for paper in query.papers if paper.paper_id in candidate_ids]
    names = [paper.name for paper in named]
    aspect = without_comparison(without_names(query.search_text, names))
    whole_paper = asks_about_whole_paper(aspect)
    papers = library.catalog.papers(dict.fromkeys(paper.paper_id for paper in named))
    # A paper's own name helps to search it; the names of the other papers do not.
    asked = {
        paper_id: paper.title
        if whole_paper
        else without_names(query.search_text, _others(named, paper_id))
        for paper_id, paper in papers.items()
    }
    found = {
        paper_id: pipeline.searcher.search(text, 1, {paper_id}) for paper_id, text in asked.items()
    }
    joined = _joined(found.values())
    relevance = [
        assess(library, asked[paper_id], result, config).relevance.max(initial=0.0)
        for paper_id, result in found.items()
    ]
    answerability = 1.0
    if not whole_paper:
        joint = assess(library, query.search_text, joined, config).answerability
        answerability = float(max([*relevance, joint]))
    # The names select the papers. The rest of the question ranks their sentences; if nothing is
    # left, use the names.
    assessment = replace(
        assess(library, " ".join(names) if whole_paper else aspect, joined, config),
        relevance=np.ones(len(joined.hits)),
        answerability=answerability,
    )
    if not whole_paper:
        reason = reason_to_decline(assessment, joined.looked_at, config.relevance)
        if reason:
            return Reply(joined.hits, joined.looked_at, refusal=reason, answerability=answerability)
    events = pipeline.synthesizer.statements(query, joined, assessment)
    return Reply(joined.hits, joined.looked_at, events, answerability=answerability)


def _joined(found: Iterable[SearchResult]) -> SearchResult:
    """Return the hits of several searches, ranked in their order."""
    pairs = [pair for result in found for pair in zip(result.hits, result.evidence, strict=True)]
    hits = tuple(replace(hit, rank=rank) for rank, (hit, _) in enumerate(pairs, start=1))
    return SearchResult(hits, tuple(evidence for _, evidence in pairs), len(hits))


def _others(named: Iterable[NamedPaper], paper_id: str) -> list[str]:
    """Return the names of the other papers."""
    return [paper.name for paper in named if paper.paper_id != paper_id]
