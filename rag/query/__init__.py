"""Parse a question and its history into one query; this package knows nothing about hits."""

from rag.query.by_model import Reader
from rag.query.intent import asks_about_whole_paper, without_comparison
from rag.query.metadata.people_rules import fold
from rag.query.named_papers import called, without_names
from rag.query.read import QuestionReader, checked_question

__all__ = [
    "QuestionReader",
    "Reader",
    "asks_about_whole_paper",
    "called",
    "checked_question",
    "fold",
    "without_comparison",
    "without_names",
]
