"""A question about the papers themselves becomes a typed query over the catalog, by rules.

"Which papers from 2023 have one author" asks for two conditions, "the newest paper on grokking" for an order within a
topic, "how many authors has TULU 3" for a field. What no rule takes is the topic.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from rag.records import CatalogQuery, Condition, Field, Order, Relation
from rag.search.dates import PAPERS, dated

_NUMBERS = [
    *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
]

# Parts of the rules. Groups hold the values.
_NUMBER = rf"(?<![\d,.])(\d{{1,4}}|{'|'.join(_NUMBERS)}|a single)"
_PEOPLE = r"(?:co-?)?(?:authors?|people|persons?|researchers?|writers?)\b"
_KNOWN_FACTS = (
    r"(?:dates?|years?|authors?(?: counts?| numbers?)?|number of authors|organi[sz]ations?|comments?)"
    r"(?! (?:are|is|was)\b)"
)
_WITHOUT = r"\b(?:without|with no|with neither|lack(?:s|ing)?|missing|no|that have no) (?:any |an? |known |printed )*"

_AUTHORS = r"(?:co-?)?authors?\b"
_COUNT_PERIOD = rf"\b(?:with |by |of )?(?:between |from )?{_NUMBER}(?:\s?[-–]\s?| (?:to|and) ){_NUMBER} {_AUTHORS}"
_COUNT_RULES: tuple[tuple[Relation, str], ...] = (
    (">=", rf"\b(?:at least|no fewer than|no less than) {_NUMBER} {_AUTHORS}"),
    (">=", rf"{_NUMBER} or more {_AUTHORS}"),
    ("<=", rf"\b(?:at most|no more than|up to) {_NUMBER} {_AUTHORS}"),
    ("<=", rf"{_NUMBER} or (?:fewer|less) {_AUTHORS}"),
    (">", rf"\b(?:more than|over|above) {_NUMBER} {_AUTHORS}"),
    ("<", rf"\b(?:fewer than|less than|under|below) {_NUMBER} {_AUTHORS}"),
    ("=", rf"\b(?:(?:just|only|exactly|by|at|of) )*{_NUMBER}[- ]{_AUTHORS}"),
    ("=", rf"\bby (?:just |only |exactly )?{_NUMBER} {_PEOPLE}"),
)
_ABOUT_PAPERS = (
    rf"\b{PAPERS}|\b(?:anything|everything|list|show|newest|oldest|latest|published|posted|appeared|you have)\b"
)
_ALONE = r"\b(?:single|sole|solo|lone)[- ]?(?:authored|authors?|person)\b|\bsolo[- ](?:work|papers?)\b"
_OF_TWO = r"^which (?:one |paper )?(?:is|was|came(?: out)?|appeared) (?:the )?"
_ORDER_RULES: tuple[tuple[Field, bool, str], ...] = (
    ("author_count", True, rf"\b(?:most|(?:largest|highest|biggest|greatest) (?:number|count)s? of) {_PEOPLE}"),
    ("author_count", True, r"\b(?:largest|biggest|longest) (?:author list|author count|authorship|team)\b"),
    ("author_count", False, rf"\b(?:fewest|(?:smallest|lowest) (?:number|count) of) {_PEOPLE}"),
    ("author_count", False, r"\b(?:smallest|shortest) (?:author list|team)\b"),
    ("comments", True, r"\b(?:most|highest number of) (?:comments|discussion|replies)\b"),
    ("comments", True, r"\bmost (?:discussed|commented)(?: on| upon)?\b"),
    ("published", False, rf"\b(?:oldest|earliest)\b|\bfirst (?:published|posted|ever)\b|^first (?=.*{PAPERS})"),
    (
        "published",
        True,
        r"\bnewest\b|\bmost recent(?:ly (?:published|posted|added))?\b(?! (?:trend|advance|idea|method)s?)",
    ),
    ("published", True, rf"{_OF_TWO}(?:newer|more recent|later)\b(?! than)"),
    ("published", False, rf"{_OF_TWO}(?:older|earlier|first)\b(?! than)"),
    ("author_count", True, rf"^which (?:one |paper )?ha[sd] more {_PEOPLE}(?! than)"),
    ("author_count", False, rf"^which (?:one |paper )?ha[sd] fewer {_PEOPLE}(?! than)"),
    ("published", True, rf"\blatest (?=(?:[\w-]+ ){{0,3}}{PAPERS})"),
)
_APPEARING = r"(?:post(?:ed)?|publish(?:ed)?|appear(?:ed)?|released?|submitted|c[oa]me out|put online|uploaded|dated)"
# The order itself has been taken out and left its mark.
_HOW_MANY = (
    rf"(?:\b(?:which|what|the|top|list|show|give me) )?{_NUMBER} +·(?: {PAPERS})?",
    rf"· +{_NUMBER} {PAPERS}",
    rf"\b(?:which|what|the|top|list|show|give me) {_NUMBER} {PAPERS}",
)
_FIELD_RULES: tuple[tuple[Field, str], ...] = (
    ("author_count", rf"\bhow many {_PEOPLE}|\bnumber of {_PEOPLE}|\bauthors? (?:count|number)s?\b"),
    ("comments", r"\bhow many comments\b|\bnumber of comments\b|\bcomment counts?\b"),
    ("authors", r"\bwho (?:wrote|authored|published)\b|\b(?:first|last|lead|senior|corresponding) authors?\b"),
    ("authors", r"\bwho (?:is|are|was|were) the authors?\b|\bnames? of (?:the|its) authors?\b|\bauthor names\b"),
    (
        "organisation",
        r"\b(?:which|what) (?:organi[sz]ation|institution|institute|company|lab|laboratory|university|group|team)s?\b",
    ),
    ("organisation", r"\bwho(?: is|'s| are| was)? behind\b|\baffiliations?\b"),
    ("published", rf"\bwhen (?:was|were|did|is)\b(?=.*\b{_APPEARING}\b)"),
    (
        "published",
        r"\b(?:publication|release|posting) dates?\b|\b(?:what|which) (?:year|date)\b|\bhow old (?:is|are)\b",
    ),
    ("published", r"\b(?:its|with|the|their) (?:\w+ )?dates?\b|\bdates\b"),
    ("published", r"\band when(?: (?:was|did) (?:it|they|this)\b.*)?[?.]*$|- when[?.]*$"),
)
_MAY_NAME = r"\b(?:[Bb]y|[Ff]rom|[Oo]f|[Aa]t) \S*[A-Z]"
_COUNTED = rf"\bhow many (?:of (?:the|these|those|your) )?{PAPERS}"
# Words of the asking. What a question leaves beside these is its topic.
_FILLERS = [
    *("which", "what", "what's", "who", "who's", "whose", "when", "when's", "where", "how", "is", "are", "was", "were"),
    *(
        "has",
        "have",
        "had",
        "do",
        "does",
        "did",
        "be",
        "been",
        "show",
        "list",
        "lists",
        "listed",
        "give",
        "tell",
        "find",
    ),
    *("me", "my", "you", "your", "we", "us", "our", "i", "all", "any", "every", "each", "everything", "anything"),
    *("something", "there", "here", "it", "its", "it's", "that", "this", "these", "those", "they", "them", "of", "the"),
    *("a", "an", "and", "or", "but", "in", "on", "at", "by", "to", "for", "with", "from", "about", "than", "please"),
    *(
        "just",
        "only",
        "exactly",
        "say",
        "one",
        "ones",
        "two",
        "three",
        "paper",
        "papers",
        "paper's",
        "entry",
        "entries",
    ),
    *("article", "articles", "work", "works", "publication", "publications", "preprint", "preprints", "collection"),
    *("library", "corpus", "database", "date", "dates", "dated", "year", "years", "first", "came", "come", "out"),
    *("appear", "appeared", "published", "posted", "written", "wrote", "authored", "author", "authors", "people"),
    *("persons", "solo", "other", "more", "most", "ever", "behind", "involved", "number", "count", "drawn", "got"),
    *("gets", "received", "tied", "many", "so", "far", "then", "also", "really", "know", "known", "think", "like"),
    *("next", "entire", "whole", "name", "names", "title", "titles", "called"),
]
_FILLER = rf"(?<![\w'-])(?:{'|'.join(_FILLERS)}|'s)(?![\w'-])"


def understand(question: str, organisations: Callable[[], Iterable[str]] = tuple) -> CatalogQuery:
    """Read a question; `organisations` gives those that the library knows, as printed, and is asked only if need be."""
    reader = _Reader(question)
    conditions = [*_missing(reader), *_dates(reader), *_counts(reader), *_organisations(reader, organisations)]
    order = _order(reader)
    asked = tuple(dict.fromkeys(field for field, rule in _FIELD_RULES if reader.take(rule)))
    counted = reader.take(_COUNTED) is not None
    if not (conditions or order or asked or counted):
        return CatalogQuery(question)
    return CatalogQuery(reader.left(), tuple(conditions), order, asked, counted)


class _Reader:
    """A question from which rules take what they understand."""

    def __init__(self, question: str) -> None:
        self.text = question

    def take(self, rule: str, flags: int = re.IGNORECASE) -> re.Match[str] | None:
        """Take the first match out of the question."""
        match = re.search(rule, self.text, flags)
        if match:
            # The mark keeps words apart that were not side by side.
            self.text = f"{self.text[: match.start()]} · {self.text[match.end() :]}"
        return match

    def left(self) -> str:
        """What no rule took, less the words of asking."""
        text = re.sub(_FILLER, " ", self.text, flags=re.IGNORECASE).replace("·", " ")
        text = " ".join(text.split()).strip(" ,;:?.!-+&'")
        return text if re.search(r"\w", text) else ""


def _dates(reader: _Reader) -> Iterator[Condition]:
    # "In 2010" otherwise dates what the question is about.
    return dated(reader.take) if re.search(_ABOUT_PAPERS, reader.text, re.IGNORECASE) else iter(())


def _order(reader: _Reader) -> Order | None:
    """What comes first, and how many: "the three newest", "which two papers have the most authors"."""
    order = next((Order(field, descending) for field, descending, rule in _ORDER_RULES if reader.take(rule)), None)
    if order and (many := next((match for rule in _HOW_MANY if (match := reader.take(rule))), None)):
        return replace(order, number=int(_number(many[1])))
    return order


def _counts(reader: _Reader) -> Iterator[Condition]:
    if span := reader.take(_COUNT_PERIOD):
        yield Condition("author_count", ">=", _number(span[1]))
        yield Condition("author_count", "<=", _number(span[2]))
        return
    for relation, rule in _COUNT_RULES:
        if match := reader.take(rule):
            yield Condition("author_count", relation, _number(match[1]))
            return
    if reader.take(_ALONE):
        yield Condition("author_count", "=", "1")


def _number(word: str) -> str:
    if word.isdigit():
        return word
    return "1" if word.lower() == "a single" else str(_NUMBERS.index(word.lower()) + 1)


def _organisations(reader: _Reader, known: Callable[[], Iterable[str]]) -> Iterator[Condition]:
    """An organisation named whole, or by a word that only a name can be (OpenBMB); the longest name first."""
    if not re.search(_MAY_NAME, reader.text):
        return
    names = {name for printed in known() for name in (printed, *_distinctive(printed))}
    for name in sorted(names, key=len, reverse=True):
        if reader.take(rf"\b(?i:by|from|of|at) (?-i:{re.escape(name)})(?!\w)", flags=0):
            yield Condition("organisation", "=", name)
            return


def _distinctive(printed: str) -> Iterator[str]:
    return (word for word in printed.split() if re.search(r"\w[A-Z]", word))


def _missing(reader: _Reader) -> Iterator[Condition]:
    fields = rf"{_WITHOUT}({_KNOWN_FACTS})(?:,? (?:or|and|nor) (?:any |an? |known |printed )*({_KNOWN_FACTS}))?"
    if match := reader.take(rf"{fields}|\b(undated)\b"):
        for name in (group.lower() for group in match.groups() if group):
            if name.startswith(("date", "year", "undated")):
                yield Condition("published", "missing")
            elif name.startswith(("author", "number")):
                yield Condition("author_count", "missing")
            else:
                yield Condition("comments" if name.startswith("comment") else "organisation", "missing")
