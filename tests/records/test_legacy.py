"""Conversations and bundles that were kept when filters were named by their English words.

The files in data/ were written by the version before filters had ids.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from rag.conversations.journal import Journal
from rag.output import bundle
from rag.records import NAMED_PAPERS
from rag.records.legacy import current_id, current_ids

DATA = Path(__file__).with_name("data")


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("date = 2023", "published:2023..2023"),
        ("date != 2023-05", "published:!2023-05..2023-05"),
        ("date < 2017", "published:..2016"),
        ("date > 2024-12", "published:2025-01.."),
        ("date >= 2024-03-09", "published:2024-03-09.."),
        ("date = 2018 or 2020", "any(published:2018..2018|published:2020..2020)"),
        ("date > that of GLOW", "published:>GLOW"),
        ("number of authors >= 3", "author_count:3.."),
        ("number of comments > 0", "comments:1.."),
        ("organisation = OpenBMB", "organisation:OpenBMB"),
        ("no date", "lacks:published"),
        ("organisation known", "has:organisation"),
        ("newest", "order:published:descending:1:1"),
        ("3 newest", "order:published:descending:3:1"),
        ("second newest", "order:published:descending:1:2"),
        ("2 with the most authors", "order:author_count:descending:2:1"),
        ("oldest first", "order:published:ascending:all:1"),
        ("not XDen-1K", "not-paper:XDen-1K"),
        ("only “A Title: Of a Paper”", NAMED_PAPERS),
        ("published:2023..2023", "published:2023..2023"),
    ],
)
def test_words_become_ids(words, wanted) -> None:
    assert current_id(words) == wanted


def test_two_ends_become_one_filter() -> None:
    ids = current_ids(["date >= 2023", "date <= 2024-05"])
    assert "published:2023..2024-05" in ids


def test_a_kept_conversation_is_read(tmp_path) -> None:
    with closing(sqlite3.connect(tmp_path / "journal.db")) as database:
        database.executescript((DATA / "journal-of-prose-filters.sql").read_text("utf-8"))
    journal = Journal(tmp_path)
    [conversation] = journal.conversations("")
    first, second, third, fourth = (turn.answer for turn in journal.turns("", conversation.id))
    assert first.filters == ("number of authors >= 3",)
    assert [item.id for item in first.applied_filters] == ["author_count:3.."]
    assert first.scope.without == ("published:2023..2023",)
    assert second.scope.first_year == 2015
    assert second.scope.without == ("order:published:descending:3:1",)
    assert [item.id for item in third.applied_filters] == [NAMED_PAPERS]
    assert fourth.scope.without == (NAMED_PAPERS,)


def test_a_kept_bundle_asks_the_same_question(demo) -> None:
    kept = bundle.load(DATA / "bundle-of-prose-filters.json")
    assert kept.scope.without == ("published:2023..2023",)
    answer = demo.ask(kept.question, scope=kept.scope)
    assert [item.id for item in answer.applied_filters] == ["author_count:3.."]
    assert kept.passages[0]["paper_id"] == answer.hits[0].paper.id
