"""Conversations and what readers think of the answers, in a database of its own beside the library.

It needs no lock of the library. Each operation is one short transaction on a connection of its own, so threads and
processes share the file; what was added is on the disk before the call returns.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rag.errors import InputError, LibraryError, LibraryTooNew, NotFound
from rag.library.schema import described, schema_version
from rag.records import Answer
from rag.records.json_format import answer_from, kept_row

_VERSION = 1
_PATIENCE = 30.0  # seconds that a writer waits for others
_SCHEMA = (
    """CREATE TABLE conversations (
        id TEXT PRIMARY KEY, user TEXT NOT NULL, title TEXT NOT NULL,
        folded TEXT NOT NULL,          -- the title, case-folded for searching
        started TEXT NOT NULL, updated TEXT NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX conversations_user ON conversations (user, updated)",
    """CREATE TABLE turns (
        key INTEGER PRIMARY KEY AUTOINCREMENT, conversation TEXT NOT NULL, number INTEGER NOT NULL,
        asked TEXT NOT NULL, folded TEXT NOT NULL,  -- question and answer, case-folded
        record TEXT NOT NULL,          -- the answer as JSON
        good INTEGER, word TEXT NOT NULL DEFAULT '',
        replaced TEXT                  -- when the turn was taken back, NULL for one that stands
    )""",
    "CREATE UNIQUE INDEX turns_number ON turns (conversation, number) WHERE replaced IS NULL",
    "CREATE INDEX turns_conversation ON turns (conversation)",
)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation at a glance; `started` and `updated` are UTC ISO times, `turns` counts those that stand."""

    id: str
    title: str
    started: str
    updated: str
    turns: int


@dataclass(frozen=True, slots=True)
class KeptTurn:
    """A question and its answer, `number` from 1; `good` and `word` are the reader's judgement, None where none."""

    number: int
    asked: str
    answer: Answer
    good: bool | None = None
    word: str = ""


@dataclass(frozen=True, slots=True)
class Feedback:
    """A judgement of one answer: `papers` are the ids that it cited, `turns` the questions that it went on from.

    `scoped` says that the reader had restricted the papers; `asked` is the UTC ISO time of the question.
    """

    question: str
    good: bool
    word: str
    papers: tuple[str, ...]
    refusal: str | None
    asked: str
    turns: tuple[str, ...] = ()
    scoped: bool = False


