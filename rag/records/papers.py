"""Papers, their parts, and the outcome of reading the files they came from.

All character offsets in this project are code points into `Paper.text`.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")


def normalise_title(title: str) -> str:
    """Normalise a title for comparison: NFKC, case-folded, other characters become one space."""
    return _NOT_ALPHANUMERIC.sub(" ", unicodedata.normalize("NFKC", title).casefold()).strip()


def paper_id(title: str) -> str:
    """Return a paper's id: `p-` and 16 hex digits of the SHA-256 of the normalised title."""
    return "p-" + hashlib.sha256(normalise_title(title).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class PublishedDate:
    """A date as precise as its source: a year, a month, or a day.

    `inferred` says that the year was not printed but concluded from the page.
    """

    year: int
    month: int | None = None
    day: int | None = None
    inferred: bool = False

    @property
    def precision(self) -> Literal["year", "month", "day"]:
        """How much of the date is known."""
        if self.month is None:
            return "year"
        return "month" if self.day is None else "day"

    def __str__(self) -> str:
        parts = [f"{self.year:04d}"]
        parts += [f"{part:02d}" for part in (self.month, self.day) if part is not None]
        return "-".join(parts)


@dataclass(frozen=True, slots=True, order=True)
class ExternalId:
    """An id of the paper elsewhere: kind `arxiv` or `doi`, and its normalised value."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Sighting:
    """One place where a paper was seen.

    `source` is the file's absolute path, `line` the 1-based line of the title in it, `fingerprint`
    the SHA-256 of everything that was read of the paper.
    """

    source: str
    line: int
    printed_date: str | None = None
    comments: int | None = None
    upvotes: int | None = None
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper of the library, merged from all its sightings."""

    id: str
    title: str
    abstract: str = ""
    authors: tuple[str, ...] = ()
    author_count: int | None = None
    organisation: str | None = None
    published: PublishedDate | None = None
    external_ids: tuple[ExternalId, ...] = ()
    url: str | None = None
    categories: tuple[str, ...] = ()
    sightings: tuple[Sighting, ...] = ()

    @property
    def text(self) -> str:
        """Title, two newlines, abstract: the text that all offsets refer to."""
        return f"{self.title}\n\n{self.abstract}"

    @property
    def printed_date(self) -> str | None:
        """The date as printed by the newest sighting that has one."""
        return next((s.printed_date for s in reversed(self.sightings) if s.printed_date), None)

    @property
    def comments(self) -> int | None:
        """The number of comments at the newest sighting that gave one."""
        return next((s.comments for s in reversed(self.sightings) if s.comments is not None), None)

    @property
    def upvotes(self) -> int | None:
        """The number of upvotes at the newest sighting that gave one."""
        return next((s.upvotes for s in reversed(self.sightings) if s.upvotes is not None), None)


@dataclass(frozen=True, slots=True)
class Passage:
    """Consecutive sentences that fit the embedder; `paper.text[start:end]` is the passage."""

    id: str
    paper_id: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Sentence:
    """The unit of evidence; `paper.text[start:end]` is the sentence."""

    paper_id: str
    start: int
    end: int


class Outcome(StrEnum):
    """The outcome of an ingest for a paper or a file."""

    ADDED = "added"
    CHANGED = "changed"
    MERGED = "merged"
    UNCHANGED = "unchanged"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One line of the ledger: the outcome for an entry; `reason` if it failed."""

    source: str
    line: int | None
    outcome: Outcome
    paper_id: str | None = None
    title: str | None = None
    reason: str | None = None
