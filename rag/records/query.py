"""A question as it was read: its intent, the papers it names, and typed conditions on metadata.

Conditions have ids that do not depend on any wording, so that a reader's choice to take one away outlives a better
wording or another language. Words for them are made in `rag.records.in_words`, where they are shown.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import Literal

Field = Literal["published", "author_count", "authors", "organisation", "comments", "upvotes"]
"""A metadata field of a paper."""
CountField = Literal["author_count", "comments", "upvotes"]
Date = tuple[int, ...]
"""(year,), (year, month) or (year, month, day)."""


@dataclass(frozen=True, slots=True)
class DateRange:
    """Published from `first` to `last`, both included; None leaves an end open. `outside` asks for all other dates.

    `named` keeps what was asked where it was relative to today, such as "last year".
    """

    first: Date | None = None
    last: Date | None = None
    outside: bool = False
    named: str = ""

    @property
    def id(self) -> str:
        """A name that stays the same whatever the wording."""
        return f"published:{'!' * self.outside}{_iso(self.first)}..{_iso(self.last)}"


@dataclass(frozen=True, slots=True)
class DatedLike:
    """Published before or after the paper of this name."""

    paper: str
    relation: Literal["<", ">"]

    @property
    def id(self) -> str:
        """A name that stays the same whatever the wording."""
        return f"published:{self.relation}{self.paper}"


@dataclass(frozen=True, slots=True)
class CountRange:
    """A count from `lowest` to `highest`, both included; None leaves an end open. `outside` asks for all others."""

    field: CountField
    lowest: int | None = None
    highest: int | None = None
    outside: bool = False

    @property
    def id(self) -> str:
        """A name that stays the same whatever the wording."""
        ends = ("" if end is None else end for end in (self.lowest, self.highest))
        return f"{self.field}:{'!' * self.outside}{'..'.join(map(str, ends))}"


@dataclass(frozen=True, slots=True)
class Presence:
    """The field is known, or (`known` False) is missing."""

    field: Field
    known: bool = True

    @property
    def id(self) -> str:
        """A name that stays the same whatever the wording."""
        return f"{'has' if self.known else 'lacks'}:{self.field}"


@dataclass(frozen=True, slots=True)
class ByOrganisation:
    """From an organisation whose name holds this one."""

    name: str

    @property
    def id(self) -> str:
        """A name that stays the same whatever the wording."""
        return f"organisation:{self.name}"


@dataclass(frozen=True, slots=True)
class ByAuthor:
    """One of the authors is called `name`, which `known` spells as the library does; empty where nobody is."""

    name: str
    known: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """A name that stays the same whatever the wording."""
        return f"author:{self.name}"


@dataclass(frozen=True, slots=True)
class InCategory:
    """Of an arXiv category such as cs.RO."""

    name: str

    @property
    def id(self) -> str:
        """A name that stays the same whatever the wording."""
        return f"category:{self.name}"


@dataclass(frozen=True, slots=True)
class NotAbout:
    """Neither title nor abstract has all words of `topic`."""

    topic: str

    @property
    def id(self) -> str:
        """A name that stays the same whatever the wording."""
        return f"not-about:{self.topic}"


@dataclass(frozen=True, slots=True)
class NotPaper:
    """Not the paper of this name."""

    paper: str

    @property
    def id(self) -> str:
        """A name that stays the same whatever the wording."""
        return f"not-paper:{self.paper}"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of the conditions is met."""

    conditions: tuple[Condition, ...]

    @property
    def id(self) -> str:
        """A name that stays the same whatever the wording."""
        return f"any({'|'.join(condition.id for condition in self.conditions)})"


Condition = (
    DateRange
    | DatedLike
    | CountRange
    | Presence
    | ByOrganisation
    | ByAuthor
    | InCategory
    | NotAbout
    | NotPaper
    | AnyOf
)


@dataclass(frozen=True, slots=True)
class Order:
    """Which papers come first: the highest of a field or the lowest, how many, and from which place on.

    Without a number, all papers with the field are put in order.
    """

    field: Field
    descending: bool
    number: int | None = 1
    place: int = 1

    @property
    def id(self) -> str:
        """A name that stays the same whatever the wording."""
        way = "descending" if self.descending else "ascending"
        return f"order:{self.field}:{way}:{self.number or 'all'}:{self.place}"


