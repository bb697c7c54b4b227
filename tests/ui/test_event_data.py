"""Events of the page accept any data: invalid values are reported or ignored."""

from __future__ import annotations

from typing import Any

import pytest

from rag.errors import InputError
from rag.records import Scope
from ui.event_data import EventValues


def test_texts_are_texts() -> None:
    sent = EventValues({"question": "why\ud800?", "title": ["a"], "papers": ["p-1", 2, None]})
    assert sent.text("question") == "why??"
    assert sent.text("nothing") == ""
    assert sent.texts("papers") == ("p-1",)
    with pytest.raises(InputError, match="title must be a text"):
        sent.text("title")


@pytest.mark.parametrize("number", [0, -1, 10**9, "1", None, 1.5])
def test_numbers_count_turns(number: Any) -> None:
    with pytest.raises(InputError, match="1 or more"):
        _ = EventValues({"number": number}).number
    assert EventValues({"number": 7}).number == 7


@pytest.mark.parametrize(
    "given", [None, 5, [], {}, {"papers": 5, "first_year": "2020", "sources": {"a": 1}}]
)
def test_an_invalid_scope_restricts_nothing(given: Any) -> None:
    assert EventValues({"scope": given}).scope == Scope()


def test_a_scope_is_read() -> None:
    scope = {
        "first_year": 2020,
        "last_year": None,
        "sources": ["a.jsonl"],
        "papers": ["p-1"],
        "without": ["newest"],
    }
    assert EventValues({"scope": scope}).scope == Scope(
        2020, None, ("a.jsonl",), (), ("p-1",), ("newest",)
    )
