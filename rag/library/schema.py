"""The catalog's tables, and the migration of older libraries to the newest schema."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from rag.errors import LibraryError, LibraryTooNew

_FIRST = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE papers (
    id TEXT PRIMARY KEY,
    record TEXT NOT NULL,          -- the merged paper as JSON, without its sightings
    text_from INTEGER NOT NULL,    -- the sighting whose title and abstract are the paper's
    generation INTEGER NOT NULL    -- of the last change to the paper
) WITHOUT ROWID;
CREATE INDEX papers_generation ON papers (generation);
CREATE TABLE aliases (id TEXT PRIMARY KEY, paper_id TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX aliases_paper ON aliases (paper_id);
CREATE TABLE external_ids (
    kind TEXT NOT NULL, value TEXT NOT NULL, paper_id TEXT NOT NULL, PRIMARY KEY (kind, value)
) WITHOUT ROWID;
CREATE INDEX external_ids_paper ON external_ids (paper_id);
CREATE TABLE sightings (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    paper_id TEXT NOT NULL,
    source TEXT NOT NULL,
    read_as TEXT NOT NULL,         -- the id made from the title printed in the source
    nth INTEGER NOT NULL,          -- 0 for the first entry of that title in the source
    fingerprint TEXT NOT NULL,
    record TEXT NOT NULL,          -- the paper as read there, with this sighting, as JSON
    UNIQUE (source, read_as, nth)
);
CREATE INDEX sightings_paper ON sightings (paper_id);
CREATE TABLE passages (
    id TEXT PRIMARY KEY, paper_id TEXT NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL,
    vector BLOB NOT NULL           -- float16
) WITHOUT ROWID;
CREATE INDEX passages_paper ON passages (paper_id);
CREATE TABLE sentences (
    paper_id TEXT NOT NULL, number INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL,
    vector BLOB NOT NULL,          -- int8, not normalised: only the direction is stored
    PRIMARY KEY (paper_id, number)
) WITHOUT ROWID;
CREATE TABLE gone (passage_id TEXT NOT NULL, paper_id TEXT NOT NULL, generation INTEGER NOT NULL);
CREATE INDEX gone_generation ON gone (generation);
CREATE TABLE followers (
    name TEXT PRIMARY KEY, token TEXT NOT NULL, generation INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT, started TEXT NOT NULL, command TEXT NOT NULL
);
CREATE TABLE ledger (
    run INTEGER NOT NULL, source TEXT NOT NULL, line INTEGER, outcome TEXT NOT NULL,
    paper_id TEXT, title TEXT, reason TEXT
);
CREATE INDEX ledger_source ON ledger (source, run);
INSERT INTO meta VALUES ('generation', '0');
"""

MIGRATIONS: tuple[str, ...] = (_FIRST,)
"""Script n migrates schema version n to n + 1. Never edit a script that was released."""


def migrate(
    connection: sqlite3.Connection, path: Path, scripts: Sequence[str] = MIGRATIONS
) -> None:
    """Migrate the catalog at `path` to the newest schema in one transaction, after a backup copy.

    Raises LibraryTooNew for a catalog of a newer version, LibraryError if the migration fails.
    """
    version = schema_version(connection)
    if version > len(scripts):
        raise LibraryTooNew(
            f"the library in {path.parent} has schema {version}, "
            f"this program knows {len(scripts)}; update the program"
        )
    if version == len(scripts):
        return
    if version:
        _back_up(connection, path, version)
    try:
        connection.executescript(
            "BEGIN IMMEDIATE;"
            + "".join(scripts[version:])
            + f"PRAGMA user_version = {len(scripts)}; COMMIT;"
        )
    except sqlite3.Error as error:
        connection.rollback()
        raise LibraryError(
            f"the library in {path.parent} can't be migrated to schema {len(scripts)}: {error}"
        ) from None


def schema_version(connection: sqlite3.Connection) -> int:
    """Return the catalog's schema version; 0 for an empty file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def described(error: sqlite3.Error, path: Path, what: str = "catalog") -> LibraryError:
    """Turn an SQLite error into a LibraryError that says how to fix it; `what` names the file."""
    code: Mapping[int, str] = {
        sqlite3.SQLITE_FULL: "the disk is full; what was stored before is safe",
        sqlite3.SQLITE_IOERR: (
            "reading or writing failed (is the disk full?); what was stored before is safe"
        ),
        sqlite3.SQLITE_READONLY: "the folder can't be written to; give another --home",
        sqlite3.SQLITE_CANTOPEN: "the folder can't be opened for writing; give another --home",
        sqlite3.SQLITE_NOTADB: (
            f"this file is not a library's {what}; restore it from a copy or remove it"
        ),
        sqlite3.SQLITE_CORRUPT: f"the {what} is damaged; restore it from a copy",
        sqlite3.SQLITE_BUSY: f"another process held the {what} for over 30 s; try again",
    }
    # SQLite's extended codes hold the primary code in their lowest byte.
    primary = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    return LibraryError(f"{path}: {code.get(primary, str(error))}")


def _back_up(connection: sqlite3.Connection, path: Path, version: int) -> None:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    with closing(
        sqlite3.connect(path.with_name(f"{path.stem}.schema{version}.{stamp}.sqlite"))
    ) as copy:
        connection.backup(copy)
