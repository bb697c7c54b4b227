"""A question from the page becomes a turn."""

from __future__ import annotations

import logging

import pytest

from rag.assistant import Assistant
from rag.conversations.journal import Journal
from rag.errors import LibraryBusy
from rag.records import Answer, Scope
from ui.answer_stream import AskRequest, answering
from ui.service import QuestionQueue, RateLimiter, Service

QUESTION = "which papers study density ratios in RL?"


class Interrupted(Assistant):
    """Answers, but can't look for what may be asked next."""

    def follow_ups(self, answer: Answer, k: int = 3, *, by_model: bool = True) -> tuple[str, ...]:
        raise LibraryBusy("the library is being rebuilt")


@pytest.mark.parametrize("kind", [Assistant, Interrupted])
def test_an_answer_is_complete_with_or_without_follow_up_questions(kind, demo_copy, caplog) -> None:
    with kind.open(home=demo_copy) as assistant, caplog.at_level(logging.WARNING):
        service = Service(assistant, Journal(demo_copy), QuestionQueue(1), RateLimiter(10))
        request = AskRequest("anna", "", 1, False, "run", QUESTION, Scope())
        turns = [view for _, view in answering(service, request)]
    assert turns[-1].answer
    assert [turn.error for turn in turns if turn.error] == []
    assert bool(turns[-1].follow_ups) is (kind is Assistant)
    assert ("the library is being rebuilt" in caplog.text) is (kind is Interrupted)
