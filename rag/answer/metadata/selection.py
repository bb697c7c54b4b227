"""Select papers by conditions on their metadata, and sort them."""

from __future__ import annotations

import calendar
from collections.abc import Sequence

from rag.library import PaperFacts
from rag.records import (
    AnyOf,
    ByAuthor,
    ByOrganisation,
    Condition,
    CountRange,
    Date,
    DatedLike,
    DateRange,
    InCategory,
    NotAbout,
    NotPaper,
    Order,
    Presence,
)


def meeting(facts: Sequence[PaperFacts], conditions: Sequence[Condition]) -> list[PaperFacts]:
    """Return the papers that meet every condition, in the order given.

    The caller must have resolved conditions on a paper's text or on another paper (`NotAbout`,
    `NotPaper`, `DatedLike`).
    """
    return [paper for paper in facts if all(_meets(paper, condition) for condition in conditions)]


def top(facts: Sequence[PaperFacts], order: Order) -> list[PaperFacts]:
    """Return the first papers by a field, ties included; papers without the field are left out.

    Papers with equal values share a place: if two papers are newest, the next one is second newest.
    """
    known = [paper for paper in facts if _value(paper, order.field) not in (None, ())]
    known.sort(key=lambda paper: _value(paper, order.field), reverse=order.descending)  # type: ignore[arg-type,return-value]
    values = list(dict.fromkeys(_value(paper, order.field) for paper in known))
    earlier = values[: order.place - 1]
    known = [paper for paper in known if _value(paper, order.field) not in earlier]
    if not known or order.number is None:
        return known
    last = _value(known[min(order.number, len(known)) - 1], order.field)
    return [
        paper
        for rank, paper in enumerate(known)
        if rank < order.number or _value(paper, order.field) == last
    ]


def _meets(paper: PaperFacts, condition: Condition) -> bool:
    match condition:
        case DateRange():
            return bool(paper.published) and _in_range(paper.published, condition)
        case CountRange(field, lowest, highest, outside):
            value = _value(paper, field)
            if not isinstance(value, int):
                return False
            inside = (lowest is None or value >= lowest) and (highest is None or value <= highest)
            return inside != outside
        case Presence(field, known):
            return (_value(paper, field) not in (None, ())) == known
        case ByOrganisation(name):
            return name.casefold() in (paper.organisation or "").casefold()
        case ByAuthor(_, known):
            return bool(set(known) & set(paper.authors))
        case InCategory(name):
            return name in paper.categories
        case AnyOf(conditions):
            return any(_meets(paper, alternative) for alternative in conditions)
        case DatedLike() | NotAbout() | NotPaper():
            raise AssertionError(f"{condition.id} was not resolved")


def _in_range(published: Date, dates: DateRange) -> bool:
    """Check whether a date is certainly in the range, or (`outside`) certainly not in it.

    A date without a day may be any of its days: the date "2024" is in the range 2024, but neither
    in nor outside March 2024.
    """
    first = _earliest(dates.first) if dates.first else (0, 0, 0)
    last = _latest(dates.last) if dates.last else (9999, 12, 31)
    if dates.outside:
        return _latest(published) < first or _earliest(published) > last
    return first <= _earliest(published) and _latest(published) <= last


def _earliest(date: Date) -> Date:
    return (*date, *(1, 1)[len(date) - 1 :])  # month 1, day 1 where they are missing


def _latest(date: Date) -> Date:
    if len(date) == 3:
        return date
    year, month = (*date, 12)[:2]
    return (year, month, calendar.monthrange(year, month)[1])


def _value(paper: PaperFacts, field: str) -> object:
    value: object = getattr(paper, field, None)
    return value
