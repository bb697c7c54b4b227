"""What all file readers share: entries (a paper or an error), and the lines of a text file."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rag.errors import SourceError
from rag.records import Paper, Sighting

_ERRORS = (OSError, EOFError, zlib.error)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a file: a paper with its single sighting, or an error with file and line."""

    line: int
    paper: Paper | None = None
    error: SourceError | None = None


def with_sighting(paper: Paper, sighting: Sighting) -> Paper:
    """Return the paper with this single sighting, whose fingerprint covers everything read."""
    # The line number is not part of the fingerprint: an entry that only moved is unchanged.
    content = asdict(replace(paper, sightings=())) | {
        "printed_date": sighting.printed_date,
        "comments": sighting.comments,
        "upvotes": sighting.upvotes,
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return replace(paper, sightings=(replace(sighting, fingerprint=digest[:16]),))


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a text file, numbered from 1; `fault` says what is wrong with its bytes."""

    number: int
    text: str
    fault: str | None = None


def lines(path: Path) -> Iterator[Line]:
    """Yield the lines of a UTF-8 text file, gzipped or not, without line ends.

    A line of invalid UTF-8 comes with its fault, and its invalid bytes are replaced. Raises
    SourceError for a file that can't be opened, is binary, or is a truncated archive; the lines
    before the fault have been yielded by then.
    """
    number = 0
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                if b"\0" in raw:
                    raise SourceError(str(path), "this is a binary file, not text", number)
                yield _decoded(raw.rstrip(b"\r\n"), number)
    except gzip.BadGzipFile:
        raise SourceError(
            str(path), "this is not a gzip archive, although its name ends in .gz"
        ) from None
    except _ERRORS as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise SourceError(str(path), f"can't be read further: {reason}", number or None) from None


def _decoded(raw: bytes, number: int) -> Line:
    # Only the first line can start with a byte order mark.
    codec = "utf-8-sig" if number == 1 else "utf-8"
    try:
        return Line(number, raw.decode(codec))
    except UnicodeDecodeError as error:
        fault = f"invalid UTF-8 (byte 0x{raw[error.start]:02x}); save the file as UTF-8"
        return Line(number, raw.decode(codec, "replace"), fault)
