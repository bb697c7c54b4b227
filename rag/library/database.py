"""One SQLite file: its connections, transactions and errors."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rag.library.schema import MIGRATIONS, described, migrate, schema_version

_CHUNK = 500  # values in one IN (...) list


class Database:
    """One SQLite file in WAL mode. The threads of a process share two connections to it.

    One connection writes and the other reads, so readers never wait for a transaction. The thread
    inside a transaction reads through the writing connection, so it sees its own writes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # One lock for each connection: the first guards the writer, the second the reader.
        self._guard, self._reading = threading.RLock(), threading.RLock()
        self._writer: int | None = None  # id of the thread inside a transaction
        try:
            self._db = _connect(path)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            schema_version(self._db)  # reads the file: fails early if it is not a database
            self._reader = _connect(path)
            self._reader.execute("PRAGMA query_only = ON")
        except sqlite3.Error as error:
            raise described(error, path) from None

    @property
    def current(self) -> bool:
        """Whether the schema is the newest one."""
        with self._guard, self._errors():
            return schema_version(self._db) == len(MIGRATIONS)

    def migrate(self) -> None:
        """Update the schema to the newest version; the caller holds the writer lock.

        Raises LibraryTooNew for a catalog of a newer program, LibraryError if the update fails.
        """
        with self._guard, self._errors():
            migrate(self._db, self.path)

    def close(self) -> None:
        """Close the connections."""
        with self._guard, self._reading:
            self._db.close()
            self._reader.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read one consistent state several times, even while other processes write."""
        with self._errors(), self._connection() as db:
            if db.in_transaction:
                yield
                return
            db.execute("BEGIN")
            try:
                yield
            finally:
                if db.in_transaction:
                    db.execute("COMMIT")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all writes of the block, or none if it raises; the caller holds the writer lock.

        Raises LibraryError if SQLite can't write (full disk, read-only folder).
        """
        with self._guard, self._errors():
            self._db.execute("BEGIN IMMEDIATE")
            self._writer = threading.get_ident()
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            finally:
                self._writer = None

    def checkpoint(self) -> None:
        """Write the write-ahead log into the database file, as far as readers allow."""
        with self._guard, self._errors():
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _meta(self, key: str) -> str | None:
        rows = self._rows("SELECT value FROM meta WHERE key = ?", key)
        return str(rows[0][0]) if rows else None

    def _set_meta(self, key: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def _rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._errors(), self._connection() as db:
            return db.execute(query, values).fetchall()

    def _rows_in(self, query: str, values: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query whose `{}` becomes the placeholders of an IN (...) list."""
        # SQLite limits the number of placeholders in one query.
        for start in range(0, len(values), _CHUNK):
            chunk = values[start : start + _CHUNK]
            yield from self._rows(query.format(",".join("?" * len(chunk))), *chunk)

    @property
    def _writing(self) -> bool:
        """Whether this thread is inside a transaction."""
        return self._writer == threading.get_ident()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection through which this thread reads."""
        if self._writing:
            yield self._db
            return
        with self._reading:
            yield self._reader

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise described(error, self.path) from None


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