@dataclass(frozen=True, slots=True)
class Tally:
    """How many papers each year or month has: all periods, or only those with the most or the fewest."""

    period: Literal["year", "month"]
    shown: Literal["all", "most", "fewest"] = "all"


@dataclass(frozen=True, slots=True)
class MetadataQuery:
    """What a question asks of the papers' metadata, and the topic that is left to search for, as it was written.

    `order` asks for the first papers by a field only, `asked` for the values of fields, `counted` for the number of
    papers, `tally` for the number in each year or month, `averaged` for the mean of a field, `limit` for at most so
    many papers.
    """

    topic: str
    conditions: tuple[Condition, ...] = ()
    order: Order | None = None
    asked: tuple[Field, ...] = ()
    counted: bool = False
    tally: Tally | None = None
    averaged: CountField | None = None
    limit: int | None = None

    @property
    def filters(self) -> tuple[Condition | Order, ...]:
        """What narrows the papers."""
        return (*self.conditions, *([self.order] if self.order else []))

    def less(self, ids: Collection[str]) -> MetadataQuery:
        """Return the query without the filters of these ids.

        Where nothing but the filters was asked, the papers that are left are counted.
        """
        order = None if self.order and self.order.id in ids else self.order
        conditions = tuple(one for one in self.conditions if one.id not in ids)
        left = replace(self, conditions=conditions, order=order)
        return left if left or left.topic or left == self else replace(left, counted=True)

    def __bool__(self) -> bool:
        return bool(
            self.conditions
            or self.order
            or self.asked
            or self.counted
            or self.tally
            or self.averaged
            or self.limit
        )


class Intent(StrEnum):
    """What a question wants."""

    FACT = "fact"
    LIST = "list"
    COMPARISON = "comparison"
    METADATA = "metadata"
    SUMMARY = "summary"
    OVERVIEW = "overview"
    GREETING = "greeting"


@dataclass(frozen=True, slots=True)
class NamedPaper:
    """A paper that a question names or points at: its id, and the words that mean it in the question."""

    paper_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Query:
    """A question and its history, read once.

    `text` is what the reader typed, `shown` what it was understood as, `question` the same in the words that a language
    model gets, `search_text` the words to search for. Of `papers` (empty: all) only these count; `pointed` says that
    the question has no other subject than them, `compared` that it sets them against each other. `papers_wanted` says that papers are asked for, `quantity` that a number is, `whole` that
    a paper as a whole is, and `language` is an ISO 639-1 code where the question is not English.
    """

    text: str
    shown: str
    question: str
    search_text: str
    intent: Intent
    metadata: MetadataQuery
    papers: tuple[NamedPaper, ...] = ()
    papers_in_words: str = ""
    pointed: bool = False
    compared: bool = False
    papers_wanted: bool = False
    quantity: bool = False
    whole: bool = False
    language: str | None = None
    notices: tuple[str, ...] = ()

    @property
    def paper_ids(self) -> tuple[str, ...]:
        """The ids of the papers that are named or pointed at, each once."""
        return tuple(dict.fromkeys(paper.paper_id for paper in self.papers))


def previous_date(given: Date) -> Date:
    """Return the year, month or day before."""
    match given:
        case (year,):
            return (year - 1,)
        case (year, month):
            return (year, month - 1) if month > 1 else (year - 1, 12)
    return _moved(given, -1)


def next_date(given: Date) -> Date:
    """Return the year, month or day after."""
    match given:
        case (year,):
            return (year + 1,)
        case (year, month):
            return (year, month + 1) if month < 12 else (year + 1, 1)
    return _moved(given, 1)


def _moved(day: Date, days: int) -> Date:
    try:
        moved = date(*day) + timedelta(days)
    except ValueError:  # there is no such day, as in 31 April
        return day
    return (moved.year, moved.month, moved.day)


def _iso(given: Date | None) -> str:
    return "" if given is None else "-".join(f"{part:02d}" for part in given)
