"""Read JSON Lines, gzipped or not: one object per line, one paper per object.

Keys: `title` (required), `abstract`, `authors` (a list of names), `author_count`, `organisation`,
`published` (YYYY, YYYY-MM or YYYY-MM-DD), `id` or `arxiv_id`, `doi`, `url`, `categories`,
`comments`, `upvotes`. Other keys are ignored.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rag.errors import SourceError
from rag.records import ExternalId, Paper, PublishedDate, Sighting, normalise_title, paper_id
from rag.sources.lines import Entry, Line, lines, with_sighting

SUFFIXES = (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")

# "2301.00001v2", "hep-th/9901001", "arXiv:2301.00001", "https://arxiv.org/abs/2301.00001"
_ARXIV = re.compile(
    r"(?:arxiv:|https?://arxiv\.org/(?:abs|pdf)/)?"
    r"(\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})(?:v\d+)?",
    re.I,
)
# "10.1000/182", "doi:10.1000/182", "https://doi.org/10.1000/182"
_DOI = re.compile(r"(?:doi:|https?://(?:dx\.)?doi\.org/)?(10\.\d{4,9}/\S+)", re.I)
# A time of day after the date ("2024-05-01T12:00:00Z") is ignored.
_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?(?:T.*)?")


def read(path: Path, page_year: int | None = None) -> Iterator[Entry]:
    """Yield the entries of one file in order; a broken line gives an entry with an error.

    `page_year` is not used by this format. Raises SourceError if the file can't be read or is
    empty.
    """
    empty = True
    for line in lines(path):
        if line.text.strip():
            empty = False
            yield _entry(path, line)
    if empty:
        raise SourceError(str(path), "the file is empty")


def _entry(path: Path, line: Line) -> Entry:
    try:
        if line.fault:
            raise ValueError(line.fault)
        row = json.loads(line.text)
        if not isinstance(row, dict):
            raise ValueError("a line must be one JSON object")
        return Entry(line.number, _paper(row, str(path), line.number))
    except json.JSONDecodeError as error:
        reason = f"broken JSON at column {error.colno}: {error.msg}"
    except (ValueError, RecursionError) as error:
        reason = str(error) or "nested too deeply"
    return Entry(line.number, error=SourceError(str(path), reason, line.number))


def _paper(row: Mapping[str, Any], source: str, line: int) -> Paper:
    title = " ".join(_text(row, "title").split())
    if not normalise_title(title):
        raise ValueError("'title' is missing or empty")
    authors = _names(row, "authors")
    paper = Paper(
        id=paper_id(title),
        title=title,
        abstract=_text(row, "abstract").strip(),
        authors=authors,
        author_count=_number(row, "author_count") or (len(authors) or None),
        organisation=_text(row, "organisation").strip() or None,
        published=_published(row),
        external_ids=tuple(sorted(set(_external_ids(row)))),
        url=_text(row, "url").strip() or None,
        categories=_names(row, "categories"),
    )
    sighting = Sighting(
        source,
        line,
        printed_date=_text(row, "published").strip() or None,
        comments=_number(row, "comments"),
        upvotes=_number(row, "upvotes"),
    )
    return with_sighting(paper, sighting)


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{key!r} must be a string, not {type(value).__name__}")
    # A lone surrogate ("\ud800") is valid JSON but can't be stored or shown: replace it.
    return value.encode("utf-8", "replace").decode("utf-8")


def _names(row: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = row.get(key) or []
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"{key!r} must be a list of strings")
    return tuple(
        name.encode("utf-8", "replace").decode("utf-8").strip() for name in value if name.strip()
    )


def _number(row: Mapping[str, Any], key: str) -> int | None:
    value = row.get(key)
    if value is None:
        return None
    # bool is a subclass of int; larger numbers are not exact in other JSON readers.
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise ValueError(f"{key!r} must be a whole number, not {value!r}")
    return value


def _published(row: Mapping[str, Any]) -> PublishedDate | None:
    text = _text(row, "published").strip()
    if not text:
        return None
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueError(f"'published' must be YYYY, YYYY-MM or YYYY-MM-DD, not {text!r}")
    year, month, day = (int(part) if part else None for part in match.groups())
    try:
        datetime.date(year or 0, month or 1, day or 1)
    except ValueError:
        raise ValueError(f"'published' is not a valid date: {text!r}") from None
    assert year is not None
    return PublishedDate(year, month, day)


def _external_ids(row: Mapping[str, Any]) -> Iterator[ExternalId]:
    for key in ("arxiv_id", "id", "url"):
        value = row.get(key)
        if isinstance(value, str) and (match := _ARXIV.fullmatch(value.strip())):
            yield ExternalId("arxiv", match[1].lower())
    if match := _DOI.fullmatch(_text(row, "doi").strip()):
        yield ExternalId("doi", match[1].lower())
