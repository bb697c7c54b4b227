"""Parse a question about papers into a query over their metadata.

"Which papers from 2023 have one author" gives two conditions, "the newest paper on grokking" an
order within a topic, "how many authors has TULU 3" a field that is asked for. The topic is the part
that no rule read, as it was written; question words ("which papers have ...") are removed at its
edges only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeGuard

from rag.query.metadata import (
    count_rules,
    date_rules,
    fact_rules,
    order_rules,
    people_rules,
)
from rag.query.metadata.lexicon import Lexicon, lexicon
from rag.query.metadata.rules import (
    Asked,
    Averaged,
    Counted,
    Known,
    Limit,
    Meaning,
    NextPlace,
    Rule,
    Span,
    find,
    uncovered,
)
from rag.records import (
    AnyOf,
    ByAuthor,
    ByOrganisation,
    Condition,
    CountRange,
    DatedLike,
    DateRange,
    Field,
    InCategory,
    MetadataQuery,
    NotAbout,
    NotPaper,
    Order,
    Presence,
    Tally,
)

# In order of precedence: the first rule wins where two rules read the same words.
RULES: tuple[Rule, ...] = (
    *fact_rules.RULES,
    *order_rules.RULES,
    *count_rules.RULES,
    *date_rules.RULES,
    *people_rules.RULES,
)
# Ends of clauses: a dash between spaces, or punctuation.
_PIECE = re.compile(r"\s+[-–—]+\s+|[?!;:]+|\.(?=\s|$)")
# At least two words in quotation marks are the topic.
_QUOTED = re.compile(r"(?<!\w)[\"“'‘]([^\"“”]+?\s[^\"“”]+?)[\"”'’](?!\w)")


def parse(question: str, known: Known | None = None, words: Lexicon | None = None) -> MetadataQuery:
    """Parse what a question asks about metadata; the topic of any other question is all of it."""
    words = words or lexicon()
    spans = find(RULES, question, words, known or Known())
    meanings = [meaning for span in spans for meaning in span.meanings]
    query = _assembled(meanings, tuple(_conditions(spans, question, words)))
    if not query:
        return MetadataQuery(question)
    query = replace(query, topic=topic_of(question, spans, words))
    asks_whether = words.pattern("{whether}")
    if query.topic and query.conditions and asks_whether and asks_whether.match(question):
        return _facts_of_the_topic(query)
    return query


def parse_follow_up(
    earlier: Sequence[str], question: str, known: Known | None = None, words: Lexicon | None = None
) -> MetadataQuery:
    """Parse a follow-up; its conditions replace earlier conditions on the same facts."""
    words = words or lexicon()
    before, topic = MetadataQuery(""), ""
    for text in earlier:
        before = _merged(before, topic, _spelt_out(text, words), known, words)
        topic = before.topic if before else topic_of(text, (), words) or topic
    return _merged(before, topic, _spelt_out(question, words), known, words)


def _spelt_out(question: str, words: Lexicon) -> str:
    """Return "papers from 2023" for a question that is only a date, such as "and in 2023?"."""
    bare = words.pattern("^\\s*(?:{leading_words} )?(?:{in} )?(?P<date>{date})\\s*\\??\\s*$")
    match = bare.match(question) if bare else None
    return f"papers from {match['date']}" if match else question


def _merged(
    before: MetadataQuery, topic: str, question: str, known: Known | None, words: Lexicon
) -> MetadataQuery:
    """Parse a question that may continue a query, or a topic if that was no metadata query."""
    own = parse(question, known, words)
    if not own:
        return own
    own = replace(own, topic=own.topic or topic)
    if not before.conditions or (own.asked and not own.conditions):
        return own
    facts = {_fact_of(condition) for condition in own.conditions}
    kept = [condition for condition in before.conditions if _fact_of(condition) not in facts]
    return replace(
        own,
        conditions=(*kept, *own.conditions),
        order=own.order or before.order,
        asked=own.asked or before.asked,
        counted=own.counted or before.counted,
    )


def topic_of(question: str, spans: Iterable[Span], words: Lexicon) -> str:
    """Return the parts of a question that no rule read, without question words at their edges."""
    pieces = []
    for unread, followed in uncovered(question, _with_known_first(question, list(spans))):
        parts = _PIECE.split(unread)
        for number, part in enumerate(parts):
            pieces.append(_trimmed(part, words, followed=followed and number == len(parts) - 1))
    return " ".join(piece for piece in pieces if piece)


def _with_known_first(question: str, spans: list[Span]) -> list[Span]:
    """Exclude the given first paper from the topic: "TÜLU 3 has the most. What is second?"."""
    asks_next = any(isinstance(meaning, NextPlace) for span in spans for meaning in span.meanings)
    first = next(
        (span for span in spans if isinstance(span.meanings[:1] and span.meanings[0], Order)), None
    )
    if not asks_next or first is None:
        return spans
    return [Span(0, first.start, first.rule, ()), *spans]


def _trimmed(piece: str, words: Lexicon, *, followed: bool) -> str:
    """Remove question words at the edges of a piece; after "on" or "about" only at its end."""
    if quoted := _QUOTED.search(piece):
        return quoted[1].strip()
    text = piece.strip(" \t\n,.-–—&+()\"“”'‘’") + " "
    opens = words.pattern("{topic_opens}(?=\\s)")
    filler, ends = words.pattern("(?:{fillers}|'s)(?=[\\s,.]|$)"), words.pattern("{topic_ends}")
    assert opens is not None, "every lexicon has these words"
    assert filler is not None, "every lexicon has these words"
    assert ends is not None, "every lexicon has these words"
    protected = False  # after "on" or "about" every word belongs to the topic
    while text.strip():
        if match := opens.match(text):
            text, protected = text[match.end() :].lstrip(" ,"), True
            break
        if not (match := filler.match(text)):
            break
        text = text[match.end() :].lstrip(
            " ,.'’s" if text[match.end() :].startswith("'s") else " ,."
        )
    text = text.strip(" ,.-–—&+")
    last = ends if protected else filler
    if not protected or followed:
        text = _without_end(text, last)
    else:
        text = _without_end(text, _papers_at_end(words))
    text = re.sub(r"^(?:the|a|an|any)\s+(?=\w)", "", text, flags=re.IGNORECASE)
    return text.strip(" ,.-–—&+") if re.search(r"\w", text) else ""


def _without_end(text: str, ends: re.Pattern[str]) -> str:
    """Remove words from the end as long as `ends` matches the last word."""
    while match := re.search(r"(?<![\w-])[\w'’-]+\W*$", text):
        if not ends.fullmatch(re.sub(r"\W+$", "", match[0])):
            break
        text = text[: match.start()].rstrip(" ,.-–—&+")
    return text


def _papers_at_end(words: Lexicon) -> re.Pattern[str]:
    pattern = words.pattern("{papers}|please|there|here")
    assert pattern is not None
    return pattern


def _assembled(meanings: Sequence[Meaning], conditions: tuple[Condition, ...]) -> MetadataQuery:
    orders = [meaning for meaning in meanings if isinstance(meaning, Order)]
    averaged = next((item.field for item in meanings if isinstance(item, Averaged)), None)
    order = None if averaged else next(iter(orders), None)
    if order and any(isinstance(meaning, NextPlace) for meaning in meanings):
        order = replace(order, place=order.place + 1)
    asked: tuple[Field, ...] = tuple(
        dict.fromkeys(meaning.field for meaning in meanings if isinstance(meaning, Asked))
    )
    return MetadataQuery(
        "",
        conditions,
        order,
        () if averaged else asked,
        any(isinstance(meaning, Counted) for meaning in meanings),
        next((meaning for meaning in meanings if isinstance(meaning, Tally)), None),
        averaged,
        next((meaning.number for meaning in meanings if isinstance(meaning, Limit)), None),
    )


def _conditions(spans: Sequence[Span], question: str, words: Lexicon) -> Iterator[Condition]:
    """Yield the conditions; two with only "or" between them become one `AnyOf`."""
    either = re.compile(
        r"\s*,?\s*or\s+(?:(?:those|papers|ones|are|is|that|which|have|has)\s+)*", re.IGNORECASE
    )
    found: list[tuple[Span, list[Condition]]] = []
    for span in spans:
        own = [meaning for meaning in span.meanings if _is_condition(meaning)]
        if not own:
            continue
        between = question[found[-1][0].end : span.start] if found else ""
        if found and len(own) == len(found[-1][1]) == 1 and either.fullmatch(between):
            found[-1] = (span, [_any_of(found[-1][1][0], own[0])])
        else:
            found.append((span, own))
    yield from dict.fromkeys(condition for _, own in found for condition in own)


def _any_of(first: Condition, second: Condition) -> Condition:
    earlier = first.conditions if isinstance(first, AnyOf) else (first,)
    return AnyOf((*earlier, second))


def _is_condition(meaning: Meaning) -> TypeGuard[Condition]:
    return not isinstance(meaning, Order | Asked | Counted | Tally | Averaged | Limit | NextPlace)


def _facts_of_the_topic(query: MetadataQuery) -> MetadataQuery:
    """Ask for the facts that a yes/no question checks: "Was GLOW published before 2020?"."""
    fields: list[Field] = []
    for condition in query.conditions:
        match condition:
            case DateRange() | DatedLike():
                fields.append("published")
            case CountRange(field) | Presence(field):
                fields.append(field)
            case ByAuthor():
                fields.append("authors")
            case ByOrganisation():
                fields.append("organisation")
            case AnyOf() | InCategory() | NotAbout() | NotPaper():
                return query
    return replace(query, conditions=(), asked=tuple(dict.fromkeys([*query.asked, *fields])))


def _fact_of(condition: Condition) -> str:
    """Return the fact that a condition is about, such as "published"."""
    return condition.id.partition(":")[0]
