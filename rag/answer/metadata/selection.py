"""Papers that meet a query's conditions, and which of them come first."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import replace

from rag.library import PaperFacts
from rag.records import CatalogQuery, Condition, Order

_RELATIONS: dict[str, Callable[[object, object], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,  # type: ignore[dict-item]
    "<=": operator.le,  # type: ignore[dict-item]
    ">": operator.gt,  # type: ignore[dict-item]
    ">=": operator.ge,  # type: ignore[dict-item]
}


def meeting(facts: Sequence[PaperFacts], query: CatalogQuery) -> list[PaperFacts]:
    """The papers that meet every condition, in the order given."""
    return [
        paper for paper in facts if all(_meets(paper, condition) for condition in query.conditions)
    ]


def first(facts: Sequence[PaperFacts], order: Order) -> list[PaperFacts]:
    """The papers that come first by a field, foremost first, ties included; without the fact none is a candidate.

    Places are counted without ties: where two papers are newest, the second newest is the one after them.
    """
    known = [paper for paper in facts if _value(paper, order.field) not in (None, ())]
    known.sort(key=lambda paper: _value(paper, order.field), reverse=order.descending)  # type: ignore[arg-type,return-value]
    before = list(dict.fromkeys(_value(paper, order.field) for paper in known))[: order.place - 1]
    known = [paper for paper in known if _value(paper, order.field) not in before]
    if not known or order.number is None:
        return known
    last = _value(known[min(order.number, len(known)) - 1], order.field)
    return [
        paper
        for n, paper in enumerate(known)
        if n < order.number or _value(paper, order.field) == last
    ]


def _meets(paper: PaperFacts, condition: Condition) -> bool:
    value = _value(paper, condition.field)
    if value in (None, ()):
        return condition.relation == "missing"
    if condition.relation in ("missing", "known"):
        return condition.relation == "known"
    if condition.field == "organisation":
        return condition.value.casefold() in str(value).casefold()
    if condition.field == "published":
        return _compare_dates(paper.published, condition)
    return _RELATIONS[condition.relation](value, int(condition.value))


def _compare_dates(published: tuple[int, ...], condition: Condition) -> bool:
    """Compare as finely as the condition says; a coarser date counts where its known part decides."""
    if " or " in condition.value:
        return any(
            _compare_dates(published, replace(condition, value=one))
            for one in condition.value.split(" or ")
        )
    in_any_year = condition.value.startswith("--")
    wanted = tuple(int(part) for part in condition.value.removeprefix("--").split("-"))
    known = published[in_any_year:][: len(wanted)]
    if len(known) < len(wanted) and known == wanted[: len(known)]:
        return False  # some time in that year, say: it can't be decided
    return _RELATIONS[condition.relation](known, wanted)


def _value(paper: PaperFacts, field: str) -> object:
    value: object = getattr(paper, field, None)
    return value
