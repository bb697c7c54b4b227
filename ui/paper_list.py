"""Which papers the library page shows and in what order: pure functions over papers, no drawing."""

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
class Wanted:
    """What a visitor asked to see; "" filters nothing. `source` is a file's name without its folder."""

    words: str = ""
    sort: Sort = Sort.NEWEST
    year: str = ""
    source: str = ""
    organisation: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Papers under one heading; "" is none."""

    heading: str
    papers: tuple[Paper, ...]


@dataclass(frozen=True, slots=True)
class Choices:
    """What the filters can be set to."""

    years: tuple[str, ...]
    sources: tuple[str, ...]
    organisations: tuple[str, ...]


def choices(papers: Iterable[Paper]) -> Choices:
    """The years (newest first), files and organisations of papers."""
    known = list(papers)
    return Choices(
        tuple(
            sorted(
                {year_of(paper) for paper in known},
                key=lambda year: (year != UNDATED, year),
                reverse=True,
            )
        ),
        tuple(sorted({name for paper in known for name in sources_of(paper)}, key=str.casefold)),
        tuple(
            sorted({paper.organisation for paper in known if paper.organisation}, key=str.casefold)
        ),
    )


def filtered(papers: Iterable[Paper], wanted: Wanted) -> list[Paper]:
    """The papers that pass the filters, in their given order."""
    return [
        paper
        for paper in papers
        if wanted.year in ("", year_of(paper))
        and wanted.organisation in ("", paper.organisation)
        and (not wanted.source or wanted.source in sources_of(paper))
    ]


def shelved(papers: Iterable[Paper], wanted: Wanted) -> list[Group]:
    """The papers that pass the filters, in the wanted order; by month where the order is by date."""
    kept = filtered(papers, wanted)
    match wanted.sort:
        case Sort.NEWEST | Sort.OLDEST:
            return _by_month(kept, newest_first=wanted.sort is Sort.NEWEST)
        case Sort.DISCUSSED:
            kept.sort(key=lambda paper: (paper.comments or 0, paper.upvotes or 0), reverse=True)
        case Sort.TITLE:
            kept.sort(key=lambda paper: paper.title.casefold())
        case Sort.AUTHORS:
            kept.sort(key=lambda paper: author_count(paper) or 0, reverse=True)
    return [Group("", tuple(kept))] if kept else []


def named(papers: Iterable[Paper], words: str) -> list[Paper]:
    """The papers whose title or authors hold all the words, as parts of words too."""
    parts = words.casefold().split()
    return [paper for paper in papers if all(part in _names(paper) for part in parts)]


def first(groups: Sequence[Group], count: int) -> list[Group]:
    """The groups of the first `count` papers."""
    kept = []
    for group in groups:
        if count <= 0:
            break
        kept.append(replace(group, papers=group.papers[:count]))
        count -= len(group.papers)
    return kept


def year_of(paper: Paper) -> str:
    """The year of a paper, or `UNDATED`."""
    return str(paper.published.year) if paper.published else UNDATED


def sources_of(paper: Paper) -> set[str]:
    """The names of the files in which a paper was seen."""
    return {Path(sighting.source).name for sighting in paper.sightings}


def author_count(paper: Paper) -> int | None:
    """The number of authors, as given or as listed."""
    return paper.author_count if paper.author_count is not None else len(paper.authors) or None


def _names(paper: Paper) -> str:
    return "\n".join((paper.title, *paper.authors)).casefold()


def _by_month(papers: list[Paper], *, newest_first: bool) -> list[Group]:
    dated = sorted((paper for paper in papers if paper.published), key=_day, reverse=newest_first)
    groups = [
        Group(heading, tuple(group))
        for heading, group in groupby(dated, key=lambda one: month(one.published))
    ]
    undated = tuple(paper for paper in papers if not paper.published)
    return [*groups, *([Group("Date not known", undated)] if undated else [])]


def _day(paper: Paper) -> tuple[int, int, int]:
    date = paper.published
    return (date.year, date.month or 0, date.day or 0) if date else (0, 0, 0)


def month(date: PublishedDate | None) -> str:
    """The month of a date in words, or its year where no month is known."""
    if date is None:
        return UNDATED
    return (
        f"{calendar.month_name[date.month]} {date.year}"
        if date.month
        else f"{date.year}, month not known"
    )
