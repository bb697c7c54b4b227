"""All that was said in an answer, as one record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from rag.answer.abstention import refusal_text
from rag.answer.reply import Pipeline, Reply
from rag.prompts import fill
from rag.records import NAMED_PAPERS, Answer, Filter, Hit, Intent, Progress, Query, Scope


def assembled(
    pipeline: Pipeline,
    query: Query,
    scope: Scope,
    reply: Reply,
    progress: Progress,
    timings: Mapping[str, float],
) -> Answer:
    """Return the answer to a query, once all events of its reply were added to `progress`."""
    cited = {citation.paper_id for citation in progress.citations}
    excluded = tuple(paper for paper in progress.excluded if paper.paper_id not in cited)
    settled = cited | {paper.paper_id for paper in excluded}
    named = [Filter(NAMED_PAPERS, query.papers_in_words)] if query.papers_in_words else []
    refused = progress.refusal is not None
    near_misses = tuple(hit for hit in reply.near_misses if hit.paper.id not in settled)
    return Answer(
        question=query.text,
        standalone_question=query.shown,
        text=_text(pipeline, query, reply, progress),
        citations=progress.citations,
        hits=_kept(reply.hits, cited, pipeline.config.search.hits),
        applied_filters=(*named, *reply.filters),
        refusal=progress.refusal,
        answerability=progress.answerability,
        looked_at=reply.looked_at,
        notices=tuple(progress.notices),
        near_misses=() if refused else near_misses,
        usage={**timings, **progress.counts},
        config=pipeline.config.fingerprint,
        made_by=progress.made_by,
        statements=() if refused else tuple(progress.statements),
        scope=scope,
        # If the model failed after its screening, quotations may come from any paper.
        excluded=excluded,
        intent=query.intent,
    )


def _text(pipeline: Pipeline, query: Query, reply: Reply, progress: Progress) -> str:
    if query.intent is Intent.GREETING:
        return fill("greeting", papers=pipeline.library.catalog.count())
    return refusal_text(progress.refusal, reply.hits) if progress.refusal else progress.text


def _kept(hits: Sequence[Hit], cited: Set[str], k: int) -> tuple[Hit, ...]:
    """Return the first `k` hits and, beyond them, those that the answer cites."""
    return tuple(hit for hit in hits if hit.rank <= k or hit.paper.id in cited)
