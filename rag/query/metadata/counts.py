"""Numbers of authors and comments in a question, by rules: "with two to four authors", "by one person"."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from rag.records import Condition, Field, Relation

_NUMBERS = [
    *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *(
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
        "twenty",
    ),
]
NUMBER = rf"(?<![\d,.])(\d{{1,4}}|{'|'.join(_NUMBERS)}|a single)"
PEOPLE = r"(?:co-?)?(?:authors?|people|persons?|researchers?|writers?|contributors?|names)\b"
_AUTHORS = r"(?:co-?)?authors?\b"
_COMMENTS = r"(?:comments?|replies|reply)\b"

# Parts of the rules before and after the number; `{}` is what is counted.
_EXACTLY = r"(?:(?:just|only|exactly|precisely|by|at|of) )*"
_NOT = r"\b(?:without|not (?:with|by|of|having)|(?:that )?do(?:es)?(?:n't| not) have|other than|except those with)"
_RULES: tuple[tuple[Relation, str], ...] = (
    ("!=", rf"{_NOT} {_EXACTLY}{NUMBER} {{}}"),
    (">=", rf"\b(?:at least|no fewer than|no less than|a minimum of|upwards of) {NUMBER} {{}}"),
    (">=", rf"{NUMBER}(?: or more|\+| plus) {{}}"),
    (">=", rf"{NUMBER} {{}} or more\b"),
    ("<=", rf"\b(?:at most|no more than|not more than|up to|a maximum of) {NUMBER} {{}}"),
    ("<=", rf"{NUMBER} or (?:fewer|less) {{}}"),
    ("<=", rf"{NUMBER} {{}} (?:or (?:fewer|less)|at most)\b"),
    (">", rf"\b(?:more than|over|above|greater than) {NUMBER} {{}}"),
    ("<", rf"\b(?:fewer than|less than|under|below) {NUMBER} {{}}"),
    ("=", rf"\b{_EXACTLY}{NUMBER}[- ]{{}}"),
)
_PERIOD = (
    rf"\b(?:with |by |of )?(?:between |from )?{NUMBER}(?:\s?[-–]\s?| (?:to|and|or) ){NUMBER} {{}}"
)
# "By" and "a team of" count people where the number alone might count anyone.
_BY = rf"\b(?:by|teams? of|groups? of) {_EXACTLY}{NUMBER} {PEOPLE}"
_TEAM = rf"\bteams? of {_EXACTLY}{NUMBER}\b"
_ALONE = (
    r"\b(?:single|sole|solo|lone)[- ]?(?:authored|authors?|person)\b|\bsolo[- ](?:work|papers?)\b"
    r"|\b(?:written|authored|published|posted) (?:entirely )?(?:alone|solo|single-?handedly)\b"
)


def amounts(take: Callable[[str], re.Match[str] | None]) -> Iterator[Condition]:
    """The conditions on how many authors and comments; `take` takes a rule's first match out of the question."""
    authors = list(_counted("author_count", _AUTHORS, take))
    if not authors and (match := take(_BY) or take(_TEAM)):
        authors = [Condition("author_count", "=", number(match[1]))]
    if not authors and take(_ALONE):
        authors = [Condition("author_count", "=", "1")]
    yield from authors
    yield from _counted("comments", _COMMENTS, take)


def number(word: str) -> str:
    """A number in digits, whether it is written so or as a word up to twenty."""
    if word.isdigit():
        return word
    return "1" if word.lower() == "a single" else str(_NUMBERS.index(word.lower()) + 1)


def _counted(
    field: Field, noun: str, take: Callable[[str], re.Match[str] | None]
) -> Iterator[Condition]:
    if span := take(_PERIOD.replace("{}", noun)):
        yield Condition(field, ">=", number(span[1]))
        yield Condition(field, "<=", number(span[2]))
        return
    for relation, rule in _RULES:
        if match := take(rule.replace("{}", noun)):
            yield Condition(field, relation, number(match[1]))
            return
