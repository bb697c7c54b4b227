"""The catalog: papers, sightings, passages, sentences and the ledger in SQLite. The authority on what is kept.

It knows nothing of how texts are split or embedded, nor of the indexes that follow it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime

from rag.library import codec
from rag.library.lookup import Lookup, PaperParts
from rag.library.merging import merge
from rag.models.embedder import EmbedderIdentity
from rag.records import LedgerEntry, Paper


class Catalog(Lookup):
    """The catalog for those who write too: they hold the writer lock, and a transaction where one says so."""

    def begin_run(self, command: str) -> int:
        """Open a new page of the ledger and return its number."""
        started = datetime.now(UTC).isoformat(timespec="seconds")
        with self.transaction():
            cursor = self._db.execute(
                "INSERT INTO runs (started, command) VALUES (?, ?)", (started, command)
            )
        return int(cursor.lastrowid or 0)

    def forget_unchanged(self, source: str, run: int) -> None:
        """Drop what earlier runs noted as unchanged for this file, so that the ledger does not grow without end."""
        query = "DELETE FROM ledger WHERE source = ? AND run < ? AND outcome = 'unchanged'"
        self._db.execute(query, (source, run))

    def note(self, run: int, entry: LedgerEntry) -> None:
        """Write one line into the ledger."""
        row = (
            run,
            entry.source,
            entry.line,
            entry.outcome,
            entry.paper_id,
            entry.title,
            entry.reason,
        )
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
        row = (
            identity,
            sighting.source,
            paper.id,
            nth,
            sighting.fingerprint,
            codec.dump_paper(paper),
        )
        number = self._db.execute(query, row).fetchone()[0]
        self._db.execute("INSERT OR IGNORE INTO aliases VALUES (?, ?)", (paper.id, identity))
        return int(number)

    def refresh(self, identity: str, text_from: int | None = None) -> tuple[Paper, bool]:
        """Merge the paper's readings anew and store it; returns it, and whether its text is new.

        `text_from` is the sighting that gives the text from now on; None leaves it as it was.
        """
        rows = self._rows(
            "SELECT number, record FROM sightings WHERE paper_id = ? ORDER BY number", identity
        )
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
        self._db.execute(
            "UPDATE external_ids SET paper_id = ? WHERE paper_id = ?", (identity, other)
        )
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
                for number, (sentence, vector) in enumerate(
                    zip(parts.sentences, parts.sentence_vectors, strict=True)
                )
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
            self._db.executemany(
                "INSERT INTO gone VALUES (?, ?, ?)",
                [(row[0], identity, generation) for row in rows],
            )
            self._db.execute(
                "UPDATE papers SET generation = ? WHERE id = ?", (generation, identity)
            )
            self._set_meta("generation", str(generation))
        self._db.execute("DELETE FROM passages WHERE paper_id = ?", (identity,))
        self._db.execute("DELETE FROM sentences WHERE paper_id = ?", (identity,))
