"""Papers that users add: uploads are copied into the library's folder and ingested by a thread.

Only one ingest runs at a time.
"""

from __future__ import annotations

import filecmp
import gzip
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from rag.errors import InputError, LibraryBusy, LibraryError
from rag.ingest import IngestReport
from rag.records import LedgerEntry, Outcome
from rag.sources import SUFFIXES, find

if TYPE_CHECKING:
    from ui.service import Service

_MEGABYTE = 2**20


@dataclass(frozen=True, slots=True)
class FileProgress:
    """Progress of an ingest: the current file, its number (from 1, of `files`), and its entries."""

    file: Path
    number: int
    files: int
    entries: int


@dataclass(frozen=True, slots=True)
class FileResult:
    """The result of a file: its number of entries by outcome, and the entries that failed."""

    name: str
    outcomes: tuple[tuple[Outcome, int], ...]
    failures: tuple[LedgerEntry, ...]


def keep_upload(file: Path, folder: Path, megabytes: int) -> Path:
    """Copy an uploaded file into `folder`, permanently, and return the copy's path.

    The same content under the same name is stored once; other content gets a numbered name.
    Raises InputError for an unsupported file type and for a file with more than `megabytes` of
    uncompressed text, LibraryError if the copy can't be written.
    """
    suffix = next((suffix for suffix in SUFFIXES if file.name.lower().endswith(suffix)), None)
    if suffix is None:
        raise InputError(
            f"the file type of {file.name} is not supported; use {', '.join(SUFFIXES)}"
        )
    if _unpacked(file, megabytes * _MEGABYTE) > megabytes * _MEGABYTE:
        raise InputError(f"{file.name} is larger than {megabytes} MB; split it, or use rag ingest")
    stem = file.name[: -len(suffix)].lstrip(".") or "upload"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _placed(file, folder, stem, file.name[-len(suffix) :])
    except OSError as error:
        raise LibraryError(f"{file.name} can't be saved in {folder}: {error.strerror}") from None


def _unpacked(file: Path, most: int) -> int:
    """Return the uncompressed size of a file in bytes; stop counting above `most`.

    The limit protects against archives that expand to many times their size.
    """
    size = file.stat().st_size
    if file.suffix.lower() != ".gz" or size > most:
        return size
    read = 0
    # Ignore a damaged archive here: the ingest reports it with its line.
    with gzip.open(file) as text, suppress(OSError, EOFError, zlib.error):
        while read <= most and (piece := text.read(_MEGABYTE)):
            read += len(piece)
    return read


def _placed(file: Path, folder: Path, stem: str, suffix: str) -> Path:
    # Copy to a temporary name, then link: the file appears under its name only when complete,
    # and os.link never overwrites another file.
    handle, name = tempfile.mkstemp(dir=folder, prefix=".")
    os.close(handle)
    copy = Path(name)
    try:
        shutil.copyfile(file, copy)
        for number in count(1):
            target = folder / (f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}")
            with suppress(FileExistsError):
                os.link(copy, target)
                return target
            if filecmp.cmp(file, target, shallow=False):
                return target
        raise AssertionError("unreachable: count() is infinite")
    finally:
        copy.unlink()


def add(
    service: Service, paths: Iterable[Path | str], page_year: int | None
) -> Iterator[FileProgress | IngestReport]:
    """Ingest files and folders in a thread; yield the progress, and last the report.

    The ingest continues if the iterator is dropped, for example when the reader leaves the page.
    Raises LibraryBusy while another ingest of this server runs, and what `Assistant.ingest` raises.
    """
    files = find(paths)
    if not service.adding.acquire(blocking=False):
        raise LibraryBusy("papers are already being added; try again when that is finished")
    steps: SimpleQueue[FileProgress | None] = SimpleQueue()  # None marks the end
    worker = ThreadPoolExecutor(1, thread_name_prefix="ingest")
    report = worker.submit(_ingest, service, files, page_year, steps)
    worker.shutdown(wait=False)
    return _followed(steps, report)


def _followed(
    steps: SimpleQueue[FileProgress | None], report: Future[IngestReport]
) -> Iterator[FileProgress | IngestReport]:
    while step := steps.get():
        yield step
    yield report.result()


def _ingest(
    service: Service,
    files: list[Path],
    page_year: int | None,
    steps: SimpleQueue[FileProgress | None],
) -> IngestReport:
    numbers = {file: number for number, file in enumerate(files, start=1)}
    try:
        return service.assistant.ingest(
            files,
            page_year,
            lambda file, entries: steps.put(FileProgress(file, numbers[file], len(files), entries)),
        )
    finally:
        service.adding.release()
        steps.put(None)


def results(report: IngestReport) -> list[FileResult]:
    """Return the result of each file, in the order in which the files were read."""
    by_file: dict[str, list[LedgerEntry]] = {}
    for entry in report.entries:
        by_file.setdefault(entry.source, []).append(entry)
    return [_result(source, entries) for source, entries in by_file.items()]


def _result(source: str, entries: list[LedgerEntry]) -> FileResult:
    counts = [(outcome, sum(entry.outcome is outcome for entry in entries)) for outcome in Outcome]
    failures = tuple(entry for entry in entries if entry.outcome is Outcome.FAILED)
    return FileResult(
        Path(source).name,
        tuple((outcome, number) for outcome, number in counts if number),
        failures,
    )
