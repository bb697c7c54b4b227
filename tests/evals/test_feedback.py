"""Feedback becomes a suite that runs; nothing is judged that no reader judged."""

import json

import pytest

import evals
from evals.feedback import write_suite
from rag.conversations.journal import Journal
from rag.errors import InputError
from rag.records import Scope

pytestmark = pytest.mark.slow

QUESTION = "which papers study density ratios in RL?"


@pytest.fixture
def judged(demo, tmp_path) -> Journal:
    """Two good answers (one a follow-up), a good refusal, a bad answer, a good scoped answer."""
    journal = Journal(tmp_path / "journal")
    talk = journal.start("ann", "t")
    first = demo.ask(QUESTION)
    asked = [
        (first, True, ""),
        (demo.ask("How does the second one explore?", [first]), True, ""),
        (demo.ask("What is the best pizza recipe?"), True, ""),
        (demo.ask("which papers prune?"), False, "misses one"),
        (demo.ask(QUESTION, scope=Scope(first_year=2024)), True, "fine"),
    ]
    for answer, good, word in asked:
        journal.judge("ann", talk, journal.add("ann", talk, answer), good, word)
    return journal


def rows(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_feedback_is_a_suite(demo, judged, tmp_path, monkeypatch) -> None:
    folder = tmp_path / "suite"
    assert write_suite(demo.papers(), judged.feedback(), folder) == (3, 2)
    good, follow_up, refusal = rows(folder / "questions.jsonl")
    assert set(good["relevant"]) == {hit.paper.title for hit in demo.ask(QUESTION).sources}
    assert follow_up["turns"] == [QUESTION, "How does the second one explore?"]
    assert refusal["relevant"] == {}
    bad, scoped = rows(folder / "apart.jsonl")
    assert (bad["word"], "relevant" in bad) == ("misses one", False)
    assert "scope" in scoped["why"]
    monkeypatch.chdir(tmp_path)
    run = evals.run([str(folder)], home=str(tmp_path / "evals"))
    values = {(row.case, row.measure): row.value for row in run.rows}
    assert values["feedback-1", "cited-paper recall"] == 1.0
    assert values["feedback-3", "answered wrongly"] == 0.0


def test_questions_alone(demo, judged, tmp_path) -> None:
    assert write_suite(demo.papers(), judged.feedback(), tmp_path / "q.jsonl") == (3, 2)
    assert len(rows(tmp_path / "q.jsonl")) == 3
    assert len(rows(tmp_path / "q.apart.jsonl")) == 2


def test_what_is_there_is_not_written_over(demo, judged, tmp_path) -> None:
    (tmp_path / "q.jsonl").write_text("mine")
    for target in (tmp_path / "q.jsonl", tmp_path):
        with pytest.raises(InputError, match="already exists"):
            write_suite(demo.papers(), judged.feedback(), target)
    assert (tmp_path / "q.jsonl").read_text() == "mine"


def test_no_feedback(demo, tmp_path) -> None:
    with pytest.raises(InputError, match="no feedback yet"):
        write_suite(demo.papers(), [], tmp_path / "s")
