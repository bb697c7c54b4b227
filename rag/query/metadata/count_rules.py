"""Rules for numbers of authors, comments and upvotes: "two to four authors", "by one person"."""

from __future__ import annotations

from rag.query.metadata.rules import Make, Reading, Rule
from rag.records import Condition, CountField, CountRange, Presence

_NOUNS: tuple[tuple[CountField, str], ...] = (
    ("author_count", "authors"),
    ("comments", "comments"),
    ("upvotes", "upvotes"),
)


def _range(field: CountField, lowest: int | None, highest: int | None) -> Make:
    """Make a range with these distances from the number read; None leaves an end open."""

    def make(reading: Reading) -> Condition:
        number = reading.number()
        low, high = (None if end is None else number + end for end in (lowest, highest))
        return CountRange(field, low, high)

    return make


def _not(field: CountField) -> Make:
    return lambda reading: CountRange(field, reading.number(), reading.number(), outside=True)


def _between(field: CountField) -> Make:
    return lambda reading: CountRange(field, reading.number("low"), reading.number("high"))


def _rules_for(field: CountField, noun: str) -> list[Rule]:
    """Return the rules for a field's values; `noun` is its name in the lexicon and in examples."""
    return [
        Rule(
            f"{noun}.between",
            f"(?:{{with}} )?(?:{{between}} )?(?P<low>{{number}})(?:\\s?[-–]\\s?| {{to}} "
            f"| {{or}} )(?P<high>{{number}})[- ]{{{noun}}}",
            _between(field),
            {
                f"papers with 2-4 {noun}": CountRange(field, 2, 4),
                f"papers with between 5 and 10 {noun}": CountRange(field, 5, 10),
                f"papers with two to four {noun}": CountRange(field, 2, 4),
            },
            ("Did the three models gain 2-4 points?",),
        ),
        Rule(
            f"{noun}.not",
            f"{{not_with}} (?:{{exactly}} )?(?P<n>{{number}}) {{{noun}}}",
            _not(field),
            {f"papers but not with 4 {noun}": CountRange(field, 4, 4, outside=True)},
            ("not with 4 layers",),
        ),
        Rule(
            f"{noun}.exactly",
            f"(?:{{with}} )?(?:{{exactly}} )?(?P<n>{{number}})[- ]{{{noun}}}",
            _range(field, 0, 0),
            {
                f"papers with exactly three {noun}": CountRange(field, 3, 3),
                f"which papers have just one {noun[:-1]}?": CountRange(field, 1, 1),
            },
            ("a single gradient step", "three models"),
        ),
    ]


def _rules_for_bounds(field: CountField, noun: str) -> list[Rule]:
    """Return the rules for a field's lower and upper bounds."""
    return [
        Rule(
            f"{noun}.at_least",
            f"(?:{{with}} )?(?:{{at_least}} (?P<n>{{number}}) {{{noun}}}"
            f"|(?P<n2>{{number}}) ?(?:{{or_more}} {{{noun}}}|{{{noun}}} {{or_more}}(?! than)))",
            lambda reading: CountRange(field, reading.words.number(reading["n"] or reading["n2"])),
            {
                f"papers with at least 3 {noun}": CountRange(field, 3),
                f"papers with nine or more {noun}": CountRange(field, 9),
            },
            ("at least three samples a class", "nine or more layers"),
        ),
        Rule(
            f"{noun}.at_most",
            f"(?:{{with}} )?(?:{{at_most}} (?P<n>{{number}}) {{{noun}}}"
            f"|(?P<n2>{{number}}) (?:{{or_fewer}} {{{noun}}}|{{{noun}}} {{or_fewer}}(?! than)))",
            lambda reading: CountRange(
                field, None, reading.words.number(reading["n"] or reading["n2"])
            ),
            {f"papers with at most 3 {noun}": CountRange(field, None, 3)},
            ("at most three samples a class",),
        ),
        Rule(
            f"{noun}.more_than",
            f"(?:{{with}} )?{{more_than}} (?P<n>{{number}}) {{{noun}}}",
            _range(field, 1, None),
            {f"papers with more than ten {noun}": CountRange(field, 11)},
            ("more than ten layers",),
        ),
        Rule(
            f"{noun}.fewer_than",
            f"(?:{{with}} )?{{fewer_than}} (?P<n>{{number}}) {{{noun}}}",
            _range(field, None, -1),
            {f"papers with fewer than three {noun}": CountRange(field, None, 2)},
            ("fewer than ten layers",),
        ),
    ]


RULES = [
    *(rule for field, noun in _NOUNS for rule in _rules_for(field, noun)),
    *(rule for field, noun in _NOUNS for rule in _rules_for_bounds(field, noun)),
    Rule(
        "authors.people",
        "(?:{published} )?{by} (?:{exactly} )?(?P<n>{number}) {people}",
        _range("author_count", 0, 0),
        {"papers written by exactly two people": CountRange("author_count", 2, 2)},
        ("tests of ten people", "read by two"),
        needs="paper_cue",
    ),
    Rule(
        "authors.team",
        "(?:by )?{team_of} (?:{exactly} )?(?P<n>{number})",
        _range("author_count", 0, 0),
        {"papers by a team of five": CountRange("author_count", 5, 5)},
        ("Do teams of five robots learn?",),
        needs="paper_cue",
    ),
    Rule(
        "authors.alone",
        "{alone}",
        lambda _: CountRange("author_count", 1, 1),
        {
            "solo work: which ones?": CountRange("author_count", 1, 1),
            "Which ones were written entirely alone?": CountRange("author_count", 1, 1),
        },
        ("Which layer works alone?",),
    ),
    Rule(
        "comments.any",
        "{commented}",
        lambda _: Presence("comments"),
        {"Which papers got commented on?": Presence("comments")},
        ("Which comments help?",),
    ),
]
