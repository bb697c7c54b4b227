"""The bundled sample library: real titles, and summaries in our own words."""

import json
import re

import pytest

from rag.records import paper_id
from rag.resources import shipped

ROWS = [
    json.loads(line) for line in shipped("sample.jsonl").read_text(encoding="utf-8").splitlines()
]
RUN = 8  # words in a row that no summary may share with an abstract


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def runs(text: str) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[start : start + RUN]) for start in range(len(found) - RUN + 1)}


def test_there_are_enough_and_each_has_its_facts() -> None:
    assert len(ROWS) >= 40
    assert len({paper_id(row["title"]) for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert 80 <= len(row["abstract"].split()) <= 150, row["title"]
        assert row["published"]
        assert row["author_count"] >= 1


@pytest.mark.parametrize(
    "subject",
    [
        "density ratio",
        "offline",
        "preference",
        "diffusion",
        "out-of-distribution",
        "class-incremental",
        "length generalization",
    ],
)
def test_the_subjects_are_there(subject) -> None:
    assert any(subject in f"{row['title']} {row['abstract']}".lower() for row in ROWS)


def test_titles_dates_and_author_counts_are_the_papers_own(gold_papers) -> None:
    gold = {row["title"]: row for row in gold_papers}
    for row in ROWS:
        assert gold[row["title"]]["n_authors"] == row["author_count"]
        assert row["published"][:4] in gold[row["title"]]["date"]


def test_no_summary_repeats_an_abstract(pages) -> None:
    theirs = set().union(*(runs(path.read_text(encoding="utf-8")) for path in pages.glob("*.txt")))
    shared = {row["title"]: runs(row["abstract"]) & theirs for row in ROWS}
    assert {title: found for title, found in shared.items() if found} == {}
