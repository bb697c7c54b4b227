"""Which way to answer a query: by its intent and the papers that it names."""

from __future__ import annotations

from rag.answer.abstracts import abstracts_reply
from rag.answer.comparison import comparison_reply
from rag.answer.metadata.library_overview import overview_reply
from rag.answer.metadata.metadata_answers import metadata_reply
from rag.answer.reply import Pipeline, Reply
from rag.records import Intent, Query, Scope


def reply_to(
    pipeline: Pipeline, query: Query, scope: Scope, candidate_ids: frozenset[str] | None
) -> Reply:
    """Answer a query from the candidates (None: all papers); a refusal where none is left."""
    if query.intent is Intent.GREETING:
        return Reply((), 0, refusal="no question was asked", answerability=0.0)
    if query.missing:
        reason = f"no paper of this library has the id {query.missing}"
        return Reply((), pipeline.library.catalog.count(), refusal=reason, answerability=0.0)
    if candidate_ids is not None and not candidate_ids:
        limits = ", ".join([*scope.filters, *filter(None, [query.papers_in_words])])
        reason = f"no paper of the library is within the scope ({limits})"
        return Reply((), 0, refusal=reason, answerability=0.0)
    if query.intent is Intent.OVERVIEW:
        return overview_reply(pipeline, candidate_ids)
    if query.intent is Intent.METADATA:
        return metadata_reply(pipeline, query, candidate_ids)
    named = set(query.paper_ids) & (candidate_ids or frozenset())
    if len(named) > 1 and query.compared:
        return comparison_reply(pipeline, query, named)
    return abstracts_reply(pipeline, query, candidate_ids)
