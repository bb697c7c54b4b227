"""Read access to the catalog: papers, passages, sentences, facts, the ledger, followers' state."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rag.errors import NotFound
from rag.library import codec
from rag.library.codec import Vectors
from rag.library.database import Database
from rag.models.embedder import EmbedderIdentity
from rag.records import ExternalId, LedgerEntry, Outcome, Paper, Passage, Sentence, Sighting

# What is removed around an arXiv id or a DOI: a prefix or host at the start ("arXiv:",
# "https://doi.org/"), a version at the end (the "v2" of "2301.00001v2").
_AROUND_ID = re.compile(
    r"^(?:arxiv:|doi:|https?://(?:www\.)?(?:arxiv\.org/(?:abs|pdf)/|(?:dx\.)?doi\.org/))"
    r"|(?<=\d)v\d+$"
)
# Papers whose parts are cached in memory, about 25 kB each.
_CACHED_PAPERS = 2000


@dataclass(frozen=True, slots=True)
class PaperParts:
    """A paper's passages and sentences; row n of the vectors belongs to item n."""

    passages: tuple[Passage, ...]
    passage_vectors: Vectors
    sentences: tuple[Sentence, ...]
    sentence_vectors: Vectors


@dataclass(frozen=True, slots=True)
class PaperFacts:
    """A paper's facts for filtering.

    `published` has as many parts as the date is precise: (year, month, day), (year, month), (year,)
    or () if the date is unknown.
    """

    id: str
    published: tuple[int, ...]
    author_count: int | None
    organisation: str | None = None
    comments: int | None = None
    upvotes: int | None = None
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes of the catalog after some generation.

    `generation` is the one that they lead to, `gone` the deleted passages as (passage id, paper
    id), `papers` the ids of papers that are new or changed.
    """

    generation: int
    gone: tuple[tuple[str, str], ...]
    papers: tuple[str, ...]


class Lookup(Database):
    """The catalog with its read operations."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._parts: tuple[int, dict[str, PaperParts]] = (-1, {})

    def generation(self) -> int:
        """Return the catalog's generation; it grows when texts or vectors change."""
        return int(self._meta("generation") or 0)

    def count(self, table: str = "papers") -> int:
        """Return the number of rows of `papers`, `passages` or `sentences`."""
        assert table in {"papers", "passages", "sentences"}
        return int(self._rows(f"SELECT count(*) FROM {table}")[0][0])

    def paper_ids(self) -> list[str]:
        """Return the ids of all papers, sorted by title."""
        return [
            row[0]
            for row in self._rows("SELECT id FROM papers ORDER BY lower(record ->> 'title'), id")
        ]

    def paper(self, known_id: str) -> Paper:
        """Return a paper by its id, a former id, its arXiv id or its DOI. Raises NotFound."""
        paper_id = self._current_id(known_id)
        if paper_id is None:
            raise NotFound(
                f"there is no paper {known_id!r} in the library; list the papers with: rag papers"
            )
        return self.papers([paper_id])[paper_id]

    def papers(self, ids: Iterable[str]) -> dict[str, Paper]:
        """Return papers by id, in the order given; unknown ids are left out."""
        wanted = list(ids)
        sightings: dict[str, list[Sighting]] = {}
        query = "SELECT paper_id, record FROM sightings WHERE paper_id IN ({}) ORDER BY number"
        with self.snapshot():
            sighting_rows = list(self._rows_in(query, wanted))
            rows = list(self._rows_in("SELECT id, record FROM papers WHERE id IN ({})", wanted))
        for row in sighting_rows:
            sightings.setdefault(row[0], []).extend(codec.load_paper(row[1]).sightings)
        found = {
            row[0]: replace(codec.load_paper(row[1]), sightings=tuple(sightings.get(row[0], ())))
            for row in rows
        }
        return {paper_id: found[paper_id] for paper_id in wanted if paper_id in found}

    def facts(self) -> list[PaperFacts]:
        """Return the facts of all papers that filters and orders use, sorted by title."""
        # Of comments and upvotes, those at the newest sighting that has the number.
        newest = """(SELECT s.record ->> '$.sightings[0].{0}'
            FROM sightings AS s WHERE s.paper_id = p.id
            AND s.record ->> '$.sightings[0].{0}' IS NOT NULL
            ORDER BY s.number DESC LIMIT 1)"""
        date = [f"p.record ->> '$.published.{part}'" for part in ("year", "month", "day")]
        query = f"""SELECT p.id, {", ".join(date)},
            p.record ->> '$.author_count', p.record ->> '$.organisation',
            {newest.format("comments")}, {newest.format("upvotes")},
            p.record ->> '$.authors', p.record ->> '$.categories'
            FROM papers AS p ORDER BY lower(p.record ->> 'title'), p.id"""
        return [
            PaperFacts(
                row[0],
                tuple(part for part in row[1:4] if part is not None),
                *row[4:8],
                *(tuple(json.loads(names or "[]")) for names in row[8:]),
            )
            for row in self._rows(query)
        ]

    def authors(self) -> list[str]:
        """Return the names of all authors, as printed."""
        query = """SELECT DISTINCT name.value FROM papers,
            json_each(coalesce(papers.record ->> '$.authors', '[]')) AS name"""
        return [row[0] for row in self._rows(query)]

    def organisations(self) -> list[str]:
        """Return the organisations that papers name, as printed."""
        query = (
            "SELECT DISTINCT record ->> '$.organisation' AS name FROM papers WHERE name IS NOT NULL"
        )
        return [row[0] for row in self._rows(query)]

    def sources(self) -> dict[str, set[str]]:
        """Return the ids of the papers read from each file, by file name without folder."""
        papers: dict[str, set[str]] = {}
        for source, paper in self._rows(
            "SELECT DISTINCT source, paper_id FROM sightings ORDER BY source"
        ):
            papers.setdefault(Path(source).name, set()).add(paper)
        return papers

    def passages(self, ids: Iterable[str]) -> dict[str, Passage]:
        """Return passages by id; unknown ids are left out."""
        rows = self._rows_in(
            'SELECT id, paper_id, start, "end" FROM passages WHERE id IN ({})', list(ids)
        )
        return {row[0]: Passage(*row) for row in rows}

    def parts(self, paper_ids: Iterable[str]) -> dict[str, PaperParts]:
        """Return passages and sentences with their vectors, by paper id; unknown ids are left out.

        The results are cached until the catalog's generation changes.
        """
        wanted = list(dict.fromkeys(paper_ids))
        with self.snapshot():
            if self._writing:  # these rows may never be committed: do not cache them
                return self._read_parts(wanted)
            cached = self._cached_parts(self.generation())
            missing = [paper_id for paper_id in wanted if paper_id not in cached]
            read = self._read_parts(missing) if missing else {}
        found = {
            paper_id: parts
            for paper_id in wanted
            if (parts := cached.get(paper_id) or read.get(paper_id))
        }
        if len(cached) + len(read) > _CACHED_PAPERS:
            cached.clear()
        cached.update(read)
        return found

    def _cached_parts(self, generation: int) -> dict[str, PaperParts]:
        """Return the cache of this generation, empty if the present one is of another.

        A thread that still reads an older generation keeps the dictionary it got, so it never mixes
        parts of two generations.
        """
        cached_at, cached = self._parts
        if cached_at != generation:
            cached = {}
            self._parts = (generation, cached)
        return cached

    def _read_parts(self, wanted: Sequence[str]) -> dict[str, PaperParts]:
        passages: dict[str, list[Any]] = {}
        sentences: dict[str, list[Any]] = {}
        passage_query = """SELECT id, paper_id, start, "end", vector FROM passages
            WHERE paper_id IN ({}) ORDER BY paper_id, start"""
        sentence_query = """SELECT paper_id, start, "end", vector FROM sentences
            WHERE paper_id IN ({}) ORDER BY paper_id, number"""
        for row in self._rows_in(passage_query, wanted):
            passages.setdefault(row[1], []).append(row)
        for row in self._rows_in(sentence_query, wanted):
            sentences.setdefault(row[0], []).append(row)
        return {
            paper_id: PaperParts(
                tuple(Passage(*row[:4]) for row in rows),
                codec.load_half([row[4] for row in rows]),
                tuple(Sentence(*row[:3]) for row in sentences[paper_id]),
                # A passage's vector has two bytes for each dimension.
                codec.load_int8([row[3] for row in sentences[paper_id]], len(rows[0][4]) // 2),
            )
            for paper_id, rows in passages.items()
        }

    def embedder(self) -> EmbedderIdentity | None:
        """Return the identity of the embedder that made the vectors; None in an empty library."""
        stored = self._meta("embedder")
        return EmbedderIdentity(**json.loads(stored)) if stored else None

    def changes(self, since: int) -> Changes:
        """Return the changes that a follower at generation `since` still has to apply."""
        with self.snapshot():
            # DISTINCT: a passage may have been deleted several times. A new index (generation 0) is
            # empty and has nothing to delete.
            query = "SELECT DISTINCT passage_id, paper_id FROM gone WHERE generation > ?"
            gone = self._rows(query, since) if since else []
            papers = self._rows(
                "SELECT id FROM papers WHERE generation > ? ORDER BY generation, id", since
            )
            return Changes(
                self.generation(),
                tuple((passage_id, paper_id) for passage_id, paper_id in gone),
                tuple(row[0] for row in papers),
            )

    def follower(self, name: str) -> tuple[str, int] | None:
        """Return token and generation of an index; None if there is no such index."""
        rows = self._rows("SELECT token, generation FROM followers WHERE name = ?", name)
        return (rows[0][0], rows[0][1]) if rows else None

    def ledger(self, run: int | None = None) -> list[LedgerEntry]:
        """Return the entries of one ingest (by default the last one) in their order."""
        run = self.last_run() if run is None else run
        query = """SELECT source, line, outcome, paper_id, title, reason FROM ledger
            WHERE run = ? ORDER BY rowid"""
        return [_ledger_entry(row) for row in self._rows(query, run)]

    def last_run(self) -> int:
        """Return the number of the last ingest; 0 if there was none."""
        return int(self._rows("SELECT coalesce(max(number), 0) FROM runs")[0][0])

    def failures(self) -> list[LedgerEntry]:
        """Return the failures of the last time each file was read."""
        query = """SELECT source, line, outcome, paper_id, title, reason FROM ledger AS l
            WHERE outcome = 'failed'
            AND run = (SELECT max(run) FROM ledger WHERE source = l.source) ORDER BY source, line"""
        return [_ledger_entry(row) for row in self._rows(query)]

    def _current_id(self, known_id: str) -> str | None:
        rows = self._rows("SELECT paper_id FROM aliases WHERE id = ?", known_id)
        if rows:
            return str(rows[0][0])
        bare = _AROUND_ID.sub("", known_id.strip().lower())
        rows = self._rows("SELECT paper_id FROM external_ids WHERE value = ?", bare)
        return str(rows[0][0]) if rows else None

    def _by_external(self, external: ExternalId) -> str | None:
        query = "SELECT paper_id FROM external_ids WHERE kind = ? AND value = ?"
        rows = self._rows(query, external.kind, external.value)
        return str(rows[0][0]) if rows else None


def _ledger_entry(row: Sequence[Any]) -> LedgerEntry:
    return LedgerEntry(row[0], row[1], Outcome(row[2]), *row[3:])
