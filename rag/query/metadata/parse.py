"""A question about the papers themselves becomes a typed query over the catalog, by rules.

"Which papers from 2023 have one author" asks for two conditions, "the newest paper on grokking" for an order within a
topic, "how many authors has TULU 3" for a field. What no rule takes is the topic.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from rag.query.metadata.aggregates import average, tallied
from rag.query.metadata.counts import PEOPLE, amounts
from rag.query.metadata.dates import DATE, PAPERS, dated
from rag.query.metadata.orders import order
from rag.records import CatalogQuery, Condition, Field, Relation

# Parts of the rules. Groups hold the values.
_KNOWN_FACTS = (
    r"(?:dates?|years?|authors?(?: counts?| numbers?)?|number of authors|organi[sz]ations?|affiliations?|comments?)"
    r"(?! (?:are|is|was)\b)"
)
_OR_MORE = rf"(?:,? (?:or|and|nor) (?:any |an? |known |printed |listed )*({_KNOWN_FACTS}))?"
_NO = r"(?:no|without|with no|with neither|lack(?:s|ing)?|missing|instead of|rather than|don't (?:have|show|give|list))"
_WITHOUT = rf"\b(?:that have |have |has )?{_NO} (?:any |an? |known |printed |listed )*({_KNOWN_FACTS}){_OR_MORE}"
_KNOWN = (
    r"\b(?:with|have|has|having|give|gives|giving|name|names|naming|list|lists|listing|show|shows|showing|mention)"
    r" (?:any|an|known|printed|some) (?:known |printed )?"
    r"(dates?|authors? counts?|organi[sz]ations?|affiliations?)\b"
)
_COMMENTED = (
    r"\b(?:with|have|has|having|got|shows?|received|drew|attracted)(?: any| some)? (?:comments|discussion|replies)\b"
    r"|\b(?:got|get|were|was|are|been) (?:commented|discussed)(?: on| upon)?\b"
)
_UNDATED = r"\bundated\b"
_ABOUT_PAPERS = (
    rf"\b{PAPERS}|\b(?:anything|everything|something|list|show|newest|oldest|latest|publish|published|posted|appeared|appear"
    r"|c[oa]me out|coming out|went (?:up|online|live)|put (?:up|online)|uploaded|dropped|released|submitted|dated"
    r"|average|mean|median|(?:do|did|have) (?:you|we)|you(?:'ve)? (?:have|got))\b"
)
_APPEARING = (
    r"(?:post(?:ed)?|publish(?:ed)?|appear(?:ed)?|released?|submitted|c[oa]me out|go (?:up|online)|put (?:up|online)"
    r"|uploaded|dated|written)"
)
_WHEN = r"(?:year|month|date|day)"
_FIELD_RULES: tuple[tuple[Field, str], ...] = (
    ("author_count", rf"\bhow many {PEOPLE}|\bnumber of {PEOPLE}|\bauthors? (?:count|number)s?\b"),
    ("comments", r"\bhow many comments\b|\bnumber of comments\b|\bcomment counts?\b"),
    (
        "authors",
        r"\bwho (?:wrote|authored|published|penned)\b|\b(?:first|last|lead|senior|corresponding) authors?\b",
    ),
    ("authors", r"\bnames? of (?:the|its) authors?\b|\bauthor names\b"),
    (
        "organisation",
        r"\b(?:which|what) (?:organi[sz]ation|institution|institute|company|lab|laboratory|university|group|team)s?\b",
    ),
    ("organisation", r"\bwho(?: is|'s| are| was)? behind\b|\baffiliations?\b"),
    ("published", rf"\bwhen (?:was|were|did|is)\b(?=.*\b{_APPEARING}\b)"),
    (
        "published",
        rf"\b(?:publication|release|posting) {_WHEN}s?\b|\b(?:in |on )?(?:what|which) (?:exact )?{_WHEN}\b",
    ),
    ("published", r"\bhow (?:old|recent|new) (?:is|are|was)\b|\bhow long ago\b"),
    ("published", r"\b(?:its|with|the|their) (?:\w+ )?dates?\b|\bdates\b"),
    ("published", r"\band when(?: (?:was|did) (?:it|they|this)\b.*)?[?.]*$|- when[?.]*$"),
)
_MAY_NAME = r"\b(?:[Bb]y|[Ff]rom|[Oo]f|[Aa]t) \S*[A-Z]"
# "How many few-shot learning papers", but not "how many samples per class work best".
_KIND = r"(?:(?!(?:per|do|does|did|is|are|was|were|of|in|the|for|from)\b)[\w-]+ )"
_COUNTED = (
    rf"\bhow many (?:of (?:the|these|those|your) )?(?:(?={PAPERS})|(?={_KIND}{{1,5}}?(?:papers|articles)\b))"
    rf"|\b(?:number|count) of {PAPERS}"
)
# "Who is the author": a name, not how many there are.
_WHO = r"\bwho(?:'s| is| are| was| were)? (?:the |its )?(?:(?:sole|single|only|first|main) )?authors?\b"
_EXCEPT = (
    r"\bleaving (?P<aside>[^,;:?.]+?) aside\b"
    r"|\b(?:apart from|other than|besides|except(?:ing)?(?: for)?|excluding|not counting|leaving out|leaving aside"
    r"|ignoring|aside from) (?P<name>[^,;:?.]+?)(?=\s*(?:[,;:?.]|$)|\s+(?:what|which|who|is|are|has|have|do|does)\b)"
)
# "Was X published before 2020?" asks for a fact of X; "is there anything from 2020" for papers.
_PAPERS_AS_SUCH = rf"(?:there|any\w*|some\w*|these|those|your|our|you|we|the (?:library|collection|corpus)|(?:the )?{PAPERS})\b"
_WHETHER = rf"^(?:is|was|were|did|does|has) (?!{_PAPERS_AS_SUCH})"
# "And in 2023?"
_BARE_DATE = rf"\s*(?:and|or|what about|how about|then)?\s*(?:in|from|of|for|during)?\s*(?P<date>{DATE})\s*\??\s*"
# A paper's name, up to what follows it: words with a capital.
_CALLED = (
    r"(?-i:(?P<name>[\w-]*[A-Z]\S*?(?: [\w-]*[A-Z\d]\S*?)*))"
    r"(?=\s*(?:[?.,;·]|$)|\s+(?:in|on|about|from|by|with|and|that)\b)"
)
_BESIDE_A_PAPER: tuple[tuple[Relation, str], ...] = (
    (">", rf"\b(?:(?:newer|later|more recent) than|{_APPEARING} after|since) {_CALLED}"),
    ("<", rf"\b(?:(?:older|earlier) than|{_APPEARING} before) {_CALLED}"),
)
# Words of the asking. What a question leaves beside these is its topic.
_FILLERS = """
    which what what's who who's whose when when's where how is are was were has have had do does did be been
    being show list lists listed listing give gives given tell find get name names title titles called me my you
    you've your we us our i i'd i'm all any every each anyone everything anything something nothing anybody
    someone there there's here it its it's that that's this these those they them their of the a an and or nor
    but in on at by to for with from about than as into within please just only exactly precisely say one ones
    two three paper papers paper's entry entries article articles work works publication publications preprint
    preprints item items collection library corpus database date dates dated year years month months first came
    come comes out up put online dropped went go appear appears appeared published posted uploaded released
    submitted written wrote write penned authored author authors co-author co-authors coauthors people person
    persons researchers solo other others more most ever behind involved number numbers count counts drawn got
    gets received tied many much so far then also both either really know known think like next entire whole
    alone should would could can may might must will shall including included inclusive inside among overall
    total altogether exist exists looking look want yet ago back already not no rather instead if whether else
    very carry carries contributed counting counted down publish publishes
    """.split()  # noqa: SIM905 (a list of words reads best as words)
_FILLER = rf"(?<![\w'-])(?:(?:single|sole|lone) (?={PAPERS}|one\b)|(?:{'|'.join(map(re.escape, _FILLERS))}|'s)(?![\w'-]))"


def understand(question: str, organisations: Callable[[], Iterable[str]] = tuple) -> CatalogQuery:
    """Read a question; `organisations` gives those that the library knows, as printed, and is asked only if need be."""
    reader = _Reader(question)
    dates = [*_dates(reader), *_beside_a_paper(reader)]
    left_out = reader.take(_EXCEPT)
    without = (left_out["name"] or left_out["aside"],) if left_out else ()
    tally, averaged = tallied(question, reader.take), average(reader.take)
    asked: list[Field] = ["authors"] if reader.take(_WHO) else []
    conditions = [
        *_known(reader),
        *dates,
        *amounts(reader.take),
        *_organisations(reader, organisations),
    ]
    first = None if averaged else order(reader.take)
    asked += [field for field, rule in _FIELD_RULES if reader.take(rule)]
    counted = reader.take(_COUNTED) is not None
    if not (conditions or first or asked or counted or tally or averaged):
        return CatalogQuery(question)
    topic = reader.left()
    if topic and conditions and re.match(_WHETHER, question, re.IGNORECASE):
        asked, conditions = [*asked, *(one.field for one in conditions)], []
    fields = tuple(dict.fromkeys(asked))
    return CatalogQuery(topic, tuple(conditions), first, fields, counted, tally, averaged, without)


def understand_after(
    earlier: str, question: str, organisations: Callable[[], Iterable[str]] = tuple
) -> CatalogQuery:
    """Read a question that leans on an earlier one (""): its conditions take the place of those on the same facts."""
    if bare := re.fullmatch(_BARE_DATE, question, re.IGNORECASE):
        question = f"papers from {bare['date']}"
    own, before = (understand(text, organisations) for text in (question, earlier))
    if not (own.conditions and before.conditions):
        return understand(f"{earlier} {question}".strip(), organisations)
    fields = {one.field for one in own.conditions}
    kept = [one for one in before.conditions if one.field not in fields]
    return replace(
        own,
        topic=f"{before.topic} {own.topic}".strip(),
        conditions=(*kept, *own.conditions),
        order=own.order or before.order,
        asked=own.asked or before.asked,
        counted=own.counted or before.counted,
    )


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


def _beside_a_paper(reader: _Reader) -> Iterator[Condition]:
    """Newer or older than a paper that is named."""
    if not re.search(rf"\b{PAPERS}|\banything\b", reader.text, re.IGNORECASE):
        return
    for relation, rule in _BESIDE_A_PAPER:
        if match := reader.take(rule):
            yield Condition("published", relation, f"@{match['name']}")


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


def _known(reader: _Reader) -> Iterator[Condition]:
    """The facts that a paper is to lack, and those that it is to have."""
    if reader.take(_COMMENTED):
        yield Condition("comments", ">", "0")
    if known := reader.take(_KNOWN):
        yield Condition(_field_called(known[1]), "known")
    if reader.take(_UNDATED):
        yield Condition("published", "missing")
    if missing := reader.take(_WITHOUT):
        yield from (Condition(_field_called(name), "missing") for name in missing.groups() if name)


def _field_called(name: str) -> Field:
    """The field of a word of `_KNOWN_FACTS`."""
    beginnings: dict[str, Field] = {"date": "published", "year": "published", "comment": "comments"}
    beginnings |= {"author": "author_count", "number": "author_count"}
    return next(
        (field for start, field in beginnings.items() if name.lower().startswith(start)),
        "organisation",
    )
