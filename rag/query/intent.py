"""What a question wants, by its words: papers on a subject, a quantity, a comparison, an overview, or help."""

from __future__ import annotations

import re

from rag.records import Intent, MetadataQuery

_THINGS = (
    r"(?:papers?|articles?|works?|methods?|approaches|studies|techniques|alternatives|reading list)"
)
_PAPERS = re.compile(
    rf"\b(?:which|what|any|all|list|show|find|give)\b[^?.]{{0,40}}\b{_THINGS}\b"
    rf"|\b{_THINGS}\b[^?.]{{0,20}}\b(?:on|about|that|for|to|which)\b"
    r"|\banything\b|^\s*list\b|\bwhich (?:ones|of)\b"
    r"|\bwho(?:'s| is| are)?\b[^?.]{0,15}\b(?:using|uses?|stud(?:y|ies)|works?)\b"
    r"|\bwhat(?:'s| is| do)\b[^?.]{0,25}\b(?:known|there|have|options)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\bhow (?:many|much|big|large|small|long|fast|slow|strong|accurate|close|good|far|high|low)\b|\bby how\b"
    r"|\b(?:what|which) (?:fraction|share|percentage|proportion|number|size|score|accurac(?:y|ies)|latency|speedup)\b"
    r"|\b(?:accurac(?:y|ies)|gains?|speedups?|scores?|latency|runtime|perplexity|fids?|sizes?|numbers?|percent)\b",
    re.IGNORECASE,
)
_COMPARISON = re.compile(
    r"\b(?:compare|compared|comparison|versus|vs|differ|difference|differences|against|both|agree|disagree|opposite|contrast"
    r"|unlike|in common|takes? on|each (?:side|say|of)|(?:two|three) (?:papers|studies|takes|works|methods))\b",
    re.IGNORECASE,
)
_WHICH = re.compile(
    r"\b(?:older|newer|earlier|later|more recent|first|(?:published|posted|out|appeared?|released) (?:before|after)"
    r"|(?:more|fewer) (?:co-?)?authors)\b",
    re.IGNORECASE,
)
_BESIDE = re.compile(
    r"\b(?:between|or|each|other|another|same|similar|similarit(?:y|ies)|better|are|with)\b",
    re.IGNORECASE,
)
# Words that a question on a paper as a whole is made of: "what is the second one about?", "how does it work?".
_WHOLE = frozenset(
    """
    a about abstract aim aims and approach contribution contributions deal describe do does exactly explain find
    finding findings first found give goal how idea in is it its key main me method more of on one outline overview
    paper papers please point present propose proposes purpose result results say says second show shown shows
    summarise summarize summary takeaway takeaways tell tells that the their they third this to was what with work
    works
    """.split()  # noqa: SIM905 (a list of words reads best as words)
)


# Said to an assistant, and no question on papers.
_GREETING = re.compile(
    r"\W*(?:hi|hello|hey|good (?:morning|afternoon|evening|day)|thanks?(?: you)?(?: (?:a lot|very much|so much))?"
    r"|bye|goodbye|ok(?:ay)?|great|cool|nice|perfect|help|who are you|what are you|how are you"
    r"|what can (?:you|i|one) (?:do|ask)(?: here| for me)?|how (?:do|does|can) (?:you|i|this) (?:work|use (?:you|this)))"
    r"(?:\W+(?:there|everyone|all|again|please))?\W*",
    re.IGNORECASE,
)
_COURTESY = re.compile(
    r"\s*(?:(?:hi|hello|hey|thanks?(?: you)?|ok(?:ay)?|great|cool|nice|perfect|good)(?: there| so much| a lot)?\s*[!.,;:]+\s*)+",
    re.IGNORECASE,
)
_COLLECTION = r"(?:the|this|my|your|our) (?:whole |entire )?(?:library|collection|corpus|papers)"
_OVERVIEW = re.compile(
    rf"\W*(?:please )?(?:what(?:'s| is| are)? (?:in )?{_COLLECTION}(?: about| on)?"
    rf"|(?:what|which) (?:topics|subjects|areas|themes|fields) (?:does|do|are) (?:{_COLLECTION}|you|it|there|covered)"
    rf"(?: (?:cover|have|contain|in {_COLLECTION}|covered|about))*"
    rf"|(?:give (?:me )?|show (?:me )?)?(?:an? )?overview(?: of {_COLLECTION})?|summari[sz]e {_COLLECTION}"
    rf"|what (?:is|are) (?:there )?in {_COLLECTION})\W*",
    re.IGNORECASE,
)


def intent_of(question: str, metadata: MetadataQuery) -> Intent:
    """Return what a question wants; `metadata` is what was read of it for the papers' metadata."""
    if _GREETING.fullmatch(question):
        return Intent.GREETING
    if _OVERVIEW.fullmatch(question):
        return Intent.OVERVIEW
    if metadata:
        return Intent.METADATA
    if asks_to_compare(question):
        return Intent.COMPARISON
    return Intent.LIST if asks_for_papers(question) else Intent.FACT


def without_courtesy(question: str) -> str:
    """Return a question without thanks or a greeting before it."""
    left = question[match.end() :] if (match := _COURTESY.match(question)) else question
    return left if re.search(r"\w", left) else question


def asks_for_papers(question: str) -> bool:
    """Tell whether a question wants the papers on a subject."""
    return _PAPERS.search(question) is not None


def asks_for_number(question: str) -> bool:
    """Tell whether a question wants a quantity."""
    return _NUMBER.search(question) is not None


def asks_which(question: str) -> bool:
    """Tell whether a question puts papers in an order by their dates or authors."""
    return _WHICH.search(question) is not None


def asks_to_compare(question: str) -> bool:
    """Tell whether a question compares things."""
    return _COMPARISON.search(question) is not None


def asks_for_the_whole(question: str) -> bool:
    """Tell whether a question is on a paper as a whole ("what is it about?"), and on nothing in it."""
    return set(re.findall(r"[^\W\d]+", question.casefold())) <= _WHOLE


def without_comparison(question: str) -> str:
    """Remove comparison words; what is left is the aspect that is compared."""
    return _BESIDE.sub(" ", _COMPARISON.sub(" ", question))
