"""Conditions and orders in the words that a reader sees."""

from __future__ import annotations

from rag.records.query import (
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

FIELD_NAMES = {
    "published": "date",
    "author_count": "number of authors",
    "authors": "author names",
    "organisation": "organisation",
    "comments": "number of comments",
    "upvotes": "number of upvotes",
    "categories": "categories",
}
COUNTED = {"author_count": "author", "comments": "comment", "upvotes": "upvote"}
_PLACES = {2: "second", 3: "third", 4: "fourth", 5: "fifth"}


def in_words(item: Condition | Order) -> str:  # noqa: C901 (one case for each condition)
    """Describe a condition or an order."""
    match item:
        case DateRange():
            return _date_range(item)
        case DatedLike(paper, relation):
            return f"published {'before' if relation == '<' else 'after'} {paper}"
        case CountRange():
            return _count_range(item)
        case Presence(field, known):
            return f"{FIELD_NAMES[field]} known" if known else f"no {FIELD_NAMES[field]}"
        case ByOrganisation(name):
            return f"from {name}"
        case ByAuthor(name, known):
            return f"by {' or '.join(known) or name}"
        case InCategory(name):
            return f"in {name}"
        case NotAbout(topic):
            return f"not about {topic}"
        case NotPaper(paper):
            return f"not {paper}"
        case AnyOf(conditions):
            return " or ".join(map(in_words, conditions))
        case Order():
            return _order(item)


def date_in_words(date: Date) -> str:
    """Write a date as YYYY, YYYY-MM or YYYY-MM-DD."""
    return "-".join(f"{part:02d}" for part in date)


def counted(number: int, noun: str) -> str:
    """Write a number with its noun: "1 author", "3 authors"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _date_range(dates: DateRange) -> str:
    verb = "not published" if dates.outside else "published"
    if dates.first is not None and dates.first == dates.last:
        text = f"{verb} {'on' if len(dates.first) == 3 else 'in'} {date_in_words(dates.first)}"
    elif dates.first is not None and dates.last is not None:
        text = f"{verb} from {date_in_words(dates.first)} to {date_in_words(dates.last)}"
    elif dates.first is not None:
        text = f"{verb} since {date_in_words(dates.first)}"
    else:
        text = f"{verb} until {date_in_words(dates.last or ())}"
    return f"{dates.named} ({text})" if dates.named else text


def _count_range(counts: CountRange) -> str:
    noun = COUNTED[counts.field]
    if counts.lowest is not None and counts.lowest == counts.highest:
        text = counted(counts.lowest, noun)
    elif counts.lowest is not None and counts.highest is not None:
        text = f"{counts.lowest} to {counted(counts.highest, noun)}"
    elif counts.lowest is not None:
        text = f"at least {counted(counts.lowest, noun)}"
    else:
        text = f"at most {counted(counts.highest or 0, noun)}"
    return f"not {text}" if counts.outside else text


def _order(order: Order) -> str:
    number = 1 if order.number is None else order.number
    place = f"{_PLACES.get(order.place, order.place)} " if order.place > 1 else ""
    if order.field == "published":
        text = f"{place}{'newest' if order.descending else 'oldest'}"
        many = f"{number} " if number > 1 else ""
    else:
        noun = COUNTED.get(order.field, order.field)
        text = f"{place}{'most' if order.descending else 'fewest'} {noun}s"
        many = f"{number} with the " if number > 1 else ""
    return f"{text} first" if order.number is None else many + text
