"""What the catalog tells: papers, passages, sentences, facts, the ledger, and how far its followers are."""

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

# What may stand around an arXiv id or a DOI: prefixes, hosts, a version.
_AROUND_ID = re.compile(
    r"^(?:arxiv:|doi:|https?://(?:www\.)?(?:arxiv\.org/(?:abs|pdf)/|(?:dx\.)?doi\.org/))|(?<=\d)v\d+$"
)
# Papers whose parts are kept in memory: some 25 kB each.
_KEPT = 2000


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


class Lookup(Database):
    """The catalog for those who read."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._parts: tuple[int, dict[str, PaperParts]] = (-1, {})

    def generation(self) -> int:
        """A number that grows with every change of papers."""
        return int(self._meta("generation") or 0)

    def count(self, table: str = "papers") -> int:
        """Rows of `papers`, `passages` or `sentences`."""
        assert table in {"papers", "passages", "sentences"}
        return int(self._rows(f"SELECT count(*) FROM {table}")[0][0])

    def paper_ids(self) -> list[str]:
        """All papers, by their title's order."""
        return [
            row[0]
            for row in self._rows("SELECT id FROM papers ORDER BY lower(record ->> 'title'), id")
        ]

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
        found = {
            row[0]: replace(codec.load_paper(row[1]), sightings=tuple(sightings.get(row[0], ())))
            for row in rows
        }
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
        query = (
            "SELECT DISTINCT record ->> '$.organisation' AS name FROM papers WHERE name IS NOT NULL"
        )
        return [row[0] for row in self._rows(query)]

    def sources(self) -> dict[str, set[str]]:
        """The ids of the papers that were seen in each file, by the file's name without its folder."""
        papers: dict[str, set[str]] = {}
        for source, paper in self._rows(
            "SELECT DISTINCT source, paper_id FROM sightings ORDER BY source"
        ):
            papers.setdefault(Path(source).name, set()).add(paper)
        return papers

    def passages(self, ids: Iterable[str]) -> dict[str, Passage]:
        """Passages by id; unknown ids are left out."""
        rows = self._among(
            'SELECT id, paper_id, start, "end" FROM passages WHERE id IN ({})', list(ids)
        )
        return {row[0]: Passage(*row) for row in rows}

    def parts(self, paper_ids: Iterable[str]) -> dict[str, PaperParts]:
        """Passages and sentences with their vectors, by paper; those read lately are kept while nothing changes."""
        wanted = list(dict.fromkeys(paper_ids))
        with self.snapshot():
            if self._writing:  # what it reads may never be committed
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
            # A passage may have gone more than once since; an index that begins empty has nothing to take out.
            query = "SELECT DISTINCT passage_id, paper_id FROM gone WHERE generation > ?"
            gone = self._rows(query, since) if since else []
            papers = self._rows(
                "SELECT id FROM papers WHERE generation > ? ORDER BY generation, id", since
            )
            return Changes(
                self.generation(), tuple((a, b) for a, b in gone), tuple(row[0] for row in papers)
            )

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

    def _current_id(self, identity: str) -> str | None:
        rows = self._rows("SELECT paper_id FROM aliases WHERE id = ?", identity)
        if rows:
            return str(rows[0][0])
        bare = _AROUND_ID.sub("", identity.strip().lower())
        rows = self._rows("SELECT paper_id FROM external_ids WHERE value = ?", bare)
        return str(rows[0][0]) if rows else None

    def _by_external(self, one: ExternalId) -> str | None:
        rows = self._rows(
            "SELECT paper_id FROM external_ids WHERE kind = ? AND value = ?", one.kind, one.value
        )
        return str(rows[0][0]) if rows else None
