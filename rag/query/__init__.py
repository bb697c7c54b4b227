"""A question and its history become one query; nothing here knows a hit."""

from rag.query.injection import without_instructions
from rag.query.intent import asks_for_papers, asks_to_compare, asks_which
from rag.query.language import foreign
from rag.query.metadata.parse import understand, understand_after
from rag.query.named_papers import called, named, side_by_side, unmentioned
from rag.query.spelling import correct, misspelt

__all__ = [
    "asks_for_papers",
    "asks_to_compare",
    "asks_which",
    "called",
    "correct",
    "foreign",
    "misspelt",
    "named",
    "side_by_side",
    "understand",
    "understand_after",
    "unmentioned",
    "without_instructions",
]
