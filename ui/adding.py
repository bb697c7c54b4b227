"""Papers that visitors add: uploads kept beside the library, and one ingest at a time in a worker of its own."""

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
class Reading:
    """How far an ingest is: the file at hand, its number (from 1) of `files`, and the entries read from it."""

    file: Path
    number: int
    files: int
    entries: int


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of a file: its entries by outcome, and those that failed."""

    name: str
    outcomes: tuple[tuple[Outcome, int], ...]
    failures: tuple[LedgerEntry, ...]


def keep_upload(file: Path, folder: Path, megabytes: int) -> Path:
    """Copy an uploaded file into `folder`, where it stays; the same content under the same name is kept once.

    Raises InputError for a file of no known kind and one of more megabytes when unpacked, LibraryError where the disk
    refuses.
    """
    suffix = next((suffix for suffix in SUFFIXES if file.name.lower().endswith(suffix)), None)
    if suffix is None:
        raise InputError(f"{file.name} is of no known kind; known are {', '.join(SUFFIXES)}")
    if _unpacked(file, megabytes * _MEGABYTE) > megabytes * _MEGABYTE:
        raise InputError(f"{file.name} is larger than {megabytes} MB; split it, or use rag ingest")
    stem = file.name[: -len(suffix)].lstrip(".") or "upload"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _placed(file, folder, stem, file.name[-len(suffix) :])
    except OSError as error:
        raise LibraryError(f"{file.name} can't be kept in {folder}: {error.strerror}") from None


def _unpacked(file: Path, most: int) -> int:
    """The size of the text in a file, gzipped or not, counted no further than needed to refuse more than `most`."""
    size = file.stat().st_size
    if file.suffix.lower() != ".gz" or size > most:
        return size
    read = 0
    # A damaged archive is reported by the ingest, with its line.
    with gzip.open(file) as text, suppress(OSError, EOFError, zlib.error):
        while read <= most and (piece := text.read(_MEGABYTE)):
            read += len(piece)
    return read


def _placed(file: Path, folder: Path, stem: str, suffix: str) -> Path:
    # Linked under its name only when whole, and never over another file.
    handle, name = tempfile.mkstemp(dir=folder, prefix=".")
    os.close(handle)
    copy = Path(name)
    try:
        shutil.copyfile(file, copy)
        for number in count(1):
            place = folder / (f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}")
            with suppress(FileExistsError):
                os.link(copy, place)
                return place
            if filecmp.cmp(file, place, shallow=False):
                return place
        raise AssertionError("numbers don't end")
    finally:
        copy.unlink()


def add(
    service: Service, paths: Iterable[Path | str], page_year: int | None
) -> Iterator[Reading | IngestReport]:
    """Ingest files and folders in a worker; how far it is, and last what it did.

    It goes on where the reader leaves. Raises LibraryBusy while another ingest of this server runs, and what
    `Assistant.ingest` raises.
    """
    files = find(paths)
    if not service.adding.acquire(blocking=False):
        raise LibraryBusy("papers are being added already; try again when that is done")
    steps: SimpleQueue[Reading | None] = SimpleQueue()
    worker = ThreadPoolExecutor(1, thread_name_prefix="ingest")
    done = worker.submit(_ingest, service, files, page_year, steps)
    worker.shutdown(wait=False)
    return _followed(steps, done)


def _followed(
    steps: SimpleQueue[Reading | None], done: Future[IngestReport]
) -> Iterator[Reading | IngestReport]:
    while step := steps.get():
        yield step
    yield done.result()


def _ingest(
    service: Service, files: list[Path], page_year: int | None, steps: SimpleQueue[Reading | None]
) -> IngestReport:
    number = {file: at for at, file in enumerate(files, start=1)}
    try:
        return service.assistant.ingest(
            files,
            page_year,
            lambda file, read: steps.put(Reading(file, number[file], len(files), read)),
        )
    finally:
        service.adding.release()
        steps.put(None)


def results(report: IngestReport) -> list[FileResult]:
    """What became of each file, in the order in which they were read."""
    by_file: dict[str, list[LedgerEntry]] = {}
    for entry in report.entries:
        by_file.setdefault(entry.source, []).append(entry)
    return [_result(source, entries) for source, entries in by_file.items()]


def _result(source: str, entries: list[LedgerEntry]) -> FileResult:
    numbers = [(outcome, sum(entry.outcome is outcome for entry in entries)) for outcome in Outcome]
    failures = tuple(entry for entry in entries if entry.outcome is Outcome.FAILED)
    return FileResult(
        Path(source).name,
        tuple((outcome, number) for outcome, number in numbers if number),
        failures,
    )
