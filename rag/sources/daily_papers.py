"""Hugging Face "Daily Papers" pages, saved as text.

A page is a header that ends with the page's own date, then entries of blocks separated by blank lines:

    title
    abstract
    • N authors  (or an organisation)
    ·
    Mon D[, YYYY][ comments]

The three lines at the end are missing for some entries: the abstract then runs straight into the next title.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag.errors import SourceError
from rag.records import Paper, PublishedDate, Sighting, normalise_title, paper_id
from rag.sources.lines import Entry, Line, lines, seen

SUFFIXES = (".txt",)

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(
    rf"(?P<date>(?P<month>{'|'.join(_MONTHS)}) (?P<day>\d{{1,2}})(?:, (?P<year>\d{{4}}))?)(?: (?P<comments>\d+))?"
)
_AUTHORS = re.compile(r"\s*•\s*(\d+) authors?\s*")
_SEPARATOR = "·"
_HEADING = "Daily Papers"
_HEADER_LINES = 40
# A title is rarely longer, and an abstract hardly ever as short.
_LONGEST_TITLE = 300
_CLOSED = re.compile(r"[.!?…:;)\]\"'”’}$]\s*$")


@dataclass(frozen=True, slots=True)
class _Block:
    """Neighbouring lines; `footer` holds authors and date where they are the lines that end an entry."""

    line: int
    text: str
    footer: tuple[str, str] | None = None
    fault: str | None = None


def read(path: Path, page_year: int | None = None) -> Iterator[Entry]:
    """Entries of one saved page, in its order.

    A date without a year gets `page_year`, else the latest year printed on the page plus one, and is marked as
    inferred. Raises SourceError where the file is not such a page.
    """
    page = list(lines(path))
    blocks = _blocks(page, _body(path, page))
    yield from _entries(path, blocks, page_year or _implied_year(blocks))


def _body(path: Path, page: Sequence[Line]) -> int:
    """Index of the first line after the header; the header's date looks like an entry's."""
    head = [line.text.strip() for line in page[: 2 * _HEADER_LINES]]
    if not any(line.text.strip() for line in page):
        raise SourceError(str(path), "the file is empty")
    heading = head.index(_HEADING) if _HEADING in head[:_HEADER_LINES] else None
    if heading is None:
        raise SourceError(
            str(path), f"not a saved Daily Papers page: its first lines hold no {_HEADING!r}"
        )
    for index, text in enumerate(head[heading + 1 :], start=heading + 1):
        if _DATE.fullmatch(text):
            return index + 1
        if text == _SEPARATOR:
            break
    raise SourceError(
        str(path), f"not a saved Daily Papers page: no date follows {_HEADING!r}", heading + 1
    )


def _blocks(page: Sequence[Line], body: int) -> list[_Block]:
    """Group the lines after the header; blank lines don't part a separator from its two neighbours."""
    printed = [line for line in page[body:] if line.text.strip()]
    parts = [i for i, line in enumerate(printed) if line.text.strip() == _SEPARATOR]
    in_footer = {i + step for i in parts for step in (-1, 0, 1)}
    blocks: list[_Block] = []
    pending: list[Line] = []
    for index, line in enumerate(printed):
        apart = bool(pending) and line.number > pending[-1].number + 1
        if pending and (apart or index in in_footer):
            blocks.append(_joined(pending))
            pending = []
        if index not in in_footer:
            pending.append(line)
        elif index in parts:
            blocks.append(_footer(printed[max(index - 1, 0) : index + 2], line))
    return [*blocks, _joined(pending)] if pending else blocks


def _joined(block: Sequence[Line]) -> _Block:
    fault = next((line.fault for line in block if line.fault), None)
    return _Block(block[0].number, " ".join(line.text.strip() for line in block), fault=fault)


def _footer(around: Sequence[Line], separator: Line) -> _Block:
    by = "".join(line.text.strip() for line in around if line.number < separator.number)
    date = "".join(line.text.strip() for line in around if line.number > separator.number)
    fault = next((line.fault for line in around if line.fault), None)
    return _Block(around[0].number, by, (by, date), fault)


def _implied_year(blocks: Sequence[_Block]) -> int | None:
    dates = (_DATE.fullmatch(block.footer[1]) for block in blocks if block.footer)
    years = [int(match["year"]) for match in dates if match and match["year"]]
    return max(years) + 1 if years else None


def _entries(path: Path, blocks: Sequence[_Block], year: int | None) -> Iterator[Entry]:
    index = 0
    while index < len(blocks):
        start = index
        index += 1
        if not blocks[start].footer:
            while (
                index < len(blocks)
                and not blocks[index].footer
                and not _starts_entry(blocks, start, index)
            ):
                index += 1
            index += index < len(blocks) and blocks[index].footer is not None
        line = blocks[start].line
        try:
            paper = _paper(str(path), blocks[start:index], year, last=index == len(blocks))
        except ValueError as error:
            yield Entry(line, error=SourceError(str(path), str(error), line))
        else:
            yield Entry(line, paper)


def _starts_entry(blocks: Sequence[_Block], start: int, index: int) -> bool:
    """Whether the block at `index` is the next title rather than more of the abstract begun after `start`."""
    text = blocks[index].text
    if index == start + 1 or len(text) > _LONGEST_TITLE:
        return False
    if index + 1 == len(blocks):
        return not text.endswith(".")
    # A short block right before the authors' line ends an abstract of several blocks.
    return not blocks[index + 1].footer


def _paper(source: str, blocks: Sequence[_Block], year: int | None, *, last: bool) -> Paper:
    """The paper of one entry's blocks; ValueError says what is wrong with it."""
    title, name = blocks[0].text, _short(blocks[0].text)
    footer = blocks[-1].footer
    abstract = "\n".join(block.text for block in blocks[1:] if not block.footer)
    if fault := next((block.fault for block in blocks if block.fault), None):
        raise ValueError(f"{name}: {fault}")
    if blocks[0].footer or not normalise_title(title):
        raise ValueError(f"no title and abstract stand before {name}")
    if not abstract:
        raise ValueError(f"{name} has no abstract" + (": the file ends there" if last else ""))
    if last and footer is None and not _CLOSED.search(abstract):
        raise ValueError(f"{name} is cut off: the file ends in the middle of its abstract")
    match = _printed(footer[1], name) if footer else None
    authors = _AUTHORS.fullmatch(footer[0]) if footer else None
    paper = Paper(
        id=paper_id(title),
        title=title,
        abstract=abstract,
        author_count=int(authors[1]) if authors else None,
        organisation=footer[0] or None if footer and not authors else None,
        published=_published(match, year, name) if match else None,
    )
    sighting = Sighting(
        source,
        blocks[0].line,
        printed_date=match["date"] if match else None,
        comments=int(match["comments"]) if match and match["comments"] else None,
    )
    return seen(paper, sighting)


def _printed(date: str, name: str) -> re.Match[str]:
    match = _DATE.fullmatch(date)
    if match is None:
        what = f"the date {date!r} can't be read" if date else "the file ends before its date"
        raise ValueError(f"{name}: {what}")
    return match


def _published(match: re.Match[str], page_year: int | None, name: str) -> PublishedDate | None:
    month, day = _MONTHS.index(match["month"]) + 1, int(match["day"])
    year = int(match["year"]) if match["year"] else page_year
    try:
        datetime.date(year or 2024, month, day)
    except ValueError:
        raise ValueError(f"{name}: there is no such date as {match['date']!r}") from None
    return PublishedDate(year, month, day, inferred=not match["year"]) if year else None


def _short(title: str) -> str:
    return repr(title if len(title) <= 60 else title[:57] + "…")
