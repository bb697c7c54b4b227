"""Which papers the library page shows, and in what order."""

import pytest

from tests.ui.conftest import paper
from ui.paper_list import UNDATED, PaperQuery, Sort, choices, filtered, grouped, head, matching

NEW = paper("New", published=(2024, 5, 23), author_count=2, source="/b/two.txt")
MID = paper(
    "mid", published=(2024, 5, 2), comments=9, authors=("Ada Lovelace", "Bo"), source="/a/one.txt"
)
YEAR = paper("Year only", published=(2023,), organisation="OpenBMB", comments=12, author_count=11)
NONE = paper("No date", author_count=1)
ALL = [MID, NEW, NONE, YEAR]


def titles(groups):
    return [(group.heading, [paper.title for paper in group.papers]) for group in groups]


def test_the_newest_come_first_by_month_and_undated_ones_last() -> None:
    assert titles(grouped(ALL, PaperQuery())) == [
        ("May 2024", ["New", "mid"]),
        ("2023, month not known", ["Year only"]),
        ("Date not known", ["No date"]),
    ]


def test_the_oldest_come_first_and_undated_ones_still_last() -> None:
    assert [heading for heading, _ in titles(grouped(ALL, PaperQuery(sort=Sort.OLDEST)))] == [
        "2023, month not known",
        "May 2024",
        "Date not known",
    ]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        (Sort.DISCUSSED, ["Year only", "mid", "New", "No date"]),
        (Sort.TITLE, ["mid", "New", "No date", "Year only"]),
        (Sort.AUTHORS, ["Year only", "mid", "New", "No date"]),
    ],
)
def test_other_orders_have_no_headings(sort, order) -> None:
    assert titles(grouped(ALL, PaperQuery(sort=sort))) == [("", order)]


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        (PaperQuery(year="2024"), [MID, NEW]),
        (PaperQuery(year=UNDATED), [NONE]),
        (PaperQuery(source="two.txt"), [NEW]),
        (PaperQuery(organisation="OpenBMB"), [YEAR]),
        (PaperQuery(year="2024", organisation="OpenBMB"), []),
    ],
)
def test_filters_hold_together(wanted, kept) -> None:
    assert filtered(ALL, wanted) == kept
    assert bool(grouped(ALL, wanted)) == bool(kept)


def test_the_filters_offer_what_there_is() -> None:
    there = choices(ALL)
    assert there.years == ("2024", "2023", UNDATED)
    assert there.sources == ("one.txt", "two.txt")
    assert there.organisations == ("OpenBMB",)


def test_words_are_looked_for_in_titles_and_authors() -> None:
    assert matching(ALL, "LOVE mi") == [MID]
    assert matching(ALL, "nothing like it") == []


def test_a_page_ends_within_a_group() -> None:
    assert titles(head(grouped(ALL, PaperQuery()), 1)) == [("May 2024", ["New"])]
    assert titles(head(grouped(ALL, PaperQuery()), 3))[-1] == (
        "2023, month not known",
        ["Year only"],
    )
