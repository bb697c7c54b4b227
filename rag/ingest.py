"""The ingest path: file -> entries -> papers -> passages and sentences -> vectors -> catalog -> indexes.

Each batch is one transaction of the catalog; the indexes follow. Whatever breaks an ingest off, what was committed
stays, and the next ingest goes on from there.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rag import sources
from rag.errors import EmbedderMismatch, SourceError
from rag.library import Library, PaperParts
from rag.library.recording import record
from rag.models.embedder import Embedder, Vectors, normalise
from rag.records import LedgerEntry, Outcome, Paper
from rag.sources import Entry
from rag.text.passages import passage_text, passages, pieces, sentences

_BATCH = 64  # entries a transaction
_FOLLOW_SECONDS = 2.0  # readers see new papers at the latest this long after their commit

Progress = Callable[[Path, int], None]
"""Called with the file at hand and the number of entries read from it so far."""


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What an ingest did: the ledger's entries, how many texts it embedded, and the seconds it took."""

    entries: tuple[LedgerEntry, ...]
    embedded: int
    seconds: float

    @property
    def counts(self) -> Counter[Outcome]:
        """Papers by what became of them, each counted once (added before changed, merged, unchanged); failures."""
        papers: dict[str, Outcome] = {}
        order = list(Outcome)
        for entry in self.entries:
            if entry.paper_id:
                papers[entry.paper_id] = min(
                    papers.get(entry.paper_id, entry.outcome), entry.outcome, key=order.index
                )
        return Counter(papers.values()) + Counter({Outcome.FAILED: len(self.failures)})

    @property
    def failures(self) -> tuple[LedgerEntry, ...]:
        """What could not be read, and why."""
        return tuple(entry for entry in self.entries if entry.outcome is Outcome.FAILED)


def ingest(
    library: Library,
    embedder: Callable[[], Embedder],
    files: Iterable[Path],
    page_year: int | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Read files, as `sources.find` gives them, into the library.

    `embedder` is called only when something has to be embedded. A file or an entry that can't be read is in the
    report and in the ledger, and the rest goes on. Raises LibraryBusy while another process writes,
    EmbedderMismatch, ModelError, and LibraryError where the disk is full.
    """
    started = time.monotonic()
    with library.writing("rag ingest"):
        work = _Ingest(library, embedder, page_year)
        for file in files:
            work.file(file, progress)
    return IngestReport(tuple(work.noted), work.embedded, time.monotonic() - started)


def parts_of(paper: Paper, embedder: Embedder) -> PaperParts:
    """Split a paper and embed its passages and sentences."""
    limit = embedder.identity.max_tokens
    units = sentences(paper)
    packed = passages(paper, units, embedder.count, limit)
    texts = [passage_text(paper, passage, embedder.count, limit) for passage in packed]
    split = [pieces(paper.text[unit.start : unit.end], embedder.count, limit) for unit in units]
    vectors = embedder.embed([piece for parts in split for piece in parts])
    return PaperParts(
        packed,
        embedder.embed_passages(texts),
        units,
        _means(vectors, [len(parts) for parts in split]),
    )


def _means(vectors: Vectors, sizes: Sequence[int]) -> Vectors:
    """One unit vector for each run of `sizes` rows."""
    ends = np.cumsum(sizes)
    return normalise(
        np.stack(
            [vectors[end - size : end].mean(axis=0) for size, end in zip(sizes, ends, strict=True)]
        )
    )


class _Ingest:
    """One ingest under way; the writer lock is held."""

    def __init__(
        self, library: Library, embedder: Callable[[], Embedder], page_year: int | None
    ) -> None:
        self._library, self._page_year = library, page_year
        self._open_embedder = embedder
        self._embedder: Embedder | None = None
        self._run = library.catalog.begin_run("rag ingest")
        self._followed = time.monotonic()
        self.noted: list[LedgerEntry] = []
        self.embedded = 0

    def file(self, path: Path, progress: Progress | None) -> None:
        """Read one file; a fault of the whole file is one line of the ledger."""
        seen: Counter[str] = Counter()
        fault: SourceError | None = None
        read = 0
        for batch in _batches(self._entries(path)):
            entries = [entry for entry in batch if isinstance(entry, Entry)]
            fault = next((entry for entry in batch if isinstance(entry, SourceError)), None)
            self._commit(path, entries, seen)
            read += len(entries)
            if progress:
                progress(path, read)
        if fault:
            with self._library.catalog.transaction():
                self._note(LedgerEntry(str(path), fault.line, Outcome.FAILED, reason=fault.reason))

    def _entries(self, path: Path) -> Iterator[Entry | SourceError]:
        """The file's entries; a fault that ends the reading comes last."""
        try:
            yield from sources.read(path, self._page_year)
        except SourceError as error:
            yield error

    def _commit(self, path: Path, entries: Sequence[Entry], seen: Counter[str]) -> None:
        catalog = self._library.catalog
        with catalog.transaction():
            catalog.forget_unchanged(str(path), self._run)
            for entry in entries:
                self._note(self._take(path, entry, seen))
        if time.monotonic() - self._followed > _FOLLOW_SECONDS:
            self._library.follow()
            self._followed = time.monotonic()

    def _take(self, path: Path, entry: Entry, seen: Counter[str]) -> LedgerEntry:
        if entry.paper is None:
            assert entry.error is not None
            return LedgerEntry(str(path), entry.line, Outcome.FAILED, reason=entry.error.reason)
        done = record(self._library.catalog, entry.paper, seen[entry.paper.id])
        seen[entry.paper.id] += 1
        if done.new_text:
            embedder = self._checked_embedder()
            parts = parts_of(done.paper, embedder)
            self._library.catalog.put_parts(done.paper.id, parts)
            self.embedded += len(parts.passages) + len(parts.sentences)
        return LedgerEntry(str(path), entry.line, done.outcome, done.paper.id, done.paper.title)

    def _checked_embedder(self) -> Embedder:
        if self._embedder is None:
            embedder = self._open_embedder()
            check_embedder(self._library, embedder)
            self._library.catalog.set_embedder(embedder.identity)
            self._embedder = embedder
        return self._embedder

    def _note(self, entry: LedgerEntry) -> None:
        self._library.catalog.note(self._run, entry)
        self.noted.append(entry)


def check_embedder(library: Library, embedder: Embedder) -> None:
    """Raise EmbedderMismatch unless the library's vectors, if any, can be compared with this embedder's."""
    made_by = library.catalog.embedder()
    if made_by is None or made_by.matches(embedder.identity):
        return
    raise EmbedderMismatch(
        f"the vectors in {library.folder} were made by {made_by}, the configured embedder is {embedder.identity}; "
        "embed anew with: rag rebuild --embed"
    )


def _batches(entries: Iterator[Entry | SourceError]) -> Iterator[list[Entry | SourceError]]:
    batch: list[Entry | SourceError] = []
    for entry in entries:
        batch.append(entry)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def embed_anew(library: Library, embedder: Embedder) -> None:
    """Split and embed every paper again, all or nothing; the caller holds the writer lock."""
    catalog = library.catalog
    with catalog.transaction():
        catalog.set_embedder(embedder.identity)
        for identity in catalog.paper_ids():
            catalog.put_parts(identity, parts_of(catalog.papers([identity])[identity], embedder))
