"""Ingest files: entries -> papers -> passages and sentences -> vectors -> catalog -> indexes.

Each batch is one transaction of the catalog; the indexes follow. If an ingest is interrupted, the
committed batches stay, and the next ingest continues from there.
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

_BATCH = 64  # entries per transaction
_FOLLOW_SECONDS = 2.0  # minimum time between two updates of the indexes in an ingest

Progress = Callable[[Path, int], None]
"""A function called with the present file and the number of entries read from it so far."""


@dataclass(frozen=True, slots=True)
class IngestReport:
    """The result of an ingest: the ledger's entries, the number of embedded texts, the seconds."""

    entries: tuple[LedgerEntry, ...]
    embedded: int
    seconds: float

    @property
    def counts(self) -> Counter[Outcome]:
        """The number of papers by outcome, and of failed entries.

        A paper with several outcomes counts once, by the first of them in the order of `Outcome`
        (added before changed, merged, unchanged).
        """
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
        """The entries that could not be read, each with its reason."""
        return tuple(entry for entry in self.entries if entry.outcome is Outcome.FAILED)


def ingest(
    library: Library,
    embedder: Callable[[], Embedder],
    files: Iterable[Path],
    page_year: int | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Read files, as returned by `sources.find`, into the library.

    `embedder` is called only if a text must be embedded. A file or an entry that can't be read is
    noted in the report and in the ledger, and the ingest continues. Raises LibraryBusy while
    another process writes, EmbedderMismatch, ModelError, and LibraryError if the disk is full.
    """
    started = time.monotonic()
    with library.writing("rag ingest"):
        run = _Ingest(library, embedder, page_year)
        for file in files:
            run.read_file(file, progress)
    return IngestReport(tuple(run.entries), run.embedded, time.monotonic() - started)


def parts_of(paper: Paper, embedder: Embedder) -> PaperParts:
    """Split a paper into passages and sentences, and embed them."""
    limit = embedder.identity.max_tokens
    units = sentences(paper)
    packed = passages(paper, units, embedder.count, limit)
    texts = [passage_text(paper, passage, embedder.count, limit) for passage in packed]
    # A sentence that is too long for the embedder gets the mean vector of its pieces.
    split = [pieces(paper.text[unit.start : unit.end], embedder.count, limit) for unit in units]
    vectors = embedder.embed([piece for parts in split for piece in parts])
    return PaperParts(
        packed,
        embedder.embed_passages(texts),
        units,
        _means(vectors, [len(parts) for parts in split]),
    )


def _means(vectors: Vectors, sizes: Sequence[int]) -> Vectors:
    """Return the normalised mean of each group of consecutive rows; `sizes` are the group sizes."""
    ends = np.cumsum(sizes)
    return normalise(
        np.stack(
            [vectors[end - size : end].mean(axis=0) for size, end in zip(sizes, ends, strict=True)]
        )
    )


class _Ingest:
    """The state of one running ingest; the caller holds the writer lock."""

    def __init__(
        self, library: Library, embedder: Callable[[], Embedder], page_year: int | None
    ) -> None:
        self._library, self._page_year = library, page_year
        self._open_embedder = embedder
        self._embedder: Embedder | None = None
        self._run = library.catalog.begin_run("rag ingest")
        self._followed = time.monotonic()
        self.entries: list[LedgerEntry] = []
        self.embedded = 0

    def read_file(self, path: Path, progress: Progress | None) -> None:
        """Read one file; an error of the whole file becomes one entry of the ledger."""
        # How often each title (by its paper id) occurred in this file: distinguishes its entries.
        title_counts: Counter[str] = Counter()
        fault: SourceError | None = None
        read = 0
        for batch in _batches(self._entries(path)):
            entries = [entry for entry in batch if isinstance(entry, Entry)]
            fault = next((entry for entry in batch if isinstance(entry, SourceError)), None)
            self._commit(path, entries, title_counts)
            read += len(entries)
            if progress:
                progress(path, read)
        if fault:
            with self._library.catalog.transaction():
                self._note(LedgerEntry(str(path), fault.line, Outcome.FAILED, reason=fault.reason))

    def _entries(self, path: Path) -> Iterator[Entry | SourceError]:
        """Yield the file's entries; an error that ends the reading comes last."""
        try:
            yield from sources.read(path, self._page_year)
        except SourceError as error:
            yield error

    def _commit(self, path: Path, entries: Sequence[Entry], title_counts: Counter[str]) -> None:
        catalog = self._library.catalog
        with catalog.transaction():
            catalog.forget_unchanged(str(path), self._run)
            for entry in entries:
                self._note(self._store(path, entry, title_counts))
        if time.monotonic() - self._followed > _FOLLOW_SECONDS:
            self._library.follow()
            self._followed = time.monotonic()

    def _store(self, path: Path, entry: Entry, title_counts: Counter[str]) -> LedgerEntry:
        """Store one entry and embed its text if it is new; return what to note in the ledger."""
        if entry.paper is None:
            assert entry.error is not None
            return LedgerEntry(str(path), entry.line, Outcome.FAILED, reason=entry.error.reason)
        recorded = record(self._library.catalog, entry.paper, title_counts[entry.paper.id])
        title_counts[entry.paper.id] += 1
        paper = recorded.paper
        if recorded.new_text:
            embedder = self._checked_embedder()
            parts = parts_of(paper, embedder)
            self._library.catalog.put_parts(paper.id, parts)
            self.embedded += len(parts.passages) + len(parts.sentences)
        return LedgerEntry(str(path), entry.line, recorded.outcome, paper.id, paper.title)

    def _checked_embedder(self) -> Embedder:
        if self._embedder is None:
            embedder = self._open_embedder()
            check_embedder(self._library, embedder)
            self._library.catalog.set_embedder(embedder.identity)
            self._embedder = embedder
        return self._embedder

    def _note(self, entry: LedgerEntry) -> None:
        self._library.catalog.note(self._run, entry)
        self.entries.append(entry)


def check_embedder(library: Library, embedder: Embedder) -> None:
    """Raise EmbedderMismatch if the library's vectors are not comparable to the embedder's."""
    stored = library.catalog.embedder()
    if stored is None or stored.matches(embedder.identity):
        return
    raise EmbedderMismatch(
        f"the vectors in {library.folder} were made by {stored}, the configured embedder is "
        f"{embedder.identity}; re-embed with: rag rebuild --embed"
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
        for paper_id in catalog.paper_ids():
            paper = catalog.papers([paper_id])[paper_id]
            catalog.put_parts(paper_id, parts_of(paper, embedder))
