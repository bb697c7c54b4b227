"""Saved Daily Papers pages: real ones against their gold parse, special cases on made ones."""

from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import SourceError
from rag.records import Paper, PublishedDate
from rag.sources import find
from rag.sources.daily_papers import read

HEADER = (
    "new\n\nGet trending papers in your email inbox!\n\nSubscribe\n\nDaily Papers\n\n"
    "byAK and the research community\n\nDec 11\n\n"
)


@pytest.fixture
def page(tmp_path):
    def write(body: str, header: str = HEADER) -> Path:
        path = tmp_path / "page.txt"
        path.write_text(header + body, encoding="utf-8")
        return path

    return write


def papers(path: Path, **options) -> list[Paper]:
    entries = list(read(path, **options))
    assert [entry.error for entry in entries if entry.error] == []
    return [entry.paper for entry in entries]


def errors(path: Path) -> list[str]:
    return [str(entry.error) for entry in read(path) if entry.error]


def test_the_real_pages_give_the_gold_parse(pages, gold_papers) -> None:
    expected = {
        (name, line): (row["title"], row["date"], row["n_authors"], row["org"], row["comments"])
        for row in gold_papers
        for name, line in zip(row["pages"], row["lines"], strict=True)
    }
    parsed = {}
    for path in find([pages]):
        for paper in papers(path):
            seen = paper.sightings[0]
            facts = (
                paper.title,
                seen.printed_date,
                paper.author_count,
                paper.organisation,
                seen.comments,
            )
            parsed[path.name, seen.line] = facts
    assert parsed == expected
    assert sorted(Counter(name for name, _ in parsed).values()) == [30, 39, 68, 74, 93]


def test_an_entry_with_everything(page) -> None:
    [paper] = papers(page("A title?\n\nAn abstract.\n\n  • 12 authors\n·\nJan 7, 2021 3\n"))
    assert (paper.title, paper.abstract, paper.author_count) == ("A title?", "An abstract.", 12)
    assert paper.published == PublishedDate(2021, 1, 7)
    seen = paper.sightings[0]
    assert (seen.line, seen.printed_date, seen.comments) == (13, "Jan 7, 2021", 3)


def test_a_single_author_and_an_organisation(page) -> None:
    first, second = papers(
        page(
            "One\n\nText.\n\n  • 1 authors\n·\nMay 2, 2020\n\n"
            "Two\n\nText.\n\nopenbmb OpenBMB\n·\nDec 5, 2024 2\n"
        )
    )
    assert (first.author_count, first.organisation) == (1, None)
    assert (second.author_count, second.organisation) == (None, "openbmb OpenBMB")


def test_an_abstract_that_runs_into_the_next_title(page) -> None:
    first, second = papers(
        page(
            "one title --\n\nText without a full stop\n\n"
            "Two $f$\n\nText.\n\n• 2 authors\n·\nMay 2, 2020"
        )
    )
    assert (first.title, first.abstract, first.published, first.author_count) == (
        "one title --",
        "Text without a full stop",
        None,
        None,
    )
    assert (second.title, second.abstract) == ("Two $f$", "Text.")


def test_a_date_without_a_year_gets_the_latest_year_plus_one(page) -> None:
    dates = ("May 2", "May 2, 2019", "Jun 4, 2022 9")
    path = page(
        "".join(f"Title {n}\n\nText.\n\n• 2 authors\n·\n{date}\n\n" for n, date in enumerate(dates))
    )
    assert [paper.published for paper in papers(path)] == [
        PublishedDate(2023, 5, 2, inferred=True),
        PublishedDate(2019, 5, 2),
        PublishedDate(2022, 6, 4),
    ]
    assert papers(path, page_year=2025)[0].published == PublishedDate(2025, 5, 2, inferred=True)


def test_no_year_on_the_page_means_no_year(page) -> None:
    [paper] = papers(page("A\n\nT.\n\n• 2 authors\n·\nMay 2 4"))
    assert paper.published is None
    assert (paper.printed_date, paper.comments) == ("May 2", 4)


def test_an_abstract_of_several_paragraphs(page) -> None:
    long = "A long paragraph of an abstract. " * 12
    [paper] = papers(page(f"A\n\n{long}\n\n{long}\n\nA short end.\n\n• 2 authors\n·\nMay 2, 2020"))
    assert paper.abstract == f"{long.strip()}\n{long.strip()}\nA short end."


