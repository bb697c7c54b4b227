"""Hits become an answer, or a refusal that says why the papers do not answer."""

from rag.answer.assembly import assembled
from rag.answer.extractive.quotations import Extractive
from rag.answer.generated.synthesis import Generated
from rag.answer.reply import Pipeline, Reply, in_a_foreign_language
from rag.answer.routing import reply_to
from rag.answer.synthesizer import Synthesizer

__all__ = [
    "Extractive",
    "Generated",
    "Pipeline",
    "Reply",
    "Synthesizer",
    "assembled",
    "in_a_foreign_language",
    "reply_to",
]
