"""Conversations are kept per user, survive anything, and judgements come out again."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag.conversations.journal import Feedback, Journal
from rag.errors import LibraryError, LibraryTooNew, NotFound
from rag.records import Answer, Citation, Scope, TextSpan

ROOT = Path(__file__).resolve().parents[2]


def answer(question: str, text: str = "Said.", **more) -> Answer:
    citations = (Citation(1, "p-1", "GLOW", (TextSpan(0, 4, "GLOW"),), 1.0),)
    return Answer(question, more.pop("standalone_question", question), text, citations, **more)


@pytest.fixture
def journal(tmp_path) -> Journal:
    return Journal(tmp_path / "home")


def test_a_conversation_is_kept(journal, tmp_path) -> None:
    talk = journal.start("ann", "Ratios")
    assert journal.add("ann", talk, answer("one?")) == 1
    assert journal.add("ann", talk, answer("two?")) == 2
    again = Journal(tmp_path / "home")
    turns = again.turns("ann", talk)
    assert [(turn.number, turn.answer) for turn in turns] == [
        (1, answer("one?")),
        (2, answer("two?")),
    ]
    assert turns[0].asked < turns[1].asked
    assert turns[0].asked.endswith("+00:00")
    [seen] = again.conversations("ann")
    assert (seen.id, seen.title, seen.turns) == (talk, "Ratios", 2)
    assert seen.started < seen.updated


def test_nothing_is_written_before_the_first_conversation(journal) -> None:
    assert journal.conversations("ann") == ()
    assert list(journal.feedback()) == []
    with pytest.raises(NotFound):
        journal.turns("ann", "c-1")
    with pytest.raises(NotFound):
        journal.add("ann", "c-1", answer("?"))
    assert not journal.path.exists()


def test_the_newest_comes_first_and_all_can_be_searched(journal) -> None:
    first, second = journal.start("ann", "100 % Straße"), journal.start("ann", "other")
    journal.add("ann", second, answer("What of GLOW_2?"))
    journal.add("ann", first, answer("?", "It uses ratios."))
    assert [conversation.id for conversation in journal.conversations("ann")] == [first, second]
    for matching, found in {
        "STRASSE": [first],
        "100 %": [first],
        "0_%": [],
        "glow_2": [second],
        "glowx2": [],
        "RATIOS": [first],
        "nothing": [],
        "  ": [first, second],
    }.items():
        assert [
            conversation.id for conversation in journal.conversations("ann", matching)
        ] == found, matching


def test_users_dont_see_each_other(journal) -> None:
    talk = journal.start("ann", "mine")
    journal.add("ann", talk, answer("one?"))
    assert journal.conversations("bob") == ()
    for trespass in (
        lambda: journal.turns("bob", talk),
        lambda: journal.add("bob", talk, answer("x?")),
        lambda: journal.cut("bob", talk, 1),
        lambda: journal.rename("bob", talk, "his"),
        lambda: journal.delete("bob", talk),
        lambda: journal.judge("bob", talk, 1, True),
    ):
        with pytest.raises(NotFound, match="no conversation"):
            trespass()
    assert [turn.good for turn in journal.turns("ann", talk)] == [None]


def test_turns_are_taken_back_but_stay_in_the_file(journal) -> None:
    talk = journal.start("ann", "t")
    for question in ("one?", "two?", "three?"):
        journal.add("ann", talk, answer(question))
    journal.cut("ann", talk, 2)
    assert journal.add("ann", talk, answer("zwei?")) == 2
    assert [turn.answer.question for turn in journal.turns("ann", talk)] == ["one?", "zwei?"]
    assert journal.conversations("ann", "three?") == ()
    assert journal.conversations("ann")[0].turns == 2
    with closing(sqlite3.connect(journal.path)) as db:
        assert db.execute("SELECT count(*) FROM turns WHERE replaced IS NOT NULL").fetchone() == (
            2,
        )


def test_rename_and_delete(journal) -> None:
    talk = journal.start("ann", "t")
    journal.add("ann", talk, answer("one?"))
    journal.rename("ann", talk, "Better")
    assert [conversation.title for conversation in journal.conversations("ann", "bett")] == [
        "Better"
    ]
    journal.delete("ann", talk)
    assert journal.conversations("ann") == ()
    with pytest.raises(NotFound):
        journal.turns("ann", talk)


def test_judgements(journal) -> None:
    talk = journal.start("ann", "t")
    journal.add("ann", talk, answer("one?"))
    journal.add(
        "ann", talk, answer("and it?", standalone_question="one? and it?", refusal="no paper is")
    )
    journal.add("ann", talk, answer("scoped?", scope=Scope(first_year=2020)))
    journal.judge("ann", talk, 1, True)
    journal.judge("ann", talk, 2, False, "it is there")
    journal.judge("ann", talk, 3, True)
    turns = journal.turns("ann", talk)
    assert [(turn.good, turn.word) for turn in turns] == [
        (True, ""),
        (False, "it is there"),
        (True, ""),
    ]
    first, second, third = journal.feedback()
    assert first == Feedback("one?", True, "", ("p-1",), None, turns[0].asked)
    assert second == Feedback(
        "and it?", False, "it is there", ("p-1",), "no paper is", turns[1].asked, ("one?",)
    )
    assert third.scoped
    journal.judge("ann", talk, 1, None)
    journal.cut("ann", talk, 3)
    assert [judgement.question for judgement in journal.feedback()] == ["and it?", "scoped?"]
    with pytest.raises(NotFound, match="no turn 9"):
        journal.judge("ann", talk, 9, True)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    user=st.text(), title=st.text(st.characters()), question=st.text(st.characters(), max_size=40)
)
def test_any_text_is_kept(tmp_path, user, title, question) -> None:
    journal = Journal(tmp_path / "any")
    talk = journal.start(user, title)
    journal.add(user, talk, answer(question))
    [turn] = journal.turns(user, talk)
    clean = question.encode("utf-8", "replace").decode()
    assert turn.answer == replace(answer(clean), standalone_question=clean)
    assert talk in {conversation.id for conversation in journal.conversations(user, title)}
    assert talk in {conversation.id for conversation in journal.conversations(user, question)}


@pytest.mark.parametrize(
    "content", [b"this is no database, " * 40, b"SQLite format 3\0" + b"\xff" * 4000]
)
def test_a_damaged_file_is_named_and_left(journal, content) -> None:
    journal.path.parent.mkdir()
    journal.path.write_bytes(content)
    for use in (lambda: journal.start("ann", "t"), lambda: journal.conversations("ann")):
        with pytest.raises(LibraryError, match="journal") as caught:
            use()
        assert "\n" not in str(caught.value)
    assert journal.path.read_bytes() == content


def test_a_newer_or_a_foreign_file_is_left(journal) -> None:
    journal.path.parent.mkdir()
    with closing(sqlite3.connect(journal.path)) as db:
        db.execute("CREATE TABLE theirs (x)")
    before = journal.path.read_bytes()
    with pytest.raises(LibraryError, match="not a library's journal"):
        journal.start("ann", "t")
    assert journal.path.read_bytes() == before
    with closing(sqlite3.connect(journal.path)) as db:
        db.execute("PRAGMA user_version = 7")
    with pytest.raises(LibraryTooNew, match="schema 7"):
        journal.start("ann", "t")


def test_a_damaged_turn_is_named(journal) -> None:
    talk = journal.start("ann", "t")
    journal.add("ann", talk, answer("one?"))
    with closing(sqlite3.connect(journal.path)) as db, db:
        db.execute("UPDATE turns SET record = '{}'")
    with pytest.raises(LibraryError, match="the saved answer is damaged at question"):
        journal.turns("ann", talk)


def test_many_threads(journal) -> None:
    def talk(user: str) -> None:
        conversation = journal.start(user, "t")
        for number in range(5):
            assert journal.add(user, conversation, answer(f"{user} {number}?")) == number + 1

    threads = [threading.Thread(target=talk, args=(f"user{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n in range(8):
        [conversation] = journal.conversations(f"user{n}")
        asked = [turn.answer.question for turn in journal.turns(f"user{n}", conversation.id)]
        assert asked == [f"user{n} {number}?" for number in range(5)]


# Adds turns without end, and says which one is kept when the call has returned.
WRITER = """
import sys
from pathlib import Path
from rag.conversations.journal import Journal
from tests.conversations.test_journal import answer
journal, user = Journal(Path(sys.argv[1])), sys.argv[2]
talk = journal.start(user, "t")
print(talk, flush=True)
for number in range(int(sys.argv[3])):
    print(journal.add(user, talk, answer(f"{number}?", "x" * 20_000)), flush=True)
