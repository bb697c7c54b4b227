"""Rules that read metadata questions, and the order in which their readings win.

A rule finds spans of a question and says what they mean. Overlaps are resolved in one place: the longest span wins, of
equal ones the rule that comes first in the table. Each rule holds sentences that it must read and near misses that it
must leave alone; one test runs them all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from rag.query.metadata.lexicon import Lexicon
from rag.records import Condition, CountField, Field, Order, Tally


@dataclass(frozen=True, slots=True)
class Asked:
    """The value of a field is asked for."""

    field: Field


@dataclass(frozen=True, slots=True)
class Counted:
    """The number of papers is asked for."""


@dataclass(frozen=True, slots=True)
class Averaged:
    """The mean of a field is asked for."""

    field: CountField


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many papers are wanted."""

    number: int


@dataclass(frozen=True, slots=True)
class NextPlace:
    """The paper after the first ones of an order."""


Meaning = Condition | Order | Asked | Counted | Tally | Averaged | Limit | NextPlace


@dataclass(frozen=True, slots=True)
class Known:
    """What a library knows, by which names in a question are recognised; `today` is what "last year" counts from."""

    organisations: Callable[[], Iterable[str]] = tuple
    authors: Callable[[], Iterable[str]] = tuple
    phrase: Callable[[str], bool] = lambda _: False
    today: date = field(default_factory=date.today)


@dataclass(frozen=True, slots=True)
class Reading:
    """A match of a rule with what it was read from."""

    match: re.Match[str]
    words: Lexicon
    known: Known

    def __getitem__(self, group: str) -> str:
        """Return the text of a group, "" where it is not in the match."""
        return self.match.groupdict().get(group) or ""

    def number(self, group: str = "n") -> int:
        """Return the number in a group."""
        return self.words.number(self[group])

    def date(self, group: str = "date") -> tuple[int, ...]:
        """Return the date in a group."""
        return self.words.date(self[group])


Make = Callable[[Reading], Meaning | Sequence[Meaning] | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern over the lexicon, what it makes, and its examples.

    `reads` has sentences with all that they must give, in this rule's part; `leaves` sentences in which the rule must
    find nothing. Where `needs` names words, the question must have one of them.
    """

    name: str
    pattern: str
    make: Make
    reads: Mapping[str, object]
    leaves: tuple[str, ...]
    needs: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch `start:end` of a question that a rule read, and what it means."""

    start: int
    end: int
    rule: str
    meanings: tuple[Meaning, ...]


def find(rules: Sequence[Rule], question: str, words: Lexicon, known: Known) -> tuple[Span, ...]:
    """Return the readings of a question that do not overlap, from left to right."""
    chosen: list[Span] = []
    candidates = [span for rule in rules for span in matches(rule, question, words, known)]
    # sorted() is stable: of spans of one length the rule that comes first wins, and in a rule the span on the left.
    for span in sorted(candidates, key=lambda span: span.start - span.end):
        if all(span.end <= other.start or other.end <= span.start for other in chosen):
            chosen.append(span)
    return tuple(sorted(chosen, key=lambda span: span.start))


def matches(rule: Rule, question: str, words: Lexicon, known: Known) -> Iterator[Span]:
    """Yield what one rule reads in a question."""
    pattern = words.pattern(rule.pattern)
    if pattern is None or (rule.needs and not words.has(rule.needs, question)):
        return
    for match in pattern.finditer(question):
        made = rule.make(Reading(match, words, known))
        if made is not None and match[0]:
            meanings = tuple(made) if isinstance(made, Sequence) else (made,)
            yield Span(match.start(), match.end(), rule.name, meanings)


def uncovered(question: str, spans: Collection[Span]) -> Iterator[tuple[str, bool]]:
    """Yield the stretches of a question that no rule read, and whether a span follows each."""
    at = 0
    for span in sorted(spans, key=lambda span: span.start):
        yield question[at : span.start], True
        at = span.end
    yield question[at:], False
