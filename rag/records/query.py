"""A parsed question: its intent, the papers it names, and typed conditions on metadata.

The ids of conditions do not depend on wording or language, so a reader's choice to remove a
condition stays valid when its text changes. `rag.records.in_words` writes the text.
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
    """Published from `first` to `last`, both included; None leaves an end open.

    `outside` selects all other dates. `named` is the question's own wording if it was relative to
    today, such as "last year".
    """

    first: Date | None = None
    last: Date | None = None
    outside: bool = False
    named: str = ""

    @property
    def id(self) -> str:
        """An id that does not depend on the wording."""
        return f"published:{'!' * self.outside}{_iso(self.first)}..{_iso(self.last)}"


@dataclass(frozen=True, slots=True)
class DatedLike:
    """Published before or after the paper of this name."""

    paper: str
    relation: Literal["<", ">"]

    @property
    def id(self) -> str:
        """An id that does not depend on the wording."""
        return f"published:{self.relation}{self.paper}"


@dataclass(frozen=True, slots=True)
class CountRange:
    """A count from `lowest` to `highest`, both included; None leaves an end open.

    `outside` selects all other counts.
    """

    field: CountField
    lowest: int | None = None
    highest: int | None = None
    outside: bool = False

    @property
    def id(self) -> str:
        """An id that does not depend on the wording."""
        ends = ("" if end is None else end for end in (self.lowest, self.highest))
        return f"{self.field}:{'!' * self.outside}{'..'.join(map(str, ends))}"


@dataclass(frozen=True, slots=True)
class Presence:
    """The field is known, or (`known` False) is missing."""

    field: Field
    known: bool = True

    @property
    def id(self) -> str:
        """An id that does not depend on the wording."""
        return f"{'has' if self.known else 'lacks'}:{self.field}"


@dataclass(frozen=True, slots=True)
class ByOrganisation:
    """From an organisation whose name contains this name."""

    name: str

    @property
    def id(self) -> str:
        """An id that does not depend on the wording."""
        return f"organisation:{self.name}"


@dataclass(frozen=True, slots=True)
class ByAuthor:
    """One of the authors is called `name`.

    `known` are the library's authors that the name may mean; empty if there are none.
    """

    name: str
    known: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """An id that does not depend on the wording."""
        return f"author:{self.name}"


@dataclass(frozen=True, slots=True)
class InCategory:
    """In an arXiv category such as cs.RO."""

    name: str

    @property
    def id(self) -> str:
        """An id that does not depend on the wording."""
        return f"category:{self.name}"


@dataclass(frozen=True, slots=True)
class NotAbout:
    """Neither title nor abstract has all words of `topic`."""

    topic: str

    @property
    def id(self) -> str:
        """An id that does not depend on the wording."""
        return f"not-about:{self.topic}"


@dataclass(frozen=True, slots=True)
class NotPaper:
    """Not the paper of this name."""

    paper: str

    @property
    def id(self) -> str:
        """An id that does not depend on the wording."""
        return f"not-paper:{self.paper}"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of the conditions is met."""

    conditions: tuple[Condition, ...]

    @property
    def id(self) -> str:
        """An id that does not depend on the wording."""
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
    """The papers with the highest or the lowest values of a field: `number` papers from `place` on.

    Without a number, all papers with the field are sorted.
    """

    field: Field
    descending: bool
    number: int | None = 1
    place: int = 1

    @property
    def id(self) -> str:
        """An id that does not depend on the wording."""
        way = "descending" if self.descending else "ascending"
        return f"order:{self.field}:{way}:{self.number or 'all'}:{self.place}"


@dataclass(frozen=True, slots=True)
class Tally:
    """The number of papers per year or month.

    `shown` selects all periods, or only those with the most or the fewest papers.
    """

    period: Literal["year", "month"]
    shown: Literal["all", "most", "fewest"] = "all"


@dataclass(frozen=True, slots=True)
class MetadataQuery:
    """What a question asks about the papers' metadata, and the topic that is left to search for.

    - `topic`: the rest of the question, as it was written.
    - `order`: only the first papers by a field.
    - `asked`: the fields whose values are asked for.
    - `counted`: whether the number of papers is asked for.
    - `tally`: the number of papers per year or month.
    - `averaged`: the field whose mean is asked for.
    - `limit`: the maximum number of papers.
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
        """The conditions and the order, which restrict the papers."""
        return (*self.conditions, *([self.order] if self.order else []))

    def without(self, ids: Collection[str]) -> MetadataQuery:
        """Return the query without the filters with these ids.

        If the question had nothing but these filters, the remaining papers are counted.
        """
        order = None if self.order and self.order.id in ids else self.order
        conditions = tuple(condition for condition in self.conditions if condition.id not in ids)
        rest = replace(self, conditions=conditions, order=order)
        return rest if rest or rest.topic or rest == self else replace(rest, counted=True)

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
    """A paper that a question names or refers to: its id, and the question's words for it."""

    paper_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Query:
    """A question and its history, parsed once.

    - `text`: what the reader typed.
    - `shown`: the standalone question that the reader sees.
    - `question`: the standalone question that a language model gets.
    - `search_text`: the words to search for.
    - `papers`: the only papers to use (empty: all); `papers_in_words` describes them.
    - `pointed`: whether these papers are the question's only subject.
    - `compared`: whether the question compares these papers.
    - `papers_wanted`: whether the question asks for papers.
    - `quantity`: whether it asks for a number.
    - `whole_paper`: whether it asks about a paper as a whole, not about a detail.
    - `language`: an ISO 639-1 code, or None for English.
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
    whole_paper: bool = False
    missing: str = ""
    language: str | None = None
    notices: tuple[str, ...] = ()

    @property
    def paper_ids(self) -> tuple[str, ...]:
        """The ids of `papers`, each once."""
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
    except ValueError:  # an impossible date such as 31 April
        return day
    return (moved.year, moved.month, moved.day)


def _iso(given: Date | None) -> str:
    return "" if given is None else "-".join(f"{part:02d}" for part in given)