"""


def writer(journal: Journal, user: str, turns: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(journal.path.parent), user, str(turns)]
    return subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.mark.crash
def test_killed_writers_lose_no_turn(journal) -> None:
    rng = random.Random(6)
    for user in ("a", "b", "c", "d", "e", "f"):
        with writer(journal, user, 100_000) as process:
            assert process.stdout
            talk = process.stdout.readline().strip()
            process.stdout.readline()
            time.sleep(rng.uniform(0, 0.3))
            os.kill(process.pid, signal.SIGKILL)
            said = [int(line) for line in process.stdout.read().splitlines() if line.strip()]
        turns = journal.turns(user, talk)
        assert [turn.number for turn in turns] == list(range(1, len(turns) + 1))
        assert len(turns) >= max(said, default=1)
        assert journal.add(user, talk, answer("on?")) == len(turns) + 1


@pytest.mark.processes
def test_two_processes_make_and_write_one_journal(journal) -> None:
    processes = {user: writer(journal, user, 60) for user in ("ann", "bob")}
    for user, process in processes.items():
        out, err = process.communicate(timeout=100)
        assert process.returncode == 0, err
        talk, *numbers = out.split()
        assert numbers == [str(n) for n in range(1, 61)]
        assert len(journal.turns(user, talk)) == 60
