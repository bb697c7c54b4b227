"""Read Hugging Face "Daily Papers" pages that were saved as text.

A page starts with a header that ends with the page's own date. Entries follow; an entry consists of
blocks separated by blank lines:

    title
    abstract
    • N authors  (or an organisation)
    ·
    Mon D[, YYYY][ comments]

Some entries lack the last three lines; the next title then follows directly after the abstract.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag.errors import SourceError
from rag.records import Paper, PublishedDate, Sighting, normalise_title, paper_id
from rag.sources.lines import Entry, Line, lines, with_sighting

SUFFIXES = (".txt",)

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# "Dec 11", "Dec 11, 2023"; after a space, the number of comments: "Dec 11 4"
_DATE = re.compile(
    rf"(?P<date>(?P<month>{'|'.join(_MONTHS)}) (?P<day>\d{{1,2}})(?:, (?P<year>\d{{4}}))?)"
    r"(?: (?P<comments>\d+))?"
)
_AUTHORS = re.compile(r"\s*•\s*(\d+) authors?\s*")
_SEPARATOR = "·"
_HEADING = "Daily Papers"
_HEADER_LINES = 40
# Titles are rarely longer, and abstracts are rarely this short.
_LONGEST_TITLE = 300
# The end of a complete sentence; an abstract without it was cut off.
_CLOSED = re.compile(r"[.!?…:;)\]\"'”’}$]\s*$")


@dataclass(frozen=True, slots=True)
class _Block:
    """Consecutive lines as one text, starting at line `line`.

    `footer` is (authors or organisation, date) if the lines end an entry, else None; `fault` says
    what is wrong with the bytes.
    """

    line: int
    text: str
    footer: tuple[str, str] | None = None
    fault: str | None = None


def read(path: Path, page_year: int | None = None) -> Iterator[Entry]:
    """Yield the entries of one saved page in order.

    A date without a year takes `page_year`, by default the latest year printed on the page plus
    one, and is marked as inferred. Raises SourceError if the file is not such a page.
    """
    page = list(lines(path))
    blocks = _blocks(page, _body(path, page))
    yield from _entries(path, blocks, page_year or _implied_year(blocks))


def _body(path: Path, page: Sequence[Line]) -> int:
    """Return the index of the first line after the header.

    The header's date has the same form as an entry's. It is the first date after the heading, and
    no separator comes before it. Raises SourceError if there is no such date.
    """
    head = [line.text.strip() for line in page[: 2 * _HEADER_LINES]]
    if not any(line.text.strip() for line in page):
        raise SourceError(str(path), "the file is empty")
    heading = head.index(_HEADING) if _HEADING in head[:_HEADER_LINES] else None
    if heading is None:
        raise SourceError(
            str(path), f"not a saved Daily Papers page: its first lines do not contain {_HEADING!r}"
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
    """Group the lines from index `body` on into blocks.

    A separator and its neighbours form a footer, even with blank lines between them.
    """
    nonblank = [line for line in page[body:] if line.text.strip()]
    separators = [i for i, line in enumerate(nonblank) if line.text.strip() == _SEPARATOR]
    in_footer = {i + step for i in separators for step in (-1, 0, 1)}
    blocks: list[_Block] = []
    pending: list[Line] = []
    for index, line in enumerate(nonblank):
        after_gap = bool(pending) and line.number > pending[-1].number + 1
        if pending and (after_gap or index in in_footer):
            blocks.append(_joined(pending))
            pending = []
        if index not in in_footer:
            pending.append(line)
        elif index in separators:
            blocks.append(_footer(nonblank[max(index - 1, 0) : index + 2], line))
    return [*blocks, _joined(pending)] if pending else blocks


def _joined(block: Sequence[Line]) -> _Block:
    fault = next((line.fault for line in block if line.fault), None)
    return _Block(block[0].number, " ".join(line.text.strip() for line in block), fault=fault)


def _footer(footer: Sequence[Line], separator: Line) -> _Block:
    # At the start or end of the page one neighbour may be missing: its text is then "".
    byline = "".join(line.text.strip() for line in footer if line.number < separator.number)
    date = "".join(line.text.strip() for line in footer if line.number > separator.number)
    fault = next((line.fault for line in footer if line.fault), None)
    return _Block(footer[0].number, byline, (byline, date), fault)


def _implied_year(blocks: Sequence[_Block]) -> int | None:
    # The site omits the year of dates of the current year.
    dates = (_DATE.fullmatch(block.footer[1]) for block in blocks if block.footer)
    years = [int(match["year"]) for match in dates if match and match["year"]]
    return max(years) + 1 if years else None


def _entries(path: Path, blocks: Sequence[_Block], year: int | None) -> Iterator[Entry]:
    index = 0
    while index < len(blocks):
        start = index
        index += 1
        # An entry extends to its footer, or to the next title if it has no footer.
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
    """Return whether the block at `index` is the next title, not part of the abstract.

    `start` is the index of the present entry's title.
    """
    text = blocks[index].text
    if index == start + 1 or len(text) > _LONGEST_TITLE:
        return False
    if index + 1 == len(blocks):
        return not text.endswith(".")
    # A short block directly before a footer is the end of an abstract of several blocks.
    return not blocks[index + 1].footer


def _paper(source: str, blocks: Sequence[_Block], year: int | None, *, last: bool) -> Paper:
    """Make a paper from one entry's blocks. Raises ValueError that says what is wrong.

    `last` says that the entry is the last one of the page.
    """
    title, name = blocks[0].text, _short(blocks[0].text)
    footer = blocks[-1].footer
    abstract = "\n".join(block.text for block in blocks[1:] if not block.footer)
    if fault := next((block.fault for block in blocks if block.fault), None):
        raise ValueError(f"{name}: {fault}")
    if blocks[0].footer or not normalise_title(title):
        raise ValueError(f"no title and abstract before {name}")
    if not abstract:
        raise ValueError(f"{name} has no abstract" + (": the file ends there" if last else ""))
    if last and footer is None and not _CLOSED.search(abstract):
        raise ValueError(f"{name} is cut off: the file ends in the middle of its abstract")
    date = _matched_date(footer[1], name) if footer else None
    authors = _AUTHORS.fullmatch(footer[0]) if footer else None
    paper = Paper(
        id=paper_id(title),
        title=title,
        abstract=abstract,
        author_count=int(authors[1]) if authors else None,
        organisation=footer[0] or None if footer and not authors else None,
        published=_published(date, year, name) if date else None,
    )
    sighting = Sighting(
        source,
        blocks[0].line,
        printed_date=date["date"] if date else None,
        comments=int(date["comments"]) if date and date["comments"] else None,
    )
    return with_sighting(paper, sighting)


def _matched_date(date: str, name: str) -> re.Match[str]:
    match = _DATE.fullmatch(date)
    if match is None:
        what = f"the date {date!r} can't be read" if date else "the file ends before its date"
        raise ValueError(f"{name}: {what}")
    return match


def _published(match: re.Match[str], page_year: int | None, name: str) -> PublishedDate | None:
    month, day = _MONTHS.index(match["month"]) + 1, int(match["day"])
    year = int(match["year"]) if match["year"] else page_year
    try:
        # Without a year, a leap year: it has all days.
        datetime.date(year or 2024, month, day)
    except ValueError:
        raise ValueError(f"{name}: {match['date']!r} is not a valid date") from None
    return PublishedDate(year, month, day, inferred=not match["year"]) if year else None


def _short(title: str) -> str:
    return repr(title if len(title) <= 60 else title[:57] + "…")
