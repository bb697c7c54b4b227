"""Ids, dates and texts."""

from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.records import Paper, PublishedDate, normalise_title, paper_id


def test_an_id_is_the_hash_of_the_normalised_title() -> None:
    # printf 'attention is all you need' | sha256sum | cut -c 1-16
    assert paper_id("Attention Is All You Need") == "p-4a1c934d3d98f3ce"
    assert paper_id("attention  is all-you need!") == "p-4a1c934d3d98f3ce"
    assert normalise_title("  \uff21ttention: Is *All* You_Need? ") == "attention is all you need"


@given(st.text())
def test_normalising_twice_changes_nothing(title) -> None:
    once = normalise_title(title)
    assert normalise_title(once) == once


def test_dates_say_their_precision() -> None:
    assert [
        str(PublishedDate(2024)),
        str(PublishedDate(2024, 3)),
        str(PublishedDate(2024, 3, 9)),
    ] == [
        "2024",
        "2024-03",
        "2024-03-09",
    ]
    assert PublishedDate(2024, 3).precision == "month"


def test_the_text_and_its_freeze() -> None:
    paper = Paper("p-1", "Title", "Abstract.")
    assert paper.text == "Title\n\nAbstract."
    with pytest.raises(FrozenInstanceError):
        paper.title = "Other"
