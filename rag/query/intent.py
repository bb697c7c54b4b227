"""Classify questions by their words: papers on a subject, a number, a comparison, an overview."""

from __future__ import annotations

import re

from rag.records import Intent, MetadataQuery

_THINGS = (
    r"(?:papers?|articles?|works?|methods?|approaches|studies|techniques|alternatives|reading list)"
)
# "Which papers study ...", "methods for ...", "anything on ...", "who uses ...".
_PAPERS = re.compile(
    rf"\b(?:which|what|any|all|list|show|find|give)\b[^?.]{{0,40}}\b{_THINGS}\b"
    rf"|\b{_THINGS}\b[^?.]{{0,20}}\b(?:on|about|that|for|to|which)\b"
    r"|\banything\b|^\s*list\b|\bwhich (?:ones|of)\b"
    r"|\bwho(?:'s| is| are)?\b[^?.]{0,15}\b(?:using|uses?|stud(?:y|ies)|works?)\b"
    r"|\bwhat(?:'s| is| do)\b[^?.]{0,25}\b(?:known|there|have|options)\b",
    re.IGNORECASE,
)
# "How fast", "by how much", "what fraction", "accuracy".
_NUMBER = re.compile(
    r"\bhow (?:many|much|big|large|small|long|fast|slow|strong|accurate|close|good|far|high|low)\b"
    r"|\bby how\b"
    r"|\b(?:what|which) (?:fraction|share|percentage|proportion|number|size|score"
    r"|accurac(?:y|ies)|latency|speedup)\b"
    r"|\b(?:accurac(?:y|ies)|gains?|speedups?|scores?|latency|runtime|perplexity|fids?|sizes?"
    r"|numbers?|percent)\b",
    re.IGNORECASE,
)
_COMPARISON = re.compile(
    r"\b(?:compare|compared|comparison|versus|vs|differ|difference|differences|both|agree"
    r"|disagree|opposite|contrast|unlike|in common|takes? on|each (?:side|say|of)"
    r"|(?:two|three) (?:papers|studies|takes|works|methods))\b"
    # "DMD2 against distillation: which is faster?", but not "what does it reach against X?".
    r"|^\W*(?!(?:what|which|who|how|does|do|is|are|did|against)\b)"
    r"(?:[\w-]+ ){1,4}against (?:[\w-]+ ?){1,4}[:,?]",
    re.IGNORECASE,
)
# "Which is newer", "which appeared first", "which has more authors".
_WHICH = re.compile(
    r"\b(?:older|newer|earlier|later|more recent|first"
    r"|(?:published|posted|out|appeared?|released) (?:before|after)"
    r"|(?:more|fewer) (?:co-?)?authors)\b",
    re.IGNORECASE,
)
# Words that come with a comparison and are not part of the aspect that is compared.
_CONNECTIVES = re.compile(
    r"\b(?:between|or|each|other|another|same|similar|similarit(?:y|ies)|better|are|with)\b",
    re.IGNORECASE,
)
# All words of a question about a paper as a whole: "what is the second one about?".
_WHOLE_PAPER = frozenset(
    """
    a about abstract aim aims and approach contribution contributions deal describe do does exactly
    explain find finding findings first found give goal how idea in is it its key main me method
    more of on one outline overview paper papers please point present propose proposes purpose
    result results say says second show shown shows summarise summarize summary takeaway takeaways
    tell tells that the their they third this to was what with work works
    """.split()  # noqa: SIM905 (words are easier to read without quotes)
)


# Addressed to the assistant, not a question about papers.
_GREETING = re.compile(
    r"\W*(?:hi|hello|hey|good (?:morning|afternoon|evening|day)"
    r"|thanks?(?: you)?(?: (?:a lot|very much|so much))?"
    r"|bye|goodbye|ok(?:ay)?|great|cool|nice|perfect|help|who are you|what are you|how are you"
    r"|what can (?:you|i|one) (?:do|ask)(?: here| for me)?"
    r"|how (?:do|does|can) (?:you|i|this) (?:work|use (?:you|this)))"
    r"(?:\W+(?:there|everyone|all|again|please))?\W*",
    re.IGNORECASE,
)
# "Thanks!", "Hello there,": a question may follow.
_COURTESY = re.compile(
    r"\s*(?:(?:hi|hello|hey|thanks?(?: you)?|ok(?:ay)?|great|cool|nice|perfect|good)"
    r"(?: there| so much| a lot)?\s*[!.,;:]+\s*)+",
    re.IGNORECASE,
)
_COLLECTION = r"(?:the|this|my|your|our) (?:whole |entire )?(?:library|collection|corpus|papers)"
# "What is in my library?", "which topics do you cover?", "overview of the collection".
_OVERVIEW = re.compile(
    rf"\W*(?:please )?(?:what(?:'s| is| are)? (?:in )?{_COLLECTION}(?: about| on)?"
    rf"|(?:what|which)(?: are)?(?: the)?(?: main| most common| major)?"
    rf" (?:topics|subjects|areas|themes|fields)(?: (?:does|do|are))?"
    rf"(?: (?:{_COLLECTION}|you|it|there|covered))?"
    rf"(?: (?:cover|have|contain|(?:in|of) {_COLLECTION}|covered|about))*"
    rf"|(?:give (?:me )?|show (?:me )?)?(?:an? )?overview(?: of {_COLLECTION})?"
    rf"|summari[sz]e {_COLLECTION}"
    rf"|what (?:is|are) (?:there )?in {_COLLECTION})\W*",
    re.IGNORECASE,
)


def intent_of(question: str, metadata: MetadataQuery) -> Intent:
    """Return the intent of a question; `metadata` is its parsed metadata query."""
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
    """Remove thanks or a greeting before a question."""
    left = question[match.end() :] if (match := _COURTESY.match(question)) else question
    return left if re.search(r"\w", left) else question


def asks_for_papers(question: str) -> bool:
    """Check whether a question asks for the papers on a subject."""
    return _PAPERS.search(question) is not None


def asks_for_number(question: str) -> bool:
    """Check whether a question asks for a number."""
    return _NUMBER.search(question) is not None


def asks_which(question: str) -> bool:
    """Check whether a question orders papers by their dates or authors."""
    return _WHICH.search(question) is not None


def asks_to_compare(question: str) -> bool:
    """Check whether a question is a comparison."""
    return _COMPARISON.search(question) is not None


def asks_about_whole_paper(question: str) -> bool:
    """Check whether a question is about a paper as a whole ("what is it about?")."""
    return set(re.findall(r"[^\W\d]+", question.casefold())) <= _WHOLE_PAPER


def without_comparison(question: str) -> str:
    """Remove comparison words; what is left is the aspect that is compared."""
    return _CONNECTIVES.sub(" ", _COMPARISON.sub(" ", question))
