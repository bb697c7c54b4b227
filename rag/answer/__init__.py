"""Hits become an answer, or the word that the papers don't tell."""

from rag.answer.abstention import refusal_text
from rag.answer.abstracts import text_reply
from rag.answer.comparison import beside_reply, without_names
from rag.answer.extractive.quotations import Extractive
from rag.answer.generated.synthesis import Generated
from rag.answer.metadata.metadata_answers import catalog_reply
from rag.answer.reply import Reply
from rag.answer.synthesizer import Synthesizer

__all__ = [
    "Extractive",
    "Generated",
    "Reply",
    "Synthesizer",
    "beside_reply",
    "catalog_reply",
    "refusal_text",
    "text_reply",
    "without_names",
]
