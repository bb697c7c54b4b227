"""The library page: what its events give, and that no text of a paper is more than text."""

from types import SimpleNamespace

import pytest

from rag.assistant import Assistant
from rag.records import ExternalId
from tests.ui.conftest import HOSTILE, paper
from ui.drawing import first_lines, printed_date
from ui.library_page import PAGE, LibraryBrowser, feed, links, sheet
from ui.paper_list import Group

OPEN = ("", "Newest", "", "", "")  # words, order, year, file, organisation


def place(sighting) -> str:
    return sighting.source


def refreshed(assistant, controls=OPEN):
    """What the page shows: the feed, and the menus of year, file and organisation."""
    return LibraryBrowser(assistant, local=True).refresh(PAGE, *controls)


def test_a_missing_library_is_reported_in_words(fake) -> None:
    shown, *menus = refreshed(fake)
    assert 'role="alert"' in shown
    assert "there is no library in" in shown
    assert len(menus) == 3


def test_an_empty_library_says_what_to_do(fake, write_papers) -> None:
    fake.ingest([write_papers("one.jsonl", {"title": "Gone"})])
    fake.remove(next(fake.papers()).id)
    assert "No papers yet" in refreshed(fake)[0]


def test_it_lists_papers_and_offers_filters(fake, write_papers) -> None:
    fake.ingest(
        [
            write_papers(
                "a.jsonl",
                {"title": "Old", "published": "2019"},
                {"title": "New", "published": "2024"},
            )
        ]
    )
    shown, years, files, organisations = refreshed(fake)
    assert shown.index("New") < shown.index("Old")
    assert "2 papers" in shown
    assert [value for _, value in years["choices"]] == ["", "2024", "2019"]
    assert [value for _, value in files["choices"]] == ["", "a.jsonl"]
    assert [value for _, value in organisations["choices"]] == [""]


def test_a_filter_for_what_is_gone_is_dropped(fake, write_papers) -> None:
    fake.ingest([write_papers("a.jsonl", {"title": "Old", "published": "2019"})])
    shown, years, *_ = refreshed(fake, controls=("", "Newest", "1999", "", ""))
    assert years["value"] == ""
    assert "Old" in shown


def test_words_find_titles_first_and_then_what_is_near(fake, write_papers) -> None:
    rows = [
        {"title": "Walking robots", "abstract": "Legs."},
        {"title": "Gaits", "abstract": "How robots walk."},
    ]
    fake.ingest([write_papers("a.jsonl", *rows)])
    shown = refreshed(fake, controls=("robots", *OPEN[1:]))[0]
    assert shown.index("In the title") < shown.index("Walking") < shown.index("Nearest in meaning")
    assert shown.index("Nearest in meaning") < shown.index("Gaits")
    assert shown.count("Walking robots") == 1


def test_words_that_are_too_many_are_refused_in_words(fake, write_papers) -> None:
    fake.ingest([write_papers("a.jsonl", {"title": "One"})])
    words = "word " * fake.config.answer.max_question_characters
    assert 'role="alert"' in refreshed(fake, controls=(words, *OPEN[1:]))[0]


def test_more_papers_come_by_the_page() -> None:
    groups = [Group("", tuple(paper(f"Paper {n}") for n in range(PAGE + 5)))]
    shown = feed(groups, PAGE + 5, PAGE)
    assert shown.count('data-do="open"') == PAGE
    assert "Show 5 more of 5 papers" in shown
    assert 'data-do="more"' not in feed(groups, PAGE + 5, 2 * PAGE)


@pytest.mark.parametrize(
    "part", ["title", "abstract", "organisation", "authors", "url", "printed", "source"]
)
def test_texts_of_papers_are_only_shown(part) -> None:
    text = (HOSTILE,) if part == "authors" else HOSTILE
    hostile = paper(**{part: text}) if part == "title" else paper("Plain", **{part: text})
    for shown in (feed([Group("", (hostile,))], 1, PAGE), sheet(hostile, [hostile], place)):
        assert "<img" not in shown
        assert "<script" not in shown
        assert '"onmouseover' not in shown


def test_a_formula_is_set() -> None:
    assert "<math" in sheet(paper("On $x^2$", abstract=r"Let \(\alpha\) be small."), [], place)
    assert first_lines("word " * 70 + "$" + "x + " * 30 + "x$").count("$") == 0


def test_only_addresses_of_the_web_can_be_followed() -> None:
    names = (ExternalId("arxiv", "2401.00001"), ExternalId("doi", "10.1/x"))
    assert links(paper(external_ids=names)) == [
        ("arXiv", "2401.00001", ""),
        ("DOI", "10.1/x", ""),
        ("Link", "https://arxiv.org/abs/2401.00001", "https://arxiv.org/abs/2401.00001"),
    ]
    for address in (
        "javascript:alert(1)",
        "data:text/html,x",
        "//example.org",
        "file:///etc/passwd",
    ):
        assert links(paper(url=address)) == [("Link", address, "")]
    assert 'rel="noopener noreferrer"' in sheet(paper(url="https://example.org/a"), [], place)


def test_a_year_that_was_not_printed_is_called_inferred() -> None:
    assert (
        printed_date(paper(printed="Jun 26", published=(2025, 6, 26), inferred=True))
        == "Jun 26 (year inferred: 2025)"
    )
    assert printed_date(paper(printed="Jun 26, 2025", published=(2025, 6, 26))) == "Jun 26, 2025"
    assert printed_date(paper(published=(2023, 4))) == "2023-04"


def test_a_paper_is_opened_and_removed(fake, write_papers) -> None:
    fake.ingest(
        [
            write_papers(
                "a.jsonl",
                {"title": "One", "abstract": "Robots."},
                {"title": "Two", "abstract": "Robots."},
            )
        ]
    )
    browser = LibraryBrowser(fake, local=False)
    hostile = next(fake.papers())
    shown = browser.open(SimpleNamespace(id=hostile.id))
    assert "Robots." in shown
    assert "Two" in shown  # as a similar paper
    assert str(hostile.sightings[0].source) not in shown  # folders of the server are its own affair
    assert "a.jsonl</bdi>, line 1" in shown
    assert "no longer in the library" in browser.remove(SimpleNamespace(id=hostile.id))
    assert [paper.title for paper in fake.papers()] == ["Two"]
    assert "there is no paper" in browser.open(SimpleNamespace(id=hostile.id))
    assert "there is no paper" in browser.remove(SimpleNamespace(id="nonsense"))


def test_a_page_that_is_open_to_everybody_changes_nothing(demo_copy) -> None:
    with Assistant.open(home=demo_copy) as assistant:
        first = next(assistant.papers())
        browser = LibraryBrowser(assistant, local=False, editable=False)
        event = SimpleNamespace(id=first.id)
        assert "Remove" not in browser.open(event)
        assert "The library is read-only" in browser.remove(event)
        assert assistant.paper(first.id) == first