class Journal:
    """The conversations of all users of a library, kept in `journal.db` in its folder, which the first one makes.

    A user sees and changes only what is theirs: all else is NotFound. Raises LibraryError where the file is damaged
    or can't be written, LibraryTooNew where a later version wrote it; the file is then left as it is.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal.db"

    def start(self, user: str, title: str) -> str:
        """Begin a conversation and return its id."""
        identity, now = f"c-{secrets.token_hex(8)}", _now()
        with self._writing(create=True) as db:
            row = (identity, _clean(user), _clean(title), _clean(title).casefold(), now, now)
            db.execute("INSERT INTO conversations VALUES (?, ?, ?, ?, ?, ?)", row)
        return identity

    def conversations(self, user: str, matching: str = "") -> tuple[Conversation, ...]:
        """A user's conversations, newest first; with `matching` those with it in a title, a question or an answer."""
        query = """SELECT id, title, started, updated,
            (SELECT count(*) FROM turns WHERE conversation = c.id AND replaced IS NULL) FROM conversations AS c
            WHERE user = ?1 AND (?2 = '' OR instr(folded, ?2) OR EXISTS (SELECT 1 FROM turns
            WHERE conversation = c.id AND replaced IS NULL AND instr(folded, ?2))) ORDER BY updated DESC, id"""
        with self._reading() as db:
            rows = db.execute(query, (_clean(user), _clean(matching).strip().casefold())).fetchall()
        return tuple(Conversation(*row) for row in rows)

    def add(self, user: str, conversation: str, answer: Answer) -> int:
        """Keep an answer as the next turn and return its number."""
        record = json.dumps(kept_row(answer), ensure_ascii=False)
        folded = f"{answer.question}\n{answer.text}".casefold()
        now = _now()
        with self._writing() as db:
            _check_own(db, user, conversation)
            [last] = db.execute(
                "SELECT coalesce(max(number), 0) FROM turns WHERE conversation = ? AND replaced IS NULL",
                (conversation,),
            ).fetchone()
            row = (conversation, last + 1, now, _clean(folded), _clean(record))
            db.execute(
                "INSERT INTO turns (conversation, number, asked, folded, record) VALUES (?, ?, ?, ?, ?)",
                row,
            )
            db.execute("UPDATE conversations SET updated = ? WHERE id = ?", (now, conversation))
        return int(last) + 1

    def turns(self, user: str, conversation: str) -> tuple[KeptTurn, ...]:
        """The turns that stand, in their order."""
        query = """SELECT number, asked, record, good, word FROM turns
            WHERE conversation = ? AND replaced IS NULL ORDER BY number"""
        with self._reading() as db:
            _check_own(db, user, conversation)
            rows = db.execute(query, (conversation,)).fetchall()
        return tuple(
            KeptTurn(
                number, asked, self._answer(record), None if good is None else bool(good), word
            )
            for number, asked, record, good, word in rows
        )

    def cut(self, user: str, conversation: str, number: int) -> None:
        """Take back the turns from this number on; the file keeps them, marked as replaced."""
        query = "UPDATE turns SET replaced = ? WHERE conversation = ? AND number >= ? AND replaced IS NULL"
        with self._writing() as db:
            _check_own(db, user, conversation)
            db.execute(query, (_now(), conversation, number))

    def rename(self, user: str, conversation: str, title: str) -> None:
        """Give a conversation another title."""
        with self._writing() as db:
            _check_own(db, user, conversation)
            row = (_clean(title), _clean(title).casefold(), conversation)
            db.execute("UPDATE conversations SET title = ?, folded = ? WHERE id = ?", row)

    def delete(self, user: str, conversation: str) -> None:
        """Delete a conversation with its turns and their judgements, for good."""
        with self._writing() as db:
            _check_own(db, user, conversation)
            db.execute("DELETE FROM turns WHERE conversation = ?", (conversation,))
            db.execute("DELETE FROM conversations WHERE id = ?", (conversation,))

    def judge(
        self, user: str, conversation: str, number: int, good: bool | None, word: str = ""
    ) -> None:
        """Say whether a turn's answer was good, and why; None takes the judgement back."""
        query = "UPDATE turns SET good = ?, word = ? WHERE conversation = ? AND number = ? AND replaced IS NULL"
        with self._writing() as db:
            _check_own(db, user, conversation)
            if not db.execute(query, (good, _clean(word), conversation, number)).rowcount:
                raise NotFound(f"the conversation has no turn {number}")

    def feedback(self) -> Iterator[Feedback]:
        """All judgements of all users, oldest question first; those of turns taken back since are among them."""
        query = "SELECT key, conversation, asked, record, good, word FROM turns WHERE good IS NOT NULL ORDER BY key"
        before = """SELECT record ->> 'question' FROM turns WHERE conversation = ? AND key < ?
            AND (replaced IS NULL OR replaced > ?) ORDER BY key"""
        with self._reading() as db:
            rows = db.execute(query).fetchall()
            earlier = {
                row[0]: [one for (one,) in db.execute(before, (row[1], row[0], row[2]))]
                for row in rows
            }
        for key, _, asked, record, good, word in rows:
            answer = self._answer(record)
            leans = answer.standalone_question != answer.question
            yield Feedback(
                answer.question,
                bool(good),
                word,
                tuple(dict.fromkeys(one.paper_id for one in answer.citations)),
                answer.refusal,
                asked,
                tuple(earlier[key]) if leans else (),
                bool(answer.scope.filters or answer.scope.without),
            )

    def _answer(self, record: str) -> Answer:
        try:
            return answer_from(json.loads(record))
        except (InputError, ValueError) as error:
            raise LibraryError(f"{self.path}: {error}; restore the journal from a copy") from None

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """One state of the file, whatever others write meanwhile."""
        with self._transaction("DEFERRED", create=False) as db:
            yield db

    @contextmanager
    def _writing(self, *, create: bool = False) -> Iterator[sqlite3.Connection]:
        """All or nothing."""
        with self._transaction("IMMEDIATE", create=create) as db:
            yield db

    @contextmanager
    def _transaction(self, kind: str, *, create: bool) -> Iterator[sqlite3.Connection]:
        try:
            with closing(self._open(create=create)) as db:
                db.execute(f"BEGIN {kind}")
                try:
                    yield db
                    db.execute("COMMIT")
                finally:
                    if db.in_transaction:
                        db.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise described(error, self.path, "journal") from None

    def _open(self, *, create: bool) -> sqlite3.Connection:
        """The file, made where it is missing and wanted; an empty journal in memory where it is not wanted yet."""
        exists = self.path.exists()
        if create and not exists:
            self._make_folder()
        place = self.path if create or exists else ":memory:"
        db = sqlite3.connect(place, timeout=_PATIENCE, isolation_level=None)
        try:
            if schema_version(db) != _VERSION:
                self._make(db)
        except BaseException:
            db.close()
            raise
        return db

    def _make_folder(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LibraryError(
                f"can't make {self.path.parent}: {error.strerror}; give another --home"
            ) from None

    def _make(self, db: sqlite3.Connection) -> None:
        """Make the tables in a new file, unless another process has done so meanwhile."""
        if (version := schema_version(db)) > _VERSION:
            raise LibraryTooNew(
                f"{self.path} has schema {version}, this program knows {_VERSION}; update the program"
            )
        foreign = "SELECT 1 FROM sqlite_master WHERE (SELECT * FROM pragma_user_version) = 0"
        if db.execute(foreign).fetchone():
            raise LibraryError(f"{self.path}: this file is not a library's journal; move it away")
        _use_log(db)
        db.execute("BEGIN IMMEDIATE")
        if schema_version(db) == 0:
            for statement in _SCHEMA:
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {_VERSION}")
        db.execute("COMMIT")


def _use_log(db: sqlite3.Connection) -> None:
    """Switch to a write-ahead log; SQLite doesn't wait by itself for others that are just doing so."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.02)


def _check_own(db: sqlite3.Connection, user: str, conversation: str) -> None:
    query = "SELECT 1 FROM conversations WHERE id = ? AND user = ?"
    if db.execute(query, (_clean(conversation), _clean(user))).fetchone() is None:
        raise NotFound(f"there is no conversation {conversation!r} of yours")


def _clean(text: str) -> str:
    """Without lone surrogates, which can't be stored."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
