"""The catalog: papers, sightings, passages, sentences and the ledger in SQLite. The authority on what is kept.

It knows nothing of how texts are split or embedded, nor of the indexes that follow it.
"""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rag.errors import NotFound
from rag.library import codec
from rag.library.codec import Vectors
from rag.library.merging import merge
from rag.library.schema import MIGRATIONS, described, migrate, schema_version
from rag.models.base import EmbedderIdentity
from rag.records import ExternalId, LedgerEntry, Outcome, Paper, Passage, Sentence, Sighting

# What may stand around an arXiv id or a DOI: prefixes, hosts, a version.
_AROUND_ID = re.compile(
    r"^(?:arxiv:|doi:|https?://(?:www\.)?(?:arxiv\.org/(?:abs|pdf)/|(?:dx\.)?doi\.org/))|(?<=\d)v\d+$"
)
_CHUNK = 500  # values in one IN (...) list


@dataclass(frozen=True, slots=True)
class PaperParts:
    """A paper's passages and sentences with their vectors, row for row."""

    passages: tuple[Passage, ...]
    passage_vectors: Vectors
    sentences: tuple[Sentence, ...]
    sentence_vectors: Vectors


@dataclass(frozen=True, slots=True)
class PaperFacts:
    """A paper's facts for filtering; `published` is as long as the date is fine: (year, month, day), or ()."""

    id: str
    published: tuple[int, ...]
    author_count: int | None
    organisation: str | None
    comments: int | None


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened to the catalog after a generation: passages gone, papers (and so passages) new or changed."""

    generation: int
    gone: tuple[tuple[str, str], ...]
    papers: tuple[str, ...]


# Papers whose parts are kept in memory: some 25 kB each.
_KEPT = 2000


class Catalog:
    """One SQLite file in WAL mode. A process has two connections to it, which its threads share.

    One writes and one reads, so that nobody who reads waits for a transaction, however long it takes; inside it, its
    own thread reads what it has written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._guard, self._reading = threading.RLock(), threading.RLock()
        self._writer: int | None = None  # the thread that is inside a transaction
        self._parts: tuple[int, dict[str, PaperParts]] = (-1, {})
        try:
            self._db = _connect(path)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            schema_version(self._db)  # reads the file, and so finds one that is no catalog
            self._reader = _connect(path)
            self._reader.execute("PRAGMA query_only = ON")
        except sqlite3.Error as error:
            raise described(error, path) from None

    @property
    def current(self) -> bool:
        """Whether the schema is today's."""
        with self._guard, self._errors():
            return schema_version(self._db) == len(MIGRATIONS)

    def migrate(self) -> None:
        """Bring the schema to today's; the caller holds the writer lock. Raises LibraryTooNew, LibraryError."""
        with self._guard, self._errors():
            migrate(self._db, self.path)

    def close(self) -> None:
        """Close the connections."""
        with self._guard, self._reading:
            self._db.close()
            self._reader.close()

    # -- reading ---------------------------------------------------------------------------------------------

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Several reads of one state, whatever other processes write meanwhile."""
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

    def generation(self) -> int:
        """A number that grows with every change of papers."""
        return int(self._meta("generation") or 0)

    def count(self, table: str = "papers") -> int:
        """Rows of `papers`, `passages` or `sentences`."""
        assert table in {"papers", "passages", "sentences"}
        return int(self._rows(f"SELECT count(*) FROM {table}")[0][0])

    def paper_ids(self) -> list[str]:
        """All papers, by their title's order."""
        return [row[0] for row in self._rows("SELECT id FROM papers ORDER BY lower(record ->> 'title'), id")]

    def paper(self, identity: str) -> Paper:
        """One paper by its id, a former id of it, its arXiv id or its DOI. Raises NotFound."""
        known = self._current_id(identity)
        if known is None:
            raise NotFound(f"there is no paper {identity!r} in the library; rag papers lists them")
        return self.papers([known])[known]

    def papers(self, ids: Iterable[str]) -> dict[str, Paper]:
        """Papers by id; ids that are not in the library are left out."""
        wanted = list(ids)
        sightings: dict[str, list[Sighting]] = {}
        query = "SELECT paper_id, record FROM sightings WHERE paper_id IN ({}) ORDER BY number"
        with self.snapshot():
            seen = list(self._among(query, wanted))
            rows = list(self._among("SELECT id, record FROM papers WHERE id IN ({})", wanted))
        for row in seen:
            sightings.setdefault(row[0], []).extend(codec.load_paper(row[1]).sightings)
        found = {row[0]: codec.load_paper(row[1], tuple(sightings.get(row[0], ()))) for row in rows}
        return {identity: found[identity] for identity in wanted if identity in found}

    def facts(self) -> list[PaperFacts]:
        """What every paper's filters and orders look at."""
        comments = """(SELECT s.record ->> '$.sightings[0].comments' FROM sightings AS s WHERE s.paper_id = p.id
            AND s.record ->> '$.sightings[0].comments' IS NOT NULL ORDER BY s.number DESC LIMIT 1)"""
        date = [f"p.record ->> '$.published.{part}'" for part in ("year", "month", "day")]
        query = f"""SELECT p.id, {", ".join(date)}, p.record ->> '$.author_count', p.record ->> '$.organisation',
            {comments} FROM papers AS p ORDER BY lower(p.record ->> 'title'), p.id"""
        return [
            PaperFacts(row[0], tuple(part for part in row[1:4] if part is not None), *row[4:])
            for row in self._rows(query)
        ]

    def organisations(self) -> list[str]:
        """The organisations that papers name, as printed."""
        query = "SELECT DISTINCT record ->> '$.organisation' AS name FROM papers WHERE name IS NOT NULL"
        return [row[0] for row in self._rows(query)]

    def sources(self) -> dict[str, set[str]]:
        """The ids of the papers that were seen in each file, by the file's name without its folder."""
        papers: dict[str, set[str]] = {}
        for source, paper in self._rows("SELECT DISTINCT source, paper_id FROM sightings ORDER BY source"):
            papers.setdefault(Path(source).name, set()).add(paper)
        return papers

    def passages(self, ids: Iterable[str]) -> dict[str, Passage]:
        """Passages by id; unknown ids are left out."""
        rows = self._among('SELECT id, paper_id, start, "end" FROM passages WHERE id IN ({})', list(ids))
        return {row[0]: Passage(*row) for row in rows}

    def parts(self, paper_ids: Iterable[str]) -> dict[str, PaperParts]:
        """Passages and sentences with their vectors, by paper; those read lately are kept while nothing changes."""
        wanted = list(dict.fromkeys(paper_ids))
        with self.snapshot():
            if self._writer == threading.get_ident():  # what it reads may never be committed
                return self._read_parts(wanted)
            kept = self._kept_parts(self.generation())
            missing = [paper for paper in wanted if paper not in kept]
            read = self._read_parts(missing) if missing else {}
        found = {paper: parts for paper in wanted if (parts := kept.get(paper) or read.get(paper))}
        if len(kept) + len(read) > _KEPT:
            kept.clear()
        kept.update(read)
        return found

    def _kept_parts(self, generation: int) -> dict[str, PaperParts]:
        """What was read at this generation; a thread that looks at another one has its own."""
        known, kept = self._parts
        if known != generation:
            kept = {}
            self._parts = (generation, kept)
        return kept

    def _read_parts(self, wanted: Sequence[str]) -> dict[str, PaperParts]:
        passages: dict[str, list[Any]] = {}
        sentences: dict[str, list[Any]] = {}
        of_passages = """SELECT id, paper_id, start, "end", vector FROM passages
            WHERE paper_id IN ({}) ORDER BY paper_id, start"""
        of_sentences = """SELECT paper_id, start, "end", vector FROM sentences
            WHERE paper_id IN ({}) ORDER BY paper_id, number"""
        for row in self._among(of_passages, wanted):
            passages.setdefault(row[1], []).append(row)
        for row in self._among(of_sentences, wanted):
            sentences.setdefault(row[0], []).append(row)
        return {
            paper: PaperParts(
                tuple(Passage(*row[:4]) for row in rows),
                codec.load_half([row[4] for row in rows]),
                tuple(Sentence(*row[:3]) for row in sentences[paper]),
                codec.load_int8([row[3] for row in sentences[paper]], len(rows[0][4]) // 2),
            )
            for paper, rows in passages.items()
        }

    def embedder(self) -> EmbedderIdentity | None:
        """What made the vectors; None in an empty library."""
        stored = self._meta("embedder")
        return EmbedderIdentity(**json.loads(stored)) if stored else None

    def changes(self, since: int) -> Changes:
        """What followers that are at generation `since` have yet to do."""
        with self.snapshot():
            gone = self._rows("SELECT passage_id, paper_id FROM gone WHERE generation > ?", since)
            papers = self._rows("SELECT id FROM papers WHERE generation > ? ORDER BY generation, id", since)
            return Changes(self.generation(), tuple((a, b) for a, b in gone), tuple(row[0] for row in papers))

    def follower(self, name: str) -> tuple[str, int] | None:
        """Token and generation of an index; None where there is none."""
        rows = self._rows("SELECT token, generation FROM followers WHERE name = ?", name)
        return (rows[0][0], rows[0][1]) if rows else None

    def ledger(self, run: int | None = None) -> list[LedgerEntry]:
        """The entries of one ingest, by default of the last one, in their order."""
        run = self.last_run() if run is None else run
        query = "SELECT source, line, outcome, paper_id, title, reason FROM ledger WHERE run = ? ORDER BY rowid"
        return [LedgerEntry(r[0], r[1], Outcome(r[2]), *r[3:]) for r in self._rows(query, run)]

    def last_run(self) -> int:
        """The number of the last ingest; 0 where there was none."""
        return int(self._rows("SELECT coalesce(max(number), 0) FROM runs")[0][0])

    def failures(self) -> list[LedgerEntry]:
        """What failed when its file was last read."""
        query = """SELECT source, line, outcome, paper_id, title, reason FROM ledger AS l WHERE outcome = 'failed'
            AND run = (SELECT max(run) FROM ledger WHERE source = l.source) ORDER BY source, line"""
        return [LedgerEntry(r[0], r[1], Outcome(r[2]), *r[3:]) for r in self._rows(query)]

    # -- writing: the caller holds the writer lock ---------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. Raises LibraryError where SQLite can't write (full disk, read-only folder)."""
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

    def begin_run(self, command: str) -> int:
        """Open a new page of the ledger and return its number."""
        started = datetime.now(UTC).isoformat(timespec="seconds")
        with self.transaction():
            cursor = self._db.execute("INSERT INTO runs (started, command) VALUES (?, ?)", (started, command))
        return int(cursor.lastrowid or 0)

    def forget_unchanged(self, source: str, run: int) -> None:
        """Drop what earlier runs noted as unchanged for this file, so that the ledger does not grow without end."""
        query = "DELETE FROM ledger WHERE source = ? AND run < ? AND outcome = 'unchanged'"
        self._db.execute(query, (source, run))

    def note(self, run: int, entry: LedgerEntry) -> None:
        """Write one line into the ledger."""
        row = (run, entry.source, entry.line, entry.outcome, entry.paper_id, entry.title, entry.reason)
        self._db.execute("INSERT INTO ledger VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def sighted(self, source: str, read_as: str, nth: int) -> tuple[int, Paper] | None:
        """The stored reading of an entry: its number, and the paper as it was read there."""
        query = "SELECT number, record FROM sightings WHERE source = ? AND read_as = ? AND nth = ?"
        rows = self._rows(query, source, read_as, nth)
        return (rows[0][0], codec.load_paper(rows[0][1])) if rows else None

    def known_as(self, paper: Paper) -> list[str]:
        """Ids of the papers that this reading is of: by title first, then by external ids."""
        ids = [self._current_id(paper.id), *(self._by_external(one) for one in paper.external_ids)]
        return list(dict.fromkeys(identity for identity in ids if identity))

    def owner(self, number: int) -> str:
        """The paper that a sighting belongs to."""
        return str(self._rows("SELECT paper_id FROM sightings WHERE number = ?", number)[0][0])

    def sees(self, identity: str, source: str, but: int) -> bool:
        """Whether a file has sightings of the paper besides the one of number `but`."""
        query = "SELECT 1 FROM sightings WHERE paper_id = ? AND source = ? AND number != ? LIMIT 1"
        return bool(self._rows(query, identity, source, but))

    def put_sighting(self, identity: str, paper: Paper, nth: int) -> int:
        """Store one reading of the paper `identity` (a new one, or over its former self); returns its number."""
        sighting = paper.sightings[0]
        query = """INSERT INTO sightings (paper_id, source, read_as, nth, fingerprint, record)
            VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (source, read_as, nth) DO UPDATE SET fingerprint = excluded.fingerprint,
            record = excluded.record RETURNING number"""
        row = (identity, sighting.source, paper.id, nth, sighting.fingerprint, codec.dump_paper(paper))
        number = self._db.execute(query, row).fetchone()[0]
        self._db.execute("INSERT OR IGNORE INTO aliases VALUES (?, ?)", (paper.id, identity))
        return int(number)

    def refresh(self, identity: str, text_from: int | None = None) -> tuple[Paper, bool]:
        """Merge the paper's readings anew and store it; returns it, and whether its text is new.

        `text_from` is the sighting that gives the text from now on; None leaves it as it was.
        """
        rows = self._rows("SELECT number, record FROM sightings WHERE paper_id = ? ORDER BY number", identity)
        numbers = [row[0] for row in rows]
        before = self._rows("SELECT record, text_from FROM papers WHERE id = ?", identity)
        holder = text_from or (before[0][1] if before else numbers[0])
        readings = [codec.load_paper(row[1]) for row in rows]
        paper = merge(identity, readings, numbers.index(holder))
        new_text = not before or codec.load_paper(before[0][0]).text != paper.text
        # A changed fact leaves the generation alone: the indexes hold texts only.
        generation = self.generation() + 1 if new_text else None
        self._store(paper, holder, generation)
        return paper, new_text

    def absorb(self, identity: str, other: str) -> None:
        """Make two papers one: the sightings and names of `other` become those of `identity`."""
        self._db.execute("UPDATE sightings SET paper_id = ? WHERE paper_id = ?", (identity, other))
        self._db.execute("UPDATE aliases SET paper_id = ? WHERE paper_id = ?", (identity, other))
        self._db.execute("UPDATE external_ids SET paper_id = ? WHERE paper_id = ?", (identity, other))
        self._drop_parts(other)
        self._db.execute("DELETE FROM papers WHERE id = ?", (other,))

    def put_parts(self, identity: str, parts: PaperParts) -> None:
        """Replace the paper's passages and sentences; a new generation begins where there were any."""
        self._drop_parts(identity)
        self._db.executemany(
            "INSERT INTO passages VALUES (?, ?, ?, ?, ?)",
            [
                (passage.id, identity, passage.start, passage.end, codec.dump_half(vector))
                for passage, vector in zip(parts.passages, parts.passage_vectors, strict=True)
            ],
        )
        self._db.executemany(
            "INSERT INTO sentences VALUES (?, ?, ?, ?, ?)",
            [
                (identity, number, sentence.start, sentence.end, codec.dump_int8(vector))
                for number, (sentence, vector) in enumerate(zip(parts.sentences, parts.sentence_vectors, strict=True))
            ],
        )

    def remove(self, identity: str) -> Paper:
        """Take a paper out with all that hangs on it. Raises NotFound."""
        paper = self.paper(identity)
        with self.transaction():
            self._drop_parts(paper.id)
            for table in ("sightings", "aliases", "external_ids"):
                self._db.execute(f"DELETE FROM {table} WHERE paper_id = ?", (paper.id,))
            self._db.execute("DELETE FROM papers WHERE id = ?", (paper.id,))
        return paper

    def set_embedder(self, identity: EmbedderIdentity) -> None:
        """Record what makes the vectors from now on."""
        self._set_meta("embedder", json.dumps(asdict(identity)))

    def set_follower(self, name: str, token: str, generation: int) -> None:
        """Record how far an index has followed, and drop what every index has taken out."""
        with self.transaction():
            query = "INSERT OR REPLACE INTO followers VALUES (?, ?, ?)"
            self._db.execute(query, (name, token, generation))
            slowest = "SELECT min(generation) FROM followers"
            self._db.execute(f"DELETE FROM gone WHERE generation <= ({slowest})")

    def checkpoint(self) -> None:
        """Fold the write-ahead log into the file, as far as readers allow."""
        with self._guard, self._errors():
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    # -- inside --------------------------------------------------------------------------------------------------

    def _store(self, paper: Paper, holder: int, generation: int | None) -> None:
        bare = codec.dump_paper(replace(paper, sightings=()))
        query = """INSERT INTO papers VALUES (?1, ?2, ?3, coalesce(?4, 0)) ON CONFLICT (id) DO UPDATE SET
            record = ?2, text_from = ?3, generation = coalesce(?4, generation)"""
        self._db.execute(query, (paper.id, bare, holder, generation))
        self._db.executemany(
            "INSERT OR REPLACE INTO external_ids VALUES (?, ?, ?)",
            [(one.kind, one.value, paper.id) for one in paper.external_ids],
        )
        if generation is not None:
            self._set_meta("generation", str(generation))

    def _drop_parts(self, identity: str) -> None:
        rows = self._rows("SELECT id FROM passages WHERE paper_id = ?", identity)
        if rows:
            generation = self.generation() + 1
            self._db.executemany("INSERT INTO gone VALUES (?, ?, ?)", [(row[0], identity, generation) for row in rows])
            self._db.execute("UPDATE papers SET generation = ? WHERE id = ?", (generation, identity))
            self._set_meta("generation", str(generation))
        self._db.execute("DELETE FROM passages WHERE paper_id = ?", (identity,))
        self._db.execute("DELETE FROM sentences WHERE paper_id = ?", (identity,))

    def _current_id(self, identity: str) -> str | None:
        rows = self._rows("SELECT paper_id FROM aliases WHERE id = ?", identity)
        if rows:
            return str(rows[0][0])
        bare = _AROUND_ID.sub("", identity.strip().lower())
        rows = self._rows("SELECT paper_id FROM external_ids WHERE value = ?", bare)
        return str(rows[0][0]) if rows else None

    def _by_external(self, one: ExternalId) -> str | None:
        rows = self._rows("SELECT paper_id FROM external_ids WHERE kind = ? AND value = ?", one.kind, one.value)
        return str(rows[0][0]) if rows else None

    def _meta(self, key: str) -> str | None:
        rows = self._rows("SELECT value FROM meta WHERE key = ?", key)
        return str(rows[0][0]) if rows else None

    def _set_meta(self, key: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def _rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._errors(), self._connection() as db:
            return db.execute(query, values).fetchall()

    def _among(self, query: str, values: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        for start in range(0, len(values), _CHUNK):
            chunk = values[start : start + _CHUNK]
            yield from self._rows(query.format(",".join("?" * len(chunk))), *chunk)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """The connection by which this thread reads."""
        if self._writer == threading.get_ident():
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
