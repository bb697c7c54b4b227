"""Questions on what the papers say: searched, weighed, and answered from their sentences or declined."""

from __future__ import annotations

from rag.answer.refusal import reason_to_decline
from rag.answer.relevance import assess
from rag.answer.reply import Reply
from rag.answer.synthesis import Synthesizer
from rag.config import Config
from rag.library import Library
from rag.models import Embedder
from rag.search import search


def text_reply(library: Library, embedder: Embedder, synthesizer: Synthesizer, question: str, config: Config) -> Reply:
    """The answer from the papers' texts."""
    result = search(library, embedder, question, config.search, config.answer.considered)
    assessment = assess(library, question, result)
    if reason := reason_to_decline(assessment, result.looked_at, config.answer.told):
        return Reply(result.hits, result.looked_at, refusal=reason, told=assessment.told)
    said = synthesizer.statements(question, result, assessment)
    return Reply(result.hits, result.looked_at, said, told=assessment.told)
