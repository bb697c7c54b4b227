"""A served language model: client, prompt budget, and form of the answers."""

from rag.llm.budget import Counter, Counters, fit, prompt_room
from rag.llm.client import LLM, Dialect, Ended, Message, Reading
from rag.llm.drafts import Draft, Drafts
from rag.llm.forms import (
    MOST_WORDS,
    Form,
    answer_form,
    choice_form,
    line_form,
    list_form,
    query_form,
    questions_form,
    verdict_form,
)
from rag.llm.parallel import Completion, complete, complete_all, complete_fitting

__all__ = [
    "LLM",
    "MOST_WORDS",
    "Completion",
    "Counter",
    "Counters",
    "Dialect",
    "Draft",
    "Drafts",
    "Ended",
    "Form",
    "Message",
    "Reading",
    "answer_form",
    "choice_form",
    "complete",
    "complete_all",
    "complete_fitting",
    "fit",
    "line_form",
    "list_form",
    "prompt_room",
    "query_form",
    "questions_form",
    "verdict_form",
]
