"""Find the papers that a question names: "how do SparsePO and D2O differ?" names two."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rag.errors import NotFound
from rag.library import Library
from rag.records import NamedPaper, Paper
from rag.text.analysis import analyse

# A word that looks like a name: a digit next to a letter, or a capital after the first letter.
_NAME = re.compile(r"(?<![\w-])(?=[\w-]*\d|[\w-]+[A-Z])(?=[\d-]*[^\W\d])[\w-]*[^\W_]")
# An arXiv id or a DOI, with or without the address around it.
_EXTERNAL_ID = re.compile(
    r"(?:https?://\S+/|arxiv:|doi:)?(?<![\d.])(\d{4}\.\d{4,5}(?:v\d+)?|10\.\d{4,9}/[^\s,;?]+)",
    re.IGNORECASE,
)
# "Three takes on length: RASP, NoPE and imitation": more papers are meant than are named.
_THREE_OR_MORE = re.compile(r"\b(?:three|four|five|six|seven|eight)\b", re.IGNORECASE)
_MOST = 8  # names to look up; a question with more names is about something else
_CONSIDERED = 20  # papers that share most words with a name or a question
_USERS = 3  # a name used by more papers is treated as a common word
# How an abstract introduces its own name: "our GLOW algorithm", "we propose a method called GLOW".
_OWN = r"\b(?:[Tt]he|[Tt]heir|[Oo]ur|paper's|authors')"
_WORKS = r"(?:algorithm|method|approach|framework|estimator)\b"
_MADE = r"(?:propos|introduc|present|develop|design|call|dub|term|nam|build|creat)\w*\b[^.]{0,80}?"


def compared_papers(library: Library, question: str, *, comparing: bool) -> tuple[NamedPaper, ...]:
    """Return the papers that a question names, in its order; none if it names fewer than two.

    If it is `comparing`, names of several words count too, in any case: "Barlow Twins" in the title
    "Barlow Twins: ...".
    """
    found = named(library, question, spelt_out=comparing, at_least=2 - comparing)
    papers = len({paper.paper_id for paper in found})
    if papers < 2 or (papers < 3 and _THREE_OR_MORE.search(question)):
        return ()
    return found


def named(
    library: Library, question: str, *, spelt_out: bool = True, at_least: int = 0
) -> tuple[NamedPaper, ...]:
    """Return the names in a question that belong to exactly one paper, in the question's order.

    With `spelt_out` the names before the colon of a title count too. Single words that look like
    names are looked up only if there are at least `at_least` of them.
    """
    names = list(dict.fromkeys(_NAME.findall(question)))
    found: dict[str, str] = {}
    if at_least <= len(names) <= _MOST:
        found = {name: paper_id for name in names if (paper_id := _named(library, name))}
    if spelt_out:
        found |= _spelt_out(library, question)
    ordered = sorted(found.items(), key=lambda item: question.index(item[0]))
    return tuple(NamedPaper(paper_id, name) for name, paper_id in ordered)


def by_external_id(library: Library, question: str) -> tuple[tuple[str, str | None], ...]:
    """Return the arXiv ids and DOIs of a question as written, each with a paper id or None."""
    found = {match[0]: match[1] for match in _EXTERNAL_ID.finditer(question)}
    return tuple((written, _with_id(library, value)) for written, value in found.items())


def _with_id(library: Library, value: str) -> str | None:
    try:
        return library.catalog.paper(value.rstrip(".")).id
    except NotFound:
        return None


def unmentioned(library: Library, question: str) -> tuple[str, ...]:
    """Return the names in a question that no paper has."""
    names = [name for name in dict.fromkeys(_NAME.findall(question)) if name[0].isalpha()][:_MOST]
    if not names:
        return ()
    terms = {name: analyse(name) for name in names}
    counts = library.frequencies([term for parts in terms.values() for term in parts])
    return tuple(name for name, parts in terms.items() if any(not counts[term] for term in parts))


def called(library: Library, name: str) -> str | None:
    """Return the id of the paper that a name means, or None.

    It is the paper that introduces the name, or else the only paper with the name in its title.
    """
    near = [paper_id for paper_id, _ in library.matching(name, _CONSIDERED)]
    pattern = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])", re.IGNORECASE)
    titled = [
        paper.id for paper in library.catalog.papers(near).values() if pattern.search(paper.title)
    ]
    return _named(library, name) or (titled[0] if len(titled) == 1 else None)


def without_names(question: str, names: Iterable[str]) -> str:
    """Remove names from the question."""
    for name in sorted(names, key=len, reverse=True):  # "TÜLU 3" before "TÜLU"
        question = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", " ", question)
    return " ".join(question.split())


def _named(library: Library, name: str) -> str | None:
    near = [paper_id for paper_id, _ in library.matching(name, _CONSIDERED)]
    return _owner(name, list(library.catalog.papers(near).values()))


def _spelt_out(library: Library, question: str) -> dict[str, str]:
    """Map each name in the question that precedes the colon of a title to the paper's id.

    A name of one word must have the same case; a name of several words may have any.
    """
    near = [paper_id for paper_id, _ in library.matching(question, _CONSIDERED)]
    found = {}
    for paper in library.catalog.papers(near).values():
        name, colon, _ = paper.title.partition(":")
        case = re.IGNORECASE if " " in name else re.NOFLAG
        if colon and name[0].isupper():
            match = re.search(rf"\b{re.escape(name)}\b", question, case)
            if match:
                found[match[0]] = paper.id
    return found


def _owner(name: str, papers: Sequence[Paper]) -> str | None:
    """Return the id of the only paper whose title begins with the name, or else that introduced it.

    An introduction counts only if few papers use the name. None if there is not exactly one.
    """
    as_word = rf"(?<![\w-]){re.escape(name)}(?![\w-])"
    first = re.compile(rf"(?:\w+ )?{as_word}(?: \w+)?\s*[:–—]")
    made = re.compile(rf"{_MADE}{as_word}|\({re.escape(name)}\)|{_OWN} {as_word} {_WORKS}")
    users = [paper for paper in papers if re.search(as_word, paper.text)]
    owners = [paper.id for paper in users if first.match(paper.title)]
    if not owners and len(users) <= _USERS:
        owners = [
            paper.id
            for paper in users
            if re.search(as_word, paper.title) or made.search(paper.abstract)
        ]
    return owners[0] if len(owners) == 1 else None
