"""A served language model: its client, the budget of its prompt, and the form of its answers."""

from rag.llm.budget import Counter, Counters, fit, prompt_room
from rag.llm.client import LLM, Ended, Message
from rag.llm.grammar import (
    answer_grammar,
    choice_grammar,
    line_grammar,
    list_grammar,
    query_grammar,
    questions_grammar,
    verdict_grammar,
)
from rag.llm.marks import Draft, Drafts
from rag.llm.parallel import Completion, complete, complete_all, complete_fitting

__all__ = [
    "LLM",
    "Completion",
    "Counter",
    "Counters",
    "Draft",
    "Drafts",
    "Ended",
    "Message",
    "answer_grammar",
    "choice_grammar",
    "complete",
    "complete_all",
    "complete_fitting",
    "fit",
    "line_grammar",
    "list_grammar",
    "prompt_room",
    "query_grammar",
    "questions_grammar",
    "verdict_grammar",
]
