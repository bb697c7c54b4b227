"""Write access to the catalog: papers, sightings, passages, sentences and the ledger in SQLite.

The catalog is the source of truth of a library. It does not know how texts are split or embedded,
nor how the indexes that follow it work.
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
    """The catalog with its write operations.

    The caller holds the writer lock. `begin_run`, `remove` and `set_follower` open a transaction of
    their own; every other write belongs inside a `transaction` of the caller.
    """

    def begin_run(self, command: str) -> int:
        """Start a new run of the ledger and return its number."""
        started = datetime.now(UTC).isoformat(timespec="seconds")
        with self.transaction():
            cursor = self._db.execute(
                "INSERT INTO runs (started, command) VALUES (?, ?)", (started, command)
            )
        return int(cursor.lastrowid or 0)

    def forget_unchanged(self, source: str, run: int) -> None:
        """Delete the entries of earlier runs that report this file's papers as unchanged.

        Without this the ledger would grow with every repeated ingest.
        """
        query = "DELETE FROM ledger WHERE source = ? AND run < ? AND outcome = 'unchanged'"
        self._db.execute(query, (source, run))

    def note(self, run: int, entry: LedgerEntry) -> None:
        """Write one entry into the ledger."""
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

    def find_sighting(self, source: str, read_as: str, nth: int) -> tuple[int, Paper] | None:
        """Return an entry's stored sighting (number, paper as read there), or None."""
        query = "SELECT number, record FROM sightings WHERE source = ? AND read_as = ? AND nth = ?"
        rows = self._rows(query, source, read_as, nth)
        return (rows[0][0], codec.load_paper(rows[0][1])) if rows else None

    def matching_ids(self, paper: Paper) -> list[str]:
        """Return the ids of the stored papers with this title, then those with its external ids."""
        ids = [
            self._current_id(paper.id),
            *(self._by_external(external) for external in paper.external_ids),
        ]
        return list(dict.fromkeys(paper_id for paper_id in ids if paper_id))

    def paper_of_sighting(self, number: int) -> str:
        """Return the id of the paper that a sighting belongs to."""
        return str(self._rows("SELECT paper_id FROM sightings WHERE number = ?", number)[0][0])

    def has_other_sighting(self, paper_id: str, source: str, number: int) -> bool:
        """Return whether a file has a sighting of the paper other than sighting `number`."""
        query = "SELECT 1 FROM sightings WHERE paper_id = ? AND source = ? AND number != ? LIMIT 1"
        return bool(self._rows(query, paper_id, source, number))

    def put_sighting(self, paper_id: str, paper: Paper, nth: int) -> int:
        """Insert or update one sighting of the paper `paper_id` and return its number.

        `paper` is the paper as read at this sighting; `nth` counts entries of its title in the
        file.
        """
        sighting = paper.sightings[0]
        query = """INSERT INTO sightings (paper_id, source, read_as, nth, fingerprint, record)
            VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (source, read_as, nth) DO UPDATE SET fingerprint = excluded.fingerprint,
            record = excluded.record RETURNING number"""
        row = (
            paper_id,
            sighting.source,
            paper.id,
            nth,
            sighting.fingerprint,
            codec.dump_paper(paper),
        )
        number = self._db.execute(query, row).fetchone()[0]
        self._db.execute("INSERT OR IGNORE INTO aliases VALUES (?, ?)", (paper.id, paper_id))
        return int(number)

    def refresh(self, paper_id: str, text_from: int | None = None) -> tuple[Paper, bool]:
        """Merge the paper's sightings again, store the result and return it.

        The second value says whether the text is new. `text_from` is the number of the sighting
        whose title and abstract the paper takes from now on; None keeps the present one.
        """
        rows = self._rows(
            "SELECT number, record FROM sightings WHERE paper_id = ? ORDER BY number", paper_id
        )
        numbers = [row[0] for row in rows]
        before = self._rows("SELECT record, text_from FROM papers WHERE id = ?", paper_id)
        holder = text_from or (before[0][1] if before else numbers[0])
        readings = [codec.load_paper(row[1]) for row in rows]
        paper = merge(paper_id, readings, numbers.index(holder))
        new_text = not before or codec.load_paper(before[0][0]).text != paper.text
        # The indexes hold texts only, so a changed fact does not start a new generation.
        generation = self.generation() + 1 if new_text else None
        self._store(paper, holder, generation)
        return paper, new_text

    def absorb(self, paper_id: str, other: str) -> None:
        """Merge the paper `other` into `paper_id`: move its sightings and ids, then delete it."""
        self._db.execute("UPDATE sightings SET paper_id = ? WHERE paper_id = ?", (paper_id, other))
        self._db.execute("UPDATE aliases SET paper_id = ? WHERE paper_id = ?", (paper_id, other))
        self._db.execute(
            "UPDATE external_ids SET paper_id = ? WHERE paper_id = ?", (paper_id, other)
        )
        self._drop_parts(other)
        self._db.execute("DELETE FROM papers WHERE id = ?", (other,))

    def put_parts(self, paper_id: str, parts: PaperParts) -> None:
        """Replace the paper's passages and sentences; start a new generation if it had any."""
        self._drop_parts(paper_id)
        self._db.executemany(
            "INSERT INTO passages VALUES (?, ?, ?, ?, ?)",
            [
                (passage.id, paper_id, passage.start, passage.end, codec.dump_half(vector))
                for passage, vector in zip(parts.passages, parts.passage_vectors, strict=True)
            ],
        )
        self._db.executemany(
            "INSERT INTO sentences VALUES (?, ?, ?, ?, ?)",
            [
                (paper_id, number, sentence.start, sentence.end, codec.dump_int8(vector))
                for number, (sentence, vector) in enumerate(
                    zip(parts.sentences, parts.sentence_vectors, strict=True)
                )
            ],
        )

    def remove(self, known_id: str) -> Paper:
        """Delete a paper with its parts, sightings and ids, and return it. Raises NotFound.

        `known_id` is any id that `paper` accepts.
        """
        paper = self.paper(known_id)
        with self.transaction():
            self._drop_parts(paper.id)
            for table in ("sightings", "aliases", "external_ids"):
                self._db.execute(f"DELETE FROM {table} WHERE paper_id = ?", (paper.id,))
            self._db.execute("DELETE FROM papers WHERE id = ?", (paper.id,))
        return paper

    def set_embedder(self, identity: EmbedderIdentity) -> None:
        """Record the embedder that makes the vectors from now on."""
        self._set_meta("embedder", json.dumps(asdict(identity)))

    def set_follower(self, name: str, token: str, generation: int) -> None:
        """Record the generation that an index has reached.

        Deletions that every index has applied are dropped from `gone`.
        """
        with self.transaction():
            query = "INSERT OR REPLACE INTO followers VALUES (?, ?, ?)"
            self._db.execute(query, (name, token, generation))
            slowest = "SELECT min(generation) FROM followers"
            self._db.execute(f"DELETE FROM gone WHERE generation <= ({slowest})")

    def _store(self, paper: Paper, holder: int, generation: int | None) -> None:
        bare = codec.dump_paper(replace(paper, sightings=()))
        query = """INSERT INTO papers VALUES (?1, ?2, ?3, coalesce(?4, 0))
            ON CONFLICT (id) DO UPDATE SET
            record = ?2, text_from = ?3, generation = coalesce(?4, generation)"""
        self._db.execute(query, (paper.id, bare, holder, generation))
        self._db.executemany(
            "INSERT OR REPLACE INTO external_ids VALUES (?, ?, ?)",
            [(external.kind, external.value, paper.id) for external in paper.external_ids],
        )
        if generation is not None:
            self._set_meta("generation", str(generation))

    def _drop_parts(self, paper_id: str) -> None:
        rows = self._rows("SELECT id FROM passages WHERE paper_id = ?", paper_id)
        if rows:
            # The indexes still hold these passages: the generation lets them catch up.
            generation = self.generation() + 1
            self._db.executemany(
                "INSERT INTO gone VALUES (?, ?, ?)",
                [(row[0], paper_id, generation) for row in rows],
            )
            self._db.execute(
                "UPDATE papers SET generation = ? WHERE id = ?", (generation, paper_id)
            )
            self._set_meta("generation", str(generation))
        self._db.execute("DELETE FROM passages WHERE paper_id = ?", (paper_id,))
        self._db.execute("DELETE FROM sentences WHERE paper_id = ?", (paper_id,))
