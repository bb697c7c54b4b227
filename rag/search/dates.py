"""Dates and periods in a question, by rules: "in March 2024", "January to May 2024", "before 2017"."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from rag.records import Condition, Relation

PAPERS = r"(?:papers?|entr(?:y|ies)|articles?|works?|publications?|preprints?)\b"

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# Parts of the rules. Groups hold the values.
_YEAR = r"((?:19[5-9]|20[0-4])\d)"
_MONTH = rf"((?:{'|'.join(_MONTHS)})[a-z]*)\.?"
_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_DATES = (
    rf"{_MONTH} {_DAY},? {_YEAR}",
    rf"{_DAY} (?:of )?{_MONTH},? {_YEAR}",
    rf"{_MONTH},? {_YEAR}",
    rf"{_YEAR}-(\d\d)(?:-(\d\d))?",
    _YEAR,
)
_DATE = rf"(?:{'|'.join(_DATES)})(?!\w)"
_OUT = r"(?:(?:published|posted|appeared|released|dated|out|came out) )?"

# The year of a period's first date may stand with its last one only.
_SINCE = rf"(?P<since>{_DATE}|{_MONTH}(?: {_DAY})?|{_DAY} (?:of )?{_MONTH})"
_UNTIL = rf"(?P<until>{_DATE})"
_TO = r"(?:\s?[-–]\s?| (?:to|until|through|till) )"
_PERIODS = (
    rf"\b(?:(?:in|during) )?(?:between|from) {_SINCE}(?:{_TO}| and ){_UNTIL}",
    rf"\b(?:(?:in|during) )?{_SINCE}{_TO}{_UNTIL}",
)
_RULES: tuple[tuple[Relation, str], ...] = (
    ("<=", rf"\b(?:until|till|up to|no later than|by the end of) {_DATE}"),
    ("<=", rf"\b{_DATE} (?:or|and) (?:earlier|before)\b"),
    ("<", rf"\b(?:from )?(?:before|prior to|older than|earlier than|pre-?) ?{_DATE}"),
    (">=", rf"\b(?:since|starting (?:in|from)|as of) {_DATE}"),
    (">=", rf"\b(?:from )?{_DATE} (?:onwards?\b|or later\b|or newer\b|on(?=\s*(?:[?.,;]|$)))"),
    (">", rf"\b(?:from )?(?:after|newer than|later than|post-?) ?{_DATE}"),
    ("=", rf"\b{_OUT}(?:in|from|of|on|during|dated) {_DATE}"),
    ("=", rf"\b{_DATE}(?:'s)? {PAPERS}"),
)


def dated(take: Callable[[str], re.Match[str] | None]) -> Iterator[Condition]:
    """The conditions on dates; `take` takes a rule's first match out of the question."""
    for rule in _PERIODS:
        if span := take(rule):
            since, until = span["since"], span["until"]
            if not re.fullmatch(_DATE, since, re.IGNORECASE):
                since += f" {_iso(until)[:4]}"
            yield Condition("published", ">=", _iso(since))
            yield Condition("published", "<=", _iso(until))
            return
    for relation, rule in _RULES:
        if match := take(rule):
            found = re.search(_DATE, match[0], re.IGNORECASE)
            assert found, "each rule holds a date"
            yield Condition("published", relation, _iso(found[0]))


def _iso(date: str) -> str:
    """A date as YYYY, YYYY-MM or YYYY-MM-DD."""
    match = re.fullmatch(_DATE, date, re.IGNORECASE)
    assert match, date
    groups = [group for group in match.groups() if group]
    year = next(group for group in groups if re.fullmatch(r"\d{4}", group))
    rest = [group for group in groups if group != year]
    month = next((group for group in rest if group[:3].lower() in _MONTHS), None)
    if month is None:
        return "-".join([year, *rest])
    days = [int(group) for group in rest if group.isdigit()]
    return f"{year}-{_MONTHS.index(month[:3].lower()) + 1:02d}" + (f"-{days[0]:02d}" if days else "")
