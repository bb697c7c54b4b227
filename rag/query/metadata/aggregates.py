"""How many papers each year has, and averages, in a question, by rules: "which year has the most papers"."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from rag.query.metadata.dates import PAPERS
from rag.records import Field, Tally

_EXTREME = r"(?P<extreme>most|fewest|least|(?:largest|highest|greatest|smallest|lowest) number of)"
_WHICH = r"\b(?:in )?(?:what|which) (?P<period>year|month)\b"
_EACH = (
    r"\b(?:in )?(?:per|each|every|by|over|across)(?: the)? (?:calendar )?(?P<period>year|month)s?\b"
)
_SPREAD = r"\b(?:break\w*|spread|distribut\w+|split|statistics|histogram|tally)\b"
_RULES = (
    rf"{_WHICH}[^?.]*\b{_EXTREME} {PAPERS}(?: in)?(?!\w)",
    rf"\b{_EXTREME} {PAPERS}(?=[^?.]*{_WHICH})",
    rf"\b(?P<period>year|month)(?: with| that has| having) (?:the )?{_EXTREME} {PAPERS}",
    r"\b(?:the )?(?P<extreme>busiest|quietest) (?P<period>year|month)\b",
    rf"{_EACH}(?=\W|$)",
)
# Years are counted through where papers are: "BLEU per year" is a text's matter.
_COUNTING = rf"\b{PAPERS}|\b(?:library|collection|corpus|busiest|quietest)\b"
_FEW = ("fewest", "least", "quietest", "smallest", "lowest")
_AVERAGE = (
    r"\b(?:average|mean|median|typical)(?: (?:number|count) of)? (?P<what>authors?|people|comments?)\b",
    r"\bhow many (?P<what>authors?|people|comments?)\b(?=[^?.]*\bon average\b)",
)


def tallied(question: str, take: Callable[[str], re.Match[str] | None]) -> Tally | None:
    """Whether papers are to be counted by year or month; `take` takes a rule's first match out of the question."""
    if not re.search(_COUNTING, question, re.IGNORECASE):
        return None
    match = next((match for rule in _RULES if (match := take(rule))), None)
    if match is None:
        return None
    take(_WHICH)
    take(_SPREAD)
    period: Literal["year", "month"] = "year" if match["period"].lower() == "year" else "month"
    extreme = match.groupdict().get("extreme")
    if not extreme:
        return Tally(period)
    return Tally(period, "fewest" if extreme.lower().startswith(_FEW) else "most")


def average(take: Callable[[str], re.Match[str] | None]) -> Field | None:
    """The field whose mean is asked for."""
    match = next((match for rule in _AVERAGE if (match := take(rule))), None)
    if match is None:
        return None
    take(r"\bon average\b")
    take(rf"\b(?:per|a|each|every) {PAPERS}")
    return "comments" if match["what"].lower().startswith("comment") else "author_count"