def test_windows_line_ends_and_a_byte_order_mark(tmp_path) -> None:
    path = tmp_path / "page.txt"
    path.write_bytes(
        b"\xef\xbb\xbf"
        + (HEADER + "A\n\nT.\n\n• 2 authors\n·\nMay 2, 2020").replace("\n", "\r\n").encode()
    )
    assert papers(path)[0].title == "A"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("A\n\nT.\n\n• 2 authors\n·\n", "'A': the file ends before its date"),
        ("A\n\nT.\n\n• 2 authors\n·\nsoon", "the date 'soon' can't be read"),
        ("A\n\nT.\n\n• 2 authors\n·\nFeb 30, 2020", "'Feb 30, 2020' is not a valid date"),
        ("A\n\nText that breaks off in the mid", "cut off"),
        ("A lonely title", "has no abstract: the file ends there"),
        ("A\n\n• 2 authors\n·\nMay 2, 2020", "'A' has no abstract"),
        ("• 2 authors\n·\nMay 2, 2020", "no title and abstract"),
    ],
)
def test_a_broken_entry_is_reported_and_the_good_entry_kept(page, body, said) -> None:
    path = page("Good\n\nText.\n\n• 2 authors\n·\nMay 2, 2020\n\n" + body)
    assert [entry.paper.title for entry in read(path) if entry.paper] == ["Good"]
    [error] = errors(path)
    assert said in error
    assert "line 21" in error


def test_invalid_utf8_spoils_its_own_entry_only(tmp_path) -> None:
    path = tmp_path / "page.txt"
    entry = b"%s\n\nText.\n\n  \xe2\x80\xa2 2 authors\n\xc2\xb7\nMay 2, 2020\n\n"
    path.write_bytes(HEADER.encode() + entry % b"One" + entry % b"Tw\xff" + entry % b"Three")
    assert [entry.paper.title for entry in read(path) if entry.paper] == ["One", "Three"]
    assert "line 21" in errors(path)[0]
    assert "0xff" in errors(path)[0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b" \n\n", "the file is empty"),
        (b"Welcome to another site\n\nDec 11\n", "not a saved Daily Papers page"),
        (b"Daily Papers\n\nno date here\n", "no date follows"),
        (b"Daily Papers\n\nDec 11\n\nA\0B\n", "binary file"),
    ],
)
def test_what_is_no_page_is_refused(tmp_path, content, said) -> None:
    path = tmp_path / "page.txt"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=said):
        list(read(path))


WORDS = st.lists(
    st.from_regex(r"[A-Za-z][a-z0-9$?-]{0,9}", fullmatch=True), min_size=1, max_size=12
).map(" ".join)
ENTRIES = st.lists(
    st.tuples(
        WORDS,
        WORDS.map(lambda text: text + "."),
        st.one_of(st.none(), st.integers(1, 99)),
        st.tuples(
            st.sampled_from(["Jan 1", "Sep 30", "Feb 29"]),
            st.one_of(st.none(), st.integers(2000, 2030)),
        ),
        st.one_of(st.none(), st.integers(0, 999)),
    ),
    min_size=1,
    max_size=6,
)


@given(entries=ENTRIES)
def test_any_page_is_read_back(entries, tmp_path_factory) -> None:
    body = ""
    for title, abstract, authors, (day, year), comments in entries:
        body += f"{title}\n\n{abstract}\n\n"
        if authors:
            date = (
                day
                + (f", {year}" if year else "")
                + (f" {comments}" if comments is not None else "")
            )
            body += f"  • {authors} authors\n·\n{date}\n\n"
    path = tmp_path_factory.mktemp("page") / "page.txt"
    path.write_text(HEADER + body, encoding="utf-8")
    parsed = list(read(path))
    # Feb 29 of a year that has none is the one thing that can be wrong with these entries.
    for entry, (title, abstract, authors, (day, year), comments) in zip(
        parsed, entries, strict=True
    ):
        if entry.error:
            assert day == "Feb 29"
            continue
        assert (entry.paper.title, entry.paper.abstract, entry.paper.author_count) == (
            title,
            abstract,
            authors,
        )
        if authors:
            assert entry.paper.sightings[0].printed_date == day + (f", {year}" if year else "")
            assert entry.paper.comments == comments


@given(
    st.binary(max_size=300),
    st.sampled_from([b"", HEADER.encode(), HEADER.encode() + b"A\n\nB.\n\n"]),
)
def test_any_bytes_give_entries_or_one_clear_error(tmp_path_factory, noise, start) -> None:
    path = tmp_path_factory.mktemp("noise") / "page.txt"
    path.write_bytes(start + noise)
    # A SourceError is the one exception that is allowed.
    with suppress(SourceError):
        assert all((entry.paper is None) != (entry.error is None) for entry in read(path))
