"""The map: where the dots are, and that a title is only text."""

import re

from tests.ui.conftest import HOSTILE, paper
from ui.map import LibraryMap, dots, map_html

OLD = paper("Old", published=(2014, 1, 2))
NEW = paper("New", published=(2024,))
NONE = paper("Undated")
PAPERS = {paper.id: paper for paper in (NEW, NONE, OLD)}
POSITIONS = {OLD.id: (-1.0, 5.0), NEW.id: (3.0, 5.0), NONE.id: (1.0, 5.0), "p-gone": (9.0, 9.0)}


def test_dots_fill_the_map_and_newer_ones_lie_on_top() -> None:
    made = dots(PAPERS, POSITIONS, {NEW.id})
    assert [(dot.paper.title, dot.x, dot.y) for dot in made] == [
        ("Undated", 50.0, 50.0),
        ("Old", 3.0, 50.0),
        ("New", 97.0, 50.0),
    ]
    assert [dot.newness for dot in made] == [None, 0, 100]
    assert [dot.found for dot in made] == [False, False, True]


def test_every_dot_names_its_paper_and_tab_reaches_a_dot() -> None:
    drawn = map_html(dots(PAPERS, POSITIONS, set()), [])
    assert len(re.findall(r"<circle", drawn)) == 3
    assert drawn.count('tabindex="0"') == 1
    assert 'aria-label="New, 2024"' in drawn
    assert "no date" in drawn
    assert "map-searched" not in drawn


def test_what_is_found_is_listed_too() -> None:
    drawn = map_html(dots(PAPERS, POSITIONS, {OLD.id}), [OLD])
    assert "map-searched" in drawn
    assert drawn.count("map-found") == 1
    assert drawn.count(f'data-id="{OLD.id}"') == 2


def test_a_title_is_only_text() -> None:
    hostile = paper(HOSTILE)
    drawn = map_html(dots({hostile.id: hostile}, {hostile.id: (0.0, 0.0)}, set()), [hostile])
    assert "<img" not in drawn
    assert '"onmouseover' not in drawn


def test_a_map_of_nothing_says_so() -> None:
    assert "No papers yet" in map_html([], [])


def test_the_library_is_drawn_and_words_light_up_papers(fake, write_papers) -> None:
    assert "there is no library in" in LibraryMap(fake).draw("")
    rows = [{"title": f"Paper {n}", "abstract": f"Word{n} and word{n + 1}."} for n in range(20)]
    fake.ingest([write_papers("a.jsonl", *rows)])
    assert LibraryMap(fake).draw(" ").count("<circle") == 20
    drawn = LibraryMap(fake).draw("word3")
    assert 0 < drawn.count("map-found") < 20
    assert "Paper 3" in drawn[drawn.index("Highlighted") :]
