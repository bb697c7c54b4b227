"""Conversations and the readers' judgements of answers, in a database next to the library's.

The library's lock is not needed. Each operation opens its own connection for one short transaction,
so threads and processes can share the file. Added turns are on disk before the call returns.
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
_LOCK_TIMEOUT = 30.0  # seconds that a writer waits for other writers
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
        replaced TEXT                  -- when the turn was withdrawn; NULL for a current turn
    )""",
    "CREATE UNIQUE INDEX turns_number ON turns (conversation, number) WHERE replaced IS NULL",
    "CREATE INDEX turns_conversation ON turns (conversation)",
)


@dataclass(frozen=True, slots=True)
class Conversation:
    """Summary of a conversation.

    `started` and `updated` are ISO times in UTC; `turns` is the number of current turns.
    """

    id: str
    title: str
    started: str
    updated: str
    turns: int


@dataclass(frozen=True, slots=True)
class KeptTurn:
    """A question and its answer.

    `number` counts from 1, `asked` is the ISO time in UTC. `good` is the reader's judgement (None
    if there is none), `word` the reason that the reader gave.
    """

    number: int
    asked: str
    answer: Answer
    good: bool | None = None
    word: str = ""


@dataclass(frozen=True, slots=True)
class Feedback:
    """A reader's judgement of one answer.

    `papers` are the ids of the cited papers. `turns` are the earlier questions if this one was a
    follow-up, else empty. `scoped` is true if the reader had restricted the papers. `asked` is the
    ISO time of the question in UTC.
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
    """The conversations of all users, in `journal.db` in the library's folder.

    The file is created with the first conversation. Users see and change their own conversations
    only; for others, methods raise NotFound. Methods raise LibraryError if the file is damaged or
    can't be written, and LibraryTooNew if a later version wrote it; the file then stays unchanged.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal.db"

    def start(self, user: str, title: str) -> str:
        """Start a conversation and return its id."""
        conversation_id, now = f"c-{secrets.token_hex(8)}", _now()
        with self._writing(create=True) as db:
            folded = _clean(title).casefold()
            row = (conversation_id, _clean(user), _clean(title), folded, now, now)
            db.execute("INSERT INTO conversations VALUES (?, ?, ?, ?, ?, ?)", row)
        return conversation_id

    def conversations(self, user: str, matching: str = "") -> tuple[Conversation, ...]:
        """Return a user's conversations, latest first.

        With `matching`, only those with this text in the title, a question or an answer.
        """
        query = """SELECT id, title, started, updated,
            (SELECT count(*) FROM turns WHERE conversation = c.id AND replaced IS NULL)
            FROM conversations AS c
            WHERE user = ?1 AND (?2 = '' OR instr(folded, ?2) OR EXISTS (SELECT 1 FROM turns
            WHERE conversation = c.id AND replaced IS NULL AND instr(folded, ?2)))
            ORDER BY updated DESC, id"""
        with self._reading() as db:
            rows = db.execute(query, (_clean(user), _clean(matching).strip().casefold())).fetchall()
        return tuple(Conversation(*row) for row in rows)

    def add(self, user: str, conversation: str, answer: Answer) -> int:
        """Store an answer as the next turn and return the turn's number."""
        record = json.dumps(kept_row(answer), ensure_ascii=False)
        folded = f"{answer.question}\n{answer.text}".casefold()
        now = _now()
        with self._writing() as db:
            _check_own(db, user, conversation)
            query = """SELECT coalesce(max(number), 0) FROM turns
                WHERE conversation = ? AND replaced IS NULL"""
            [last] = db.execute(query, (conversation,)).fetchone()
            insert = """INSERT INTO turns (conversation, number, asked, folded, record)
                VALUES (?, ?, ?, ?, ?)"""
            row = (conversation, last + 1, now, _clean(folded), _clean(record))
            db.execute(insert, row)
            db.execute("UPDATE conversations SET updated = ? WHERE id = ?", (now, conversation))
        return int(last) + 1

    def turns(self, user: str, conversation: str) -> tuple[KeptTurn, ...]:
        """Return the current turns of a conversation, in order."""
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
        """Withdraw the turns from this number on; the file keeps them, marked as replaced."""
        query = """UPDATE turns SET replaced = ?
            WHERE conversation = ? AND number >= ? AND replaced IS NULL"""
        with self._writing() as db:
            _check_own(db, user, conversation)
            db.execute(query, (_now(), conversation, number))

    def rename(self, user: str, conversation: str, title: str) -> None:
        """Change the title of a conversation."""
        with self._writing() as db:
            _check_own(db, user, conversation)
            row = (_clean(title), _clean(title).casefold(), conversation)
            db.execute("UPDATE conversations SET title = ?, folded = ? WHERE id = ?", row)

    def delete(self, user: str, conversation: str) -> None:
        """Delete a conversation with its turns and judgements, permanently."""
        with self._writing() as db:
            _check_own(db, user, conversation)
            db.execute("DELETE FROM turns WHERE conversation = ?", (conversation,))
            db.execute("DELETE FROM conversations WHERE id = ?", (conversation,))

    def judge(
        self, user: str, conversation: str, number: int, good: bool | None, word: str = ""
    ) -> None:
        """Store whether a turn's answer was good, and why; None withdraws the judgement."""
        query = """UPDATE turns SET good = ?, word = ?
            WHERE conversation = ? AND number = ? AND replaced IS NULL"""
        with self._writing() as db:
            _check_own(db, user, conversation)
            if not db.execute(query, (good, _clean(word), conversation, number)).rowcount:
                raise NotFound(f"the conversation has no turn {number}")

    def feedback(self) -> Iterator[Feedback]:
        """Yield the judgements of all users, oldest question first, including withdrawn turns."""
        query = """SELECT key, conversation, asked, record, good, word FROM turns
            WHERE good IS NOT NULL ORDER BY key"""
        # The turns that were current when the question was asked: a turn that was withdrawn later
        # belongs to them, one that was withdrawn before does not.
        earlier_query = """SELECT record ->> 'question' FROM turns
            WHERE conversation = ? AND key < ? AND (replaced IS NULL OR replaced > ?)
            ORDER BY key"""
        with self._reading() as db:
            rows = db.execute(query).fetchall()
            earlier = {
                key: [
                    question
                    for (question,) in db.execute(earlier_query, (conversation, key, asked))
                ]
                for key, conversation, asked, *_ in rows
            }
        for key, _, asked, record, good, word in rows:
            answer = self._answer(record)
            is_follow_up = answer.standalone_question != answer.question
            yield Feedback(
                answer.question,
                bool(good),
                word,
                tuple(dict.fromkeys(citation.paper_id for citation in answer.citations)),
                answer.refusal,
                asked,
                tuple(earlier[key]) if is_follow_up else (),
                bool(answer.scope.filters or answer.scope.without),
            )

    def _answer(self, record: str) -> Answer:
        try:
            return answer_from(json.loads(record))
        except (InputError, ValueError) as error:
            raise LibraryError(f"{self.path}: {error}; restore the journal from a copy") from None

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Open a read transaction: one state of the file, unaffected by concurrent writers."""
        with self._transaction("DEFERRED", create=False) as db:
            yield db

    @contextmanager
    def _writing(self, *, create: bool = False) -> Iterator[sqlite3.Connection]:
        """Open a write transaction: all changes are stored, or none."""
        # IMMEDIATE takes the write lock at the start. A transaction that reads first and writes
        # later would fail without waiting if another process wrote in between.
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
        """Open the file, and make it if it is missing and `create` is set.

        If it is missing and not to be made, open an empty journal in memory.
        """
        exists = self.path.exists()
        if create and not exists:
            self._make_folder()
        location = self.path if create or exists else ":memory:"
        # isolation_level=None: no implicit transactions, BEGIN and COMMIT are explicit.
        db = sqlite3.connect(location, timeout=_LOCK_TIMEOUT, isolation_level=None)
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
                f"can't create {self.path.parent}: {error.strerror}; give another --home"
            ) from None

    def _make(self, db: sqlite3.Connection) -> None:
        """Create the tables in a new file, unless another process has just created them."""
        if (version := schema_version(db)) > _VERSION:
            raise LibraryTooNew(
                f"{self.path} has schema {version}, this program supports {_VERSION}; "
                "update the program"
            )
        # Tables without a schema version: not our file. One statement reads both from one state, so
        # a file that another process is just creating is not taken for a foreign one.
        foreign = "SELECT 1 FROM sqlite_master WHERE (SELECT * FROM pragma_user_version) = 0"
        if db.execute(foreign).fetchone():
            raise LibraryError(f"{self.path}: this file is not a library's journal; move it away")
        _use_write_ahead_log(db)
        db.execute("BEGIN IMMEDIATE")  # and check again: another process may have been faster
        if schema_version(db) == 0:
            for statement in _SCHEMA:
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {_VERSION}")
        db.execute("COMMIT")


def _use_write_ahead_log(db: sqlite3.Connection) -> None:
    """Switch the file to a write-ahead log, so that readers and writers don't block each other.

    SQLite does not wait by itself for other connections that are doing the same, so wait here.
    """
    until = time.monotonic() + _LOCK_TIMEOUT
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            # The low byte of an extended error code is the primary code.
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > until:
                raise
            time.sleep(0.02)


def _check_own(db: sqlite3.Connection, user: str, conversation: str) -> None:
    query = "SELECT 1 FROM conversations WHERE id = ? AND user = ?"
    if db.execute(query, (_clean(conversation), _clean(user))).fetchone() is None:
        raise NotFound(f"you have no conversation {conversation!r}")


def _clean(text: str) -> str:
    """Replace lone surrogates by "?": UTF-8, and so SQLite, can't hold them."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
