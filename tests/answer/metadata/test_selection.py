"""Papers that meet conditions on metadata, and which of them come first."""

import pytest

from rag.answer.metadata.selection import meeting, top
from rag.library import PaperFacts
from rag.records import (
    AnyOf,
    ByAuthor,
    ByOrganisation,
    CountRange,
    DateRange,
    InCategory,
    Order,
    Presence,
)

FACTS = [
    PaperFacts("day", (2024, 3, 9), 3, "OpenBMB", 4, 12, ("Ada Lovelace",), ("cs.RO",)),
    PaperFacts("month", (2024, 3), 20),
    PaperFacts("year", (2024,), 20, None, 0),
    PaperFacts("old", (2012, 11, 18), 1),
    PaperFacts("bare", (), None),
]


@pytest.mark.parametrize(
    ("condition", "ids"),
    [
        (DateRange((2024,), (2024,)), ["day", "month", "year"]),
        (DateRange((2024, 3), (2024, 3)), ["day", "month"]),
        (DateRange(first=(2024,)), ["day", "month", "year"]),
        (DateRange(first=(2024, 3)), ["day", "month"]),
        (DateRange(last=(2024, 3, 9)), ["day", "old"]),
        (DateRange(last=(2024, 12)), ["day", "month", "year", "old"]),
        (DateRange((2024,), (2024,), outside=True), ["old"]),
        (DateRange((2024, 3), (2024, 3), outside=True), ["old"]),
        (DateRange(last=(2024, 3, 8), outside=True), ["day"]),
        (AnyOf((DateRange((2012,), (2012,)), CountRange("author_count", 3, 3))), ["day", "old"]),
        (Presence("published", known=False), ["bare"]),
        (Presence("author_count"), ["day", "month", "year", "old"]),
        (CountRange("author_count", 20), ["month", "year"]),
        (CountRange("author_count", 20, 20, outside=True), ["day", "old"]),
        (CountRange("comments", 0, 0), ["year"]),
        (CountRange("upvotes", 10), ["day"]),
        (ByOrganisation("openbmb"), ["day"]),
        (ByAuthor("Lovelace", ("Ada Lovelace",)), ["day"]),
        (ByAuthor("Babbage"), []),
        (InCategory("cs.RO"), ["day"]),
    ],
)
def test_conditions(condition, ids) -> None:
    assert [paper.id for paper in meeting(FACTS, [condition])] == ids


@pytest.mark.parametrize(
    ("order", "ids"),
    [
        (Order("published", descending=False), ["old"]),
        (Order("published", descending=True), ["day"]),
        (Order("author_count", descending=True), ["month", "year"]),
        (Order("comments", descending=True), ["day"]),
        (Order("published", descending=True, number=2), ["day", "month"]),
        (Order("author_count", descending=False, number=3), ["old", "day", "month", "year"]),
        (Order("comments", descending=True, number=9), ["day", "year"]),
        (Order("author_count", descending=True, place=2), ["day"]),
        (Order("author_count", descending=True, number=None), ["month", "year", "day", "old"]),
    ],
)
def test_the_top_with_ties(order, ids) -> None:
    assert [paper.id for paper in top(FACTS, order)] == ids
    assert top(FACTS[4:], order) == []
