"""Turns of a conversation as HTML."""

from rag.records import Answer, Excluded
from ui.turns import TurnView, parts


def test_excluded_papers_are_listed_with_their_reasons() -> None:
    reasons = (
        Excluded("p-1", "A title", "It is on <b>bananas</b>."),
        Excluded("p-2", "Another", "It is on apples."),
    )
    body = parts(TurnView.from_answer(1, Answer("q", "q", "t", excluded=reasons)))["body"]
    assert "2 papers excluded, with reasons" in body
    assert "&lt;b&gt;bananas" in body
    assert "excluded" not in parts(TurnView.from_answer(1, Answer("q", "q", "t")))["body"]
