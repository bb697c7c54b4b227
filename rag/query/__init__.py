"""A question and its history become one query; nothing here knows a hit."""

from rag.query.by_model import Reader
from rag.query.intent import asks_for_the_whole, without_comparison
from rag.query.metadata.people_rules import fold
from rag.query.named_papers import called, without_names
from rag.query.read import QuestionReader, checked_question

__all__ = [
    "QuestionReader",
    "Reader",
    "asks_for_the_whole",
    "called",
    "checked_question",
    "fold",
    "without_comparison",
    "without_names",
]
