"""Rules for orders: "the three newest", "the second longest author list", "oldest first"."""

from __future__ import annotations

import re

from rag.query.metadata.rules import Limit, Make, NextPlace, Reading, Rule
from rag.records import CountField, Field, Order

# The parts of "what are the (second) (three) newest (three papers)".
_PLACE = "(?:(?P<place>{ordinal})[- ])?"
_LEAD = "(?:{leading} )*"
_MANY = "(?:(?P<n>{number}) )?"
_PAPERS = "(?: (?:(?P<m>{number}) )?(?:(?P<several>{several_papers})|{papers}))?"
_SEVERAL = 5  # "the newest papers" without a number


def _first(field: Field, *, descending: bool) -> Make:
    """Return a function that makes an order with the number of papers and the place read."""

    def make(reading: Reading) -> Order:
        place = reading["place"].casefold()
        at = reading.words.ordinals.index(place) + 1 if place else 1
        many = reading["n"] or reading["m"]
        default = _SEVERAL if reading["several"] else 1
        return Order(field, descending, reading.words.number(many) if many else default, at)

    return make


def _limit(reading: Reading) -> Limit | None:
    """Read a limit, unless another sentence asks something of just these papers."""
    another = re.search(r"[.?!]\s+\w", reading.match.string)
    return None if another else Limit(reading.number())


def _all(field: Field, *, descending: bool) -> Make:
    return lambda _: Order(field, descending, number=None)


def _extreme(field: CountField, noun: str, *, descending: bool) -> Rule:
    """Return the rule for papers with the most or fewest of `noun`, a name in the lexicon."""
    most, great = ("most", "greatest") if descending else ("fewest", "smallest")
    extreme = "most" if descending else "fewest"
    example = noun if noun != "people" else "authors"
    return Rule(
        f"order.{extreme}_{noun}",
        f"(?:(?P<n>{{number}}) {{papers}} )?(?:(?:with|that have) |{{has_verb}} )?(?:the )?{_PLACE}"
        f"(?:{{{most}}} {{{noun}}}|{{{great}}} {{number_of}} {{{noun}}})(?: (?:wrote|behind)\\b)?",
        _first(field, descending=descending),
        {
            f"which two papers have the {extreme} {example}?": Order(field, descending, 2),
            f"the paper that has drawn the {extreme} {example}": Order(field, descending),
        },
        (f"Does {extreme} of it help?", "Which model has the lowest word error rate?"),
    )


