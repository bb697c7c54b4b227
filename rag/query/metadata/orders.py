"""What comes first, in a question, by rules: "the three newest", "the second longest author list"."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from rag.query.metadata.counts import NUMBER, PEOPLE, number
from rag.query.metadata.dates import PAPERS
from rag.records import Field, Order

_PLACES = {"second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4, "fifth": 5, "5th": 5}
_PLACE = rf"(?:\b(?P<place>{'|'.join(_PLACES)})[- ])?"
# "TÜLU 3 has the most authors. What comes second?"
_AFTER = r"(?:comes|is|was|came) (?:(?P<after>second|third|next)|the runner-?up)"
_NEXT = rf"^.*·.*\b(?:what|which|who)(?: (?:one|paper))? {_AFTER}"
_TEAM = (
    r"(?:authors? lists?|lists? of authors|author counts?|authorship|(?:author )?teams?|bylines?)\b"
)
# Which of the papers at hand: asked of two that the question names, or of those of the last answer.
_OF_TWO = (
    r"^which (?:(?:one|paper|of the two|of them) )?(?:is|was|came(?: out)?|appeared) (?:the )?"
)
_THAN = r"(?: \w+)* than(?=\s*\W*$)"
_RULES: tuple[tuple[Field, bool, str], ...] = (
    ("author_count", True, rf"{_PLACE}\bmost {PEOPLE}(?: (?:wrote|on|behind)\b)?"),
    (
        "author_count",
        True,
        rf"{_PLACE}\b(?:largest|highest|biggest|greatest) (?:number|count)s? of {PEOPLE}",
    ),
    ("author_count", True, rf"{_PLACE}\b(?:largest|biggest|longest) {_TEAM}"),
    ("author_count", True, rf"\b{_TEAM} (?:is|was) (?:the )?{_PLACE}(?:longest|largest|biggest)\b"),
    (
        "author_count",
        False,
        rf"{_PLACE}\b(?:fewest|least|(?:smallest|lowest) (?:number|count)s? of) {PEOPLE}",
    ),
    ("author_count", False, rf"{_PLACE}\b(?:smallest|shortest) {_TEAM}"),
    ("author_count", False, rf"\b{_TEAM} (?:is|was) (?:the )?{_PLACE}(?:shortest|smallest)\b"),
    (
        "comments",
        True,
        rf"{_PLACE}\b(?:most|(?:highest|largest|biggest) number of) (?:comments|discussion|replies)\b",
    ),
    ("comments", True, rf"{_PLACE}\bmost[- ](?:discussed|commented)(?:[- ](?:on|upon))?\b"),
    ("published", False, rf"{_PLACE}\b(?:oldest|earliest)\b"),
    (
        "published",
        False,
        rf"\bfirst (?:published|posted|ever)\b|\bvery first\b|^first (?=.*{PAPERS})",
    ),
    ("published", False, r"\b(?:came|comes|was|is)(?: out)? first(?=\s*(?:[?.,;:]|$))"),
    (
        "published",
        True,
        rf"{_PLACE}\b(?:newest|freshest|most recent(?:ly (?:published|posted|added))?)\b"
        r"(?! (?:trend|advance|idea|method)s?)",
    ),
    ("published", True, rf"{_PLACE}\blatest (?=(?:[\w-]+ ){{0,3}}{PAPERS}|additions?\b)"),
    ("published", True, rf"\blast (?=(?:{NUMBER} )?{PAPERS})"),
    ("published", True, rf"{_OF_TWO}(?:newer|more recent|later)\b(?! than)"),
    ("published", False, rf"{_OF_TWO}(?:older|earlier|first)\b(?! than)"),
    ("published", True, rf"\b(?:newer|more recent|later){_THAN}"),
    ("published", False, rf"\b(?:older|earlier){_THAN}"),
    (
        "published",
        False,
        r"\b(?:published|posted|released|appeared|came out|out) (?:first|earlier)(?=\W*$|,)",
    ),
    (
        "published",
        True,
        r"\b(?:published|posted|released|appeared|came out|out) (?:last|later)(?=\W*$|,)",
    ),
    (
        "published",
        False,
        r"\b(?:published|posted|released|appear|come out|out) (?:before|after)(?=\s*\W*$)",
    ),
    ("author_count", True, rf"\bha(?:s|d|ve) more {PEOPLE}(?! than)"),
    ("author_count", False, rf"\bha(?:s|d|ve) fewer {PEOPLE}(?! than)"),
    ("author_count", True, rf"\bmore {PEOPLE}{_THAN}"),
    ("author_count", False, rf"\bfewer {PEOPLE}{_THAN}"),
)
# All of them, in an order: "oldest first", "sorted by date".
_BY = r"\b(?:sort|rank|order|arrange)(?:ed)? (?:[\w-]+ )*by (?:the )?"
_SORTED: tuple[tuple[Field, bool, str], ...] = (
    (
        "published",
        True,
        r"\b(?:newest|latest|most recent)(?: ones?)? first\b|\breversed? chronological(?:ly| order)?",
    ),
    (
        "published",
        False,
        r"\b(?:oldest|earliest)(?: ones?)? first\b|\b(?:in )?chronological(?:ly| order)?\b",
    ),
    ("published", False, rf"{_BY}(?:publication |release )?(?:date|year|age)\b"),
    ("published", False, r"\bin order of (?:publication |release )?(?:date|appearance|age)\b"),
    ("author_count", True, rf"{_BY}(?:number of authors|author count)\b"),
)
# The order itself has been taken out and left its mark.
_HOW_MANY = (
    rf"{NUMBER} {PAPERS}(?: (?:with|having|that have))?(?: the)? +·",
    rf"(?:\b(?:which|what|the|top|list|show|give me) )?{NUMBER} +·(?: {PAPERS})?",
    rf"· +{NUMBER} {PAPERS}",
    rf"\b(?:which|what|the|top|list|show|give me) {NUMBER} {PAPERS}",
    rf"\btop {NUMBER}\b",
)


def order(take: Callable[[str], re.Match[str] | None]) -> Order | None:
    """What is to come first, and how many; `take` takes a rule's first match out of the question."""
    for field, descending, rule in _SORTED:
        if take(rule):
            return Order(field, descending, number=None)
    for field, descending, rule in _RULES:
        if match := take(rule):
            found = Order(
                field,
                descending,
                place=_PLACES.get((match.groupdict().get("place") or "").lower(), 1),
            )
            break
    else:
        return None
    if match := take(_NEXT):
        return replace(found, place=_PLACES.get((match["after"] or "").lower(), 2))
    if many := next((match for rule in _HOW_MANY if (match := take(rule))), None):
        return replace(found, number=int(number(many[1])))
    return found
