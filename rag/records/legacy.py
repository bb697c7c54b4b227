"""Convert filters of older conversations and bundles, which name them by English words, to ids."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from rag.records.answers import NAMED_PAPERS
from rag.records.query import (
    CountField,
    CountRange,
    Date,
    DatedLike,
    DateRange,
    Field,
    Order,
    next_date,
    previous_date,
)

_FIELDS: dict[str, Field] = {
    "date": "published",
    "number of authors": "author_count",
    "author names": "authors",
    "organisation": "organisation",
    "number of comments": "comments",
}
_NAMES = "|".join(_FIELDS)
# "date >= 2023-05", "number of authors = 1"
_RELATION = re.compile(rf"({_NAMES}) (=|!=|<=|>=|<|>) (.+)")
_MISSING = re.compile(rf"no ({_NAMES})")
_KNOWN = re.compile(rf"({_NAMES}) known")
# "newest", "3 newest", "2 with the most authors", "second oldest", "newest first"
_ORDER = re.compile(
    r"(?:(\d+) (?:with the )?)?(?:(second|third|fourth|fifth) )?"
    r"(newest|oldest|(most|fewest) (authors|comments))( first)?"
)
_PLACES = ("first", "second", "third", "fourth", "fifth")


def current_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return a saved answer's row with current filter ids."""
    if "filters" not in row or "applied_filters" in row:
        return row
    texts = row["filters"]
    row = {key: value for key, value in row.items() if key != "filters"}
    row["applied_filters"] = [{"id": current_id(text), "text": text} for text in texts]
    scope = row.get("scope")
    if isinstance(scope, dict) and isinstance(scope.get("without"), list):
        row["scope"] = scope | {"without": current_ids(scope["without"])}
    return row


def current_ids(without: Iterable[str]) -> list[str]:
    """Return the current ids of filters.

    Both ends of a range had a filter each; now the range is one filter, whose id is added.
    """
    ids = [current_id(text) for text in without]
    return list(dict.fromkeys([*ids, *_joined(ids)]))


def current_id(text: str) -> str:
    """Return the id of a filter that may be named by its words; an id is returned as it is."""
    if text.startswith("only "):
        return NAMED_PAPERS
    if match := _MISSING.fullmatch(text):
        return f"lacks:{_FIELDS[match[1]]}"
    if match := _KNOWN.fullmatch(text):
        return f"has:{_FIELDS[match[1]]}"
    if match := _RELATION.fullmatch(text):
        return _with_relation(_FIELDS[match[1]], match[2], match[3])
    if match := _ORDER.fullmatch(text):
        return _order(match).id
    return f"not-paper:{text.removeprefix('not ')}" if text.startswith("not ") else text


def _with_relation(field: Field, relation: str, value: str) -> str:
    if field == "organisation":
        return f"organisation:{value}"
    if field == "published" and value.startswith("that of "):
        return DatedLike(value.removeprefix("that of "), ">" if ">" in relation else "<").id
    if field == "published":
        return _dates(relation, value)
    count: CountField = "comments" if field == "comments" else "author_count"
    number = int(value)
    if relation in ("=", "!="):
        return CountRange(count, number, number, outside=relation == "!=").id
    step = {">": 1, "<": -1}.get(relation, 0)
    low, high = (number + step, None) if ">" in relation else (None, number + step)
    return CountRange(count, low, high).id


def _dates(relation: str, value: str) -> str:
    if " or " in value:
        years = (DateRange((int(year),), (int(year),)).id for year in value.split(" or "))
        return f"any({'|'.join(years)})"
    date: Date = tuple(int(part) for part in value.strip("-").split("-"))
    if relation in ("=", "!="):
        return DateRange(date, date, outside=relation == "!=").id
    bound = next_date(date) if relation == ">" else date
    bound = previous_date(date) if relation == "<" else bound
    return DateRange(bound, None).id if ">" in relation else DateRange(None, bound).id


def _order(match: re.Match[str]) -> Order:
    number, place, word, extreme, noun, every = match.groups()
    field: Field = "published"
    if noun:
        field = "comments" if noun == "comments" else "author_count"
    many = None if every else int(number or 1)
    at = _PLACES.index(place) + 1 if place else 1
    return Order(field, word == "newest" or extreme == "most", many, at)


def _joined(ids: list[str]) -> Iterator[str]:
    """Yield the current id for each field that has a lower and an upper end."""
    for first in ids:
        field, _, end = first.partition(":")
        if not end.endswith("..") or end.startswith("!"):
            continue
        for last in ids:
            if last.startswith(f"{field}:.."):
                yield f"{field}:{end}{last.removeprefix(f'{field}:..')}"
