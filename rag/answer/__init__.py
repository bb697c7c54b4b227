"""Hits become an answer, or the word that the papers don't tell."""

from rag.answer.beside import beside_reply, without_names
from rag.answer.catalog import catalog_reply
from rag.answer.extractive import Extractive
from rag.answer.generated import Generated
from rag.answer.kinds import asks_for_papers, asks_to_compare, asks_which
from rag.answer.refusal import refusal_text
from rag.answer.reply import Reply
from rag.answer.synthesis import Synthesizer
from rag.answer.text import text_reply

__all__ = [
    "Extractive",
    "Generated",
    "Reply",
    "Synthesizer",
    "asks_for_papers",
    "asks_to_compare",
    "asks_which",
    "beside_reply",
    "catalog_reply",
    "refusal_text",
    "text_reply",
    "without_names",
]
