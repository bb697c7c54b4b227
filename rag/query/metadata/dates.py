"""Dates and periods in a question, by rules: "in March 2024", "January to May 2024", "before 2017"."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from rag.records import Condition, Relation

PAPERS = r"(?:papers?|entr(?:y|ies)|articles?|works?|publications?|preprints?)\b"

_FULL_MONTHS = (
    "january|february|march|april|may|june|july|august|september|october|november|december"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# Parts of the rules. Groups hold the values.
_YEAR = r"((?:19[5-9]|20[0-4])\d)"
_MONTH = rf"((?:{'|'.join(_MONTHS)})[a-z]*)\.?"
_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_DATES = (
    rf"{_MONTH} {_DAY},? {_YEAR}",
    rf"{_DAY} (?:of )?{_MONTH},? {_YEAR}",
    rf"{_MONTH},?(?: of)? {_YEAR}",
    rf"{_YEAR}-(\d\d)(?:-(\d\d))?",
    _YEAR,
)
DATE = rf"(?:{'|'.join(_DATES)})(?!\w)"
_OUT = r"(?:(?:published|posted|appeared|released|submitted|dated|out|up|online) )?"

# The year of a period's first date may stand with its last one only.
_SINCE = rf"(?P<since>{DATE}|{_MONTH}(?: {_DAY})?|{_DAY} (?:of )?{_MONTH})"
_UNTIL = rf"(?P<until>{DATE})"
_TO = r"(?:\s?[-–]\s?| (?:(?:up )?to|until|through|till)(?: and including)? )"
_PERIODS = (
    rf"\b(?:(?:in|during) )?(?:between|from) {_SINCE}(?:{_TO}| and ){_UNTIL}",
    rf"\b(?:(?:in|during) )?{_SINCE}{_TO}{_UNTIL}",
)
_RULES: tuple[tuple[Relation, str], ...] = (
    (
        "<=",
        rf"\b(?:until|till|up to(?: and including)?|no later than|not after|by the end of) {DATE}",
    ),
    ("<=", rf"\b{DATE} (?:or|and) (?:earlier|before|older)\b"),
    (
        "<",
        rf"\b(?:from )?(?:before|prior to|older than|earlier than|predat(?:es?|ing)|pre-?) ?{DATE}",
    ),
    (">=", rf"\b(?:since|starting (?:in|from)|as of|no earlier than|not before) {DATE}"),
    (
        ">=",
        rf"\b(?:from )?{DATE} (?:onwards?\b|(?:or|and) (?:later|newer|after|beyond)\b|on(?=\s*(?:[?.,;]|$)))",
    ),
    (">", rf"\b(?:from )?(?:after|newer than|later than|more recent than|past|post-?) ?{DATE}"),
    ("=", rf"\b{_OUT}(?:back )?(?:in|from|of|on|during|for|dated)(?: the year)? {DATE}"),
    ("=", rf"\bdat(?:es?|ing) (?:back )?(?:to|from) {DATE}"),
    ("=", rf"\b{DATE}(?:'s)? (?:{PAPERS}|dates?\b)"),
    ("=", rf"\b(?:{'|'.join(_DATES[:3])})(?!\w)"),
)
# "In December", whatever the year.
_ANY_YEAR = rf"\b(?:in|on|during|every|any) (?:(?:the )?{_DAY} (?:of )?)?({_FULL_MONTHS})(?: {_DAY})?(?!,? ?\d)\b"
_FEASTS = {
    "christmas eve": "12-24",
    "christmas day": "12-25",
    "christmas": "12-25",
    "new year's eve": "12-31",
    "new year's day": "01-01",
}
_FEAST = rf"\b(?:on )?({'|'.join(_FEASTS)})(?:,? (?:of |in )?{_YEAR})?\b"
# "The 2010s", "the first half of 2024", "Q3 2024": where it begins and ends.
_DECADE = r"\b(?:(?:in|from|of|during) )?(?:the )?(19[5-9]|20[0-4])0'?s\b"
_PARTS = {
    **dict.fromkeys(("first half", "h1"), ("01", "06")),
    **dict.fromkeys(("second half", "last half", "h2"), ("07", "12")),
    **dict.fromkeys(("first quarter", "q1"), ("01", "03")),
    **dict.fromkeys(("second quarter", "q2"), ("04", "06")),
    **dict.fromkeys(("third quarter", "q3"), ("07", "09")),
    **dict.fromkeys(("fourth quarter", "last quarter", "final quarter", "q4"), ("10", "12")),
}
_PART = rf"\b(?:(?:in|from|of|during) )?(?:the )?({'|'.join(_PARTS)})(?: of| in)? {_YEAR}\b"
_SEVERAL = rf"\b(?:in|from|of|during) (?:either )?{_YEAR}(?:, {_YEAR})*,? (?:or|and) {_YEAR}\b"
_NOT = (
    rf"\b(?:(?:but|and) )?(?:not|nor|neither|except(?:ing)?(?: for)?|excluding|other than|apart from|leaving out)"
    rf"(?: those| the ones| papers)?(?: published| posted| dated)?(?: in| from| of| during)+ {DATE}"
)


def dated(take: Callable[[str], re.Match[str] | None]) -> Iterator[Condition]:
    """The conditions on dates; `take` takes a rule's first match out of the question."""
    while match := take(_NOT):
        yield Condition("published", "!=", _iso(_date_in(match[0])))
    if period := _ends(take) or _period(take):
        yield Condition("published", ">=", period[0])
        yield Condition("published", "<=", period[1])
        return
    if match := take(_SEVERAL):
        yield Condition("published", "=", " or ".join(sorted(set(re.findall(_YEAR, match[0])))))
        return
    for relation, rule in _RULES:
        if match := take(rule):
            yield Condition("published", relation, _iso(_date_in(match[0])))
    yield from _in_any_year(take)


