"""Rules that read metadata questions, and their precedence.

A rule finds spans of a question and gives their meanings. `find` resolves all overlaps: the longest
span wins; of equally long spans, the first rule of the table wins. Each rule has example sentences
that it must read, and near misses that it must not read; one test runs them all.
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
    """At most `number` papers are wanted."""

    number: int


@dataclass(frozen=True, slots=True)
class NextPlace:
    """The question asks for the paper after the first one of an order."""


Meaning = Condition | Order | Asked | Counted | Tally | Averaged | Limit | NextPlace


@dataclass(frozen=True, slots=True)
class Known:
    """The library's values, by which names in a question are recognised.

    `phrase` checks whether papers use a phrase. `today` is the date from which "last year" counts.
    """

    organisations: Callable[[], Iterable[str]] = tuple
    authors: Callable[[], Iterable[str]] = tuple
    phrase: Callable[[str], bool] = lambda _: False
    today: date = field(default_factory=date.today)


@dataclass(frozen=True, slots=True)
class Reading:
    """A match of a rule, with the lexicon and the library's values."""

    match: re.Match[str]
    words: Lexicon
    known: Known

    def __getitem__(self, group: str) -> str:
        """Return the text of a group, or "" if the match does not have it."""
        return self.match.groupdict().get(group) or ""

    def number(self, group: str = "n") -> int:
        """Return the number in a group."""
        return self.words.number(self[group])

    def date(self, group: str = "date") -> tuple[int, ...]:
        """Return the date in a group."""
        return self.words.date(self[group])


_KEYWORDS = 9  # words that are typed into a search at most
_DATES = ("{date}", "{full_date}", "{year}")
Make = Callable[[Reading], Meaning | Sequence[Meaning] | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern over the lexicon, what it makes, and its examples.

    `reads` maps example sentences to everything that this rule must read in them. `leaves` are
    sentences in which the rule must find nothing. If `needs` names words of the lexicon, the
    question must have one of them; or, with `keywords`, it must be no sentence and begin or end
    with the match.
    """

    name: str
    pattern: str
    make: Make
    reads: Mapping[str, object]
    leaves: tuple[str, ...]
    needs: str = ""
    keywords: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """A part `start:end` of a question that a rule read, and its meanings."""

    start: int
    end: int
    rule: str
    meanings: tuple[Meaning, ...]


def find(rules: Sequence[Rule], question: str, words: Lexicon, known: Known) -> tuple[Span, ...]:
    """Return the spans that rules read in a question, without overlaps, from left to right."""
    chosen: list[Span] = []
    candidates = [span for rule in rules for span in matches(rule, question, words, known)]
    # sorted() is stable: of spans of equal length the first rule wins, then the leftmost span.
    for span in sorted(candidates, key=lambda span: span.start - span.end):
        if all(span.end <= other.start or other.end <= span.start for other in chosen):
            chosen.append(span)
    return tuple(sorted(chosen, key=lambda span: span.start))


def matches(rule: Rule, question: str, words: Lexicon, known: Known) -> Iterator[Span]:
    """Yield the spans that one rule reads in a question."""
    if any(slot in rule.pattern for slot in _DATES) and not re.search(r"\d", question):
        return  # most questions have no digit, and dates have the longest patterns
    pattern = words.pattern(rule.pattern)
    if pattern is None:
        return
    has_cue = not rule.needs or words.has(rule.needs, question)
    if not has_cue and not (rule.keywords and _is_keywords(question, words)):
        return
    for match in pattern.finditer(question):
        made = rule.make(Reading(match, words, known))
        if made is not None and match[0] and (has_cue or _is_at_an_end(match)):
            meanings = tuple(made) if isinstance(made, Sequence) else (made,)
            yield Span(match.start(), match.end(), rule.name, meanings)


def _is_at_an_end(match: re.Match[str]) -> bool:
    """Check whether nothing but punctuation is before a match, or after it."""
    outside = (match.string[: match.start()], match.string[match.end() :])
    return any(not re.search(r"\w", text) for text in outside)


def _is_keywords(question: str, words: Lexicon) -> bool:
    """Check whether a question is a few words that are no sentence: "vision transformers, 2022"."""
    few = len(question.split()) <= _KEYWORDS and not re.search(r"[.?!:]", question)
    return few and not words.has("sentence_words", question)


def uncovered(question: str, spans: Collection[Span]) -> Iterator[tuple[str, bool]]:
    """Yield the parts of a question that no rule read, and whether a span follows each."""
    start = 0
    for span in sorted(spans, key=lambda span: span.start):
        yield question[start : span.start], True
        start = span.end
    yield question[start:], False
