"""Select, sort and group the papers of the library page: pure functions, no HTML."""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby
from pathlib import Path

from rag.records import Paper, PublishedDate

UNDATED = "no date"


class Sort(StrEnum):
    """The orders of the library page."""

    NEWEST = "Newest"
    OLDEST = "Oldest"
    DISCUSSED = "Most discussed"
    TITLE = "Title"
    AUTHORS = "Most authors"


@dataclass(frozen=True, slots=True)
class PaperQuery:
    """Search words, order and filters; "" filters nothing. `source` is a file name, no folder."""

    words: str = ""
    sort: Sort = Sort.NEWEST
    year: str = ""
    source: str = ""
    organisation: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Papers under one heading; "" means no heading."""

    heading: str
    papers: tuple[Paper, ...]


@dataclass(frozen=True, slots=True)
class Choices:
    """The possible values of the filters."""

    years: tuple[str, ...]
    sources: tuple[str, ...]
    organisations: tuple[str, ...]


def choices(papers: Iterable[Paper]) -> Choices:
    """Return the years (newest first), files and organisations of papers."""
    papers = list(papers)
    return Choices(
        tuple(
            sorted(
                {year_of(paper) for paper in papers},
                key=lambda year: (year != UNDATED, year),  # UNDATED comes last
                reverse=True,
            )
        ),
        tuple(sorted({name for paper in papers for name in sources_of(paper)}, key=str.casefold)),
        tuple(
            sorted({paper.organisation for paper in papers if paper.organisation}, key=str.casefold)
        ),
    )


def filtered(papers: Iterable[Paper], query: PaperQuery) -> list[Paper]:
    """Return the papers that pass the filters, in the given order."""
    return [
        paper
        for paper in papers
        if query.year in ("", year_of(paper))
        and query.organisation in ("", paper.organisation)
        and (not query.source or query.source in sources_of(paper))
    ]


def grouped(papers: Iterable[Paper], query: PaperQuery) -> list[Group]:
    """Return the papers that pass the filters, sorted; grouped by month if sorted by date."""
    kept = filtered(papers, query)
    match query.sort:
        case Sort.NEWEST | Sort.OLDEST:
            return _by_month(kept, newest_first=query.sort is Sort.NEWEST)
        case Sort.DISCUSSED:
            kept.sort(key=lambda paper: (paper.comments or 0, paper.upvotes or 0), reverse=True)
        case Sort.TITLE:
            kept.sort(key=lambda paper: paper.title.casefold())
        case Sort.AUTHORS:
            kept.sort(key=lambda paper: author_count(paper) or 0, reverse=True)
    return [Group("", tuple(kept))] if kept else []


def matching(papers: Iterable[Paper], words: str) -> list[Paper]:
    """Return the papers with all the words, or parts of words, in the title or the authors."""
    parts = words.casefold().split()
    return [paper for paper in papers if all(part in _names(paper) for part in parts)]


def head(groups: Sequence[Group], count: int) -> list[Group]:
    """Return the groups, cut after the first `count` papers."""
    kept = []
    for group in groups:
        if count <= 0:
            break
        kept.append(replace(group, papers=group.papers[:count]))
        count -= len(group.papers)
    return kept


def year_of(paper: Paper) -> str:
    """Return the year of a paper, or `UNDATED`."""
    return str(paper.published.year) if paper.published else UNDATED


def sources_of(paper: Paper) -> set[str]:
    """Return the names of the files that contain a paper."""
    return {Path(sighting.source).name for sighting in paper.sightings}


def author_count(paper: Paper) -> int | None:
    """Return the number of authors: the stated one, else that of the listed names."""
    return paper.author_count if paper.author_count is not None else len(paper.authors) or None


def _names(paper: Paper) -> str:
    return "\n".join((paper.title, *paper.authors)).casefold()


def _by_month(papers: list[Paper], *, newest_first: bool) -> list[Group]:
    dated = sorted((paper for paper in papers if paper.published), key=_day, reverse=newest_first)
    groups = [
        Group(heading, tuple(group))
        for heading, group in groupby(dated, key=lambda paper: month(paper.published))
    ]
    undated = tuple(paper for paper in papers if not paper.published)
    return [*groups, *([Group("Date not known", undated)] if undated else [])]


def _day(paper: Paper) -> tuple[int, int, int]:
    date = paper.published
    return (date.year, date.month or 0, date.day or 0) if date else (0, 0, 0)


def month(date: PublishedDate | None) -> str:
    """Return the month of a date in words, or its year if the month is not known."""
    if date is None:
        return UNDATED
    return (
        f"{calendar.month_name[date.month]} {date.year}"
        if date.month
        else f"{date.year}, month not known"
    )