RULES = [
    Rule(
        "order.newest_first",
        "{newest_first}",
        _all("published", descending=True),
        {"papers on RL, newest first": Order("published", True, None)},
        ("train the newest model",),
    ),
    Rule(
        "order.oldest_first",
        "{oldest_first}|{sorted_by}{date_word}",
        _all("published", descending=False),
        {
            "surveys you have, oldest first": Order("published", False, None),
            "papers sorted by date": Order("published", False, None),
        },
        ("Which loss comes first?",),
    ),
    Rule(
        "order.by_authors",
        "{sorted_by}{author_number}",
        _all("author_count", descending=True),
        {"papers ranked by number of authors": Order("author_count", True, None)},
        ("rank the outputs by score",),
    ),
    Rule(
        "order.newest",
        f"{_LEAD}{_MANY}{_PLACE}{{newest}}{_PAPERS}",
        _first("published", descending=True),
        {
            "what's the newest paper on GRPO?": Order("published", True),
            "the three newest papers": Order("published", True, 3),
            "the newest papers on RL": Order("published", True, 5),
            "newest three papers on distillation": Order("published", True, 3),
            "the second newest paper on RL": Order("published", True, place=2),
        },
        ("What are the most recent trends in RL?",),
    ),
    Rule(
        "order.oldest",
        f"{_LEAD}{_MANY}{_PLACE}{{oldest}}{_PAPERS}",
        _first("published", descending=False),
        {
            "show the 5 oldest papers on RLHF": Order("published", False, 5),
            "What's the oldest paper you have?": Order("published", False),
        },
        ("in chronological order", "surveys, oldest first"),
    ),
    Rule(
        "order.latest_papers",
        f"{_LEAD}{_MANY}{_PLACE}{{latest}} (?:(?P<m>{{number}}) )?(?=(?:[\\w-]+ ){{0,3}}{{papers}}"
        f"|additions?\\b)",
        _first("published", descending=True),
        {"the latest diffusion papers": Order("published", True)},
        ("the latest model",),
    ),
    Rule(
        "order.last_papers",
        "(?:the )?{last_papers} (?:(?P<n>{number}) )?(?={papers})",
        _first("published", descending=True),
        {"the last five papers": Order("published", True, 5)},
        ("the last layer of these papers",),
    ),
    Rule(
        "order.first_papers",
        "(?:the )?{came_first}|(?<=^)(?:the )?{first_papers}(?= (?:[\\w-]+ )*{papers})",
        _first("published", descending=False),
        {
            "first detection paper in the collection": Order("published", False),
        },
        ("papers on first order methods", "Is the first stage trained longer?"),
        needs="paper_cue",
    ),
    _extreme("author_count", "people", descending=True),
    _extreme("author_count", "people", descending=False),
    _extreme("comments", "comments", descending=True),
    _extreme("comments", "comments", descending=False),
    _extreme("upvotes", "upvotes", descending=True),
    _extreme("upvotes", "upvotes", descending=False),
    Rule(
        "order.longest_list",
        f"(?:{{has_verb}} )?(?:the )?{_PLACE}{{greatest}} {{author_list}}|{{author_list}} (?:is"
        f"|was) (?:the )?{{greatest}}",
        _first("author_count", descending=True),
        {
            "whose author list is longest?": Order("author_count", True),
            "which has the second longest author list": Order("author_count", True, place=2),
        },
        ("the longest context",),
    ),
    Rule(
        "order.shortest_list",
        f"(?:{{has_verb}} )?(?:the )?{_PLACE}{{smallest}} {{author_list}}|{{author_list}} (?:is"
        f"|was) (?:the )?{{smallest}}",
        _first("author_count", descending=False),
        {"the smallest team": Order("author_count", False)},
        ("the smallest model",),
    ),
    Rule(
        "order.most_discussed",
        f"{_LEAD}{_MANY}{_PLACE}{{most_discussed}}{_PAPERS}",
        _first("comments", descending=True),
        {"the three most discussed papers": Order("comments", True, 3)},
        ("Which losses are discussed most?",),
    ),
    Rule(
        "order.most_upvoted",
        f"{_LEAD}{_MANY}{_PLACE}{{most_liked}}{_PAPERS}",
        _first("upvotes", descending=True),
        {"the most upvoted paper": Order("upvotes", True)},
        ("Which is liked by users?",),
    ),
    Rule(
        "order.newer_of_two",
        "{of_two}{newer_of_two}(?! than)|{newer_of_two}(?: \\w+)* than(?=\\W*$)"
        "|{last_of_two}(?=\\W*$|,)",
        _first("published", descending=True),
        {"Which of them is newer?": Order("published", True)},
        ("Is a later layer better than the first?",),
    ),
    Rule(
        "order.older_of_two",
        "{of_two}{older_of_two}(?! than)|{older_of_two}(?: \\w+)* than(?=\\W*$)"
        "|{first_of_two}(?=\\W*$|,)|{before_or_after}(?=\\W*$)",
        _first("published", descending=False),
        {
            "Which one is older, GLOW or LEVI?": Order("published", False),
            "Which came out first, RankMixup or LEVI?": Order("published", False),
        },
        ("an earlier layer",),
    ),
    Rule(
        "order.more_authors",
        "{has_verb} {more} {people}(?! than)|{more} {people}(?: \\w+)* than(?=\\W*$)",
        _first("author_count", descending=True),
        {"Who has more authors, GLOW or LEVI?": Order("author_count", True)},
        ("Do more people agree?",),
    ),
    Rule(
        "order.fewer_authors",
        "{has_verb} {fewer} {people}(?! than)|{fewer} {people}(?: \\w+)* than(?=\\W*$)",
        _first("author_count", descending=False),
        {"Which has fewer authors, GLOW or LEVI?": Order("author_count", False)},
        ("Do fewer people agree?",),
    ),
    Rule(
        "order.next_place",
        "{second_place}",
        lambda _: NextPlace(),
        {"TÜLU 3 has the longest author list. What comes second?": NextPlace()},
        ("Is the second stage trained longer than the first?",),
    ),
    Rule(
        "limit",
        "(?:^\\W*|(?:show|list|give|name|find|recommend"
        "|suggest) (?:me )?)(?:the )?(?:top )?(?P<n>{number}) {papers}(?= (?:on|about|that|which"
        "|studying|dealing)\\b)",
        _limit,
        {"five papers on diffusion": Limit(5), "show me 3 papers about RL": Limit(3)},
        (
            "What do the two papers on RL disagree about?",
            "Two papers on RL. How do they differ?",
        ),
    ),
]