def _period(take: Callable[[str], re.Match[str] | None]) -> tuple[str, str] | None:
    """The first and the last date of a period, the year of whose first may stand with its last only."""
    match = next((match for rule in _PERIODS if (match := take(rule))), None)
    if match is None:
        return None
    since, until = match["since"], match["until"]
    if not re.fullmatch(DATE, since, re.IGNORECASE):
        since += f" {_iso(until)[:4]}"
    return _iso(since), _iso(until)


def _in_any_year(take: Callable[[str], re.Match[str] | None]) -> Iterator[Condition]:
    """A day or a month of no certain year."""
    if match := take(_FEAST):
        yield Condition("published", "=", f"{match[2] or '-'}-{_FEASTS[match[1].lower()]}")
    if match := take(_ANY_YEAR):
        month = f"--{_MONTHS.index(match[2][:3].lower()) + 1:02d}"
        day = match[1] or match[3]
        yield Condition("published", "=", f"{month}-{int(day):02d}" if day else month)


def _ends(take: Callable[[str], re.Match[str] | None]) -> tuple[str, str] | None:
    """The first and the last date of a decade or a part of a year."""
    if match := take(_DECADE):
        return f"{match[1]}0", f"{match[1]}9"
    if match := take(_PART):
        first, last = _PARTS[match[1].lower()]
        return f"{match[2]}-{first}", f"{match[2]}-{last}"
    return None


def _date_in(words: str) -> str:
    found = re.search(DATE, words, re.IGNORECASE)
    assert found, "each rule holds a date"
    return found[0]


def _iso(date: str) -> str:
    """A date as YYYY, YYYY-MM or YYYY-MM-DD."""
    match = re.fullmatch(DATE, date, re.IGNORECASE)
    assert match, date
    groups = [group for group in match.groups() if group]
    year = next(group for group in groups if re.fullmatch(r"\d{4}", group))
    rest = [group for group in groups if group != year]
    month = next((group for group in rest if group[:3].lower() in _MONTHS), None)
    if month is None:
        return "-".join([year, *rest])
    days = [int(group) for group in rest if group.isdigit()]
    return f"{year}-{_MONTHS.index(month[:3].lower()) + 1:02d}" + (
        f"-{days[0]:02d}" if days else ""
    )
