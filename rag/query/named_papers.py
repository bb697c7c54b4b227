"""The papers that a question names: "how do SparsePO and D2O differ?" is about two papers and no others."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.library import Library
from rag.records import Paper
from rag.text.analysis import analyse

# What looks like a name: a digit beside a letter, or a capital after the first letter.
_NAME = re.compile(r"(?<![\w-])(?=[\w-]*\d|[\w-]+[A-Z])(?=[\d-]*[^\W\d])[\w-]*[^\W_]")
_THREE = re.compile(r"\bthree\b", re.IGNORECASE)
_MOST = 8  # names that are looked up: a question with more is about something else
_CONSIDERED = 20  # papers that share most words with a name, or with a question
_USERS = 3  # papers that may have a name beside the one that made it: more, and it is a common word
# How an abstract says that a name is its own.
_OWN, _WORKS = (
    r"\b(?:[Tt]he|[Tt]heir|[Oo]ur|paper's|authors')",
    r"(?:algorithm|method|approach|framework|estimator)\b",
)
_MADE = r"(?:propos|introduc|present|develop|design|call|dub|term|nam|build|creat)\w*\b[^.]{0,80}?"


def side_by_side(library: Library, question: str, *, comparing: bool) -> dict[str, str]:
    """The names of two or more papers that a question is about, with their ids, in its order; empty for any other.

    Where it is `comparing`, names of several words count too, in whatever case: "Barlow Twins" of "Barlow Twins: ...".
    """
    found = named(library, question, spelt_out=comparing, at_least=2 - comparing)
    papers = len(set(found.values()))
    # "Three takes on length: RASP, NoPE and imitation" means one more than it names.
    if papers < 2 or (papers < 3 and _THREE.search(question)):
        return {}
    return found


def named(
    library: Library, question: str, *, spelt_out: bool = True, at_least: int = 0
) -> dict[str, str]:
    """The names in a question that are each one paper's, with its id, in the question's order.

    Names of several words count where they are looked for `spelt_out`; none is looked up where there are fewer than
    `at_least` that look like names.
    """
    names = list(dict.fromkeys(_NAME.findall(question)))
    found: dict[str, str] = {}
    if at_least <= len(names) <= _MOST:
        found = {name: paper for name in names if (paper := _named(library, name))}
    if spelt_out:
        found |= _spelt_out(library, question)
    return dict(sorted(found.items(), key=lambda one: question.index(one[0])))


def unmentioned(library: Library, question: str) -> tuple[str, ...]:
    """The names of a question that no paper has."""
    names = [name for name in dict.fromkeys(_NAME.findall(question)) if name[0].isalpha()][:_MOST]
    if not names:
        return ()
    terms = {name: analyse(name) for name in names}
    counts = library.frequencies([term for own in terms.values() for term in own])
    return tuple(name for name, own in terms.items() if any(not counts[term] for term in own))


def called(library: Library, name: str) -> str | None:
    """The one paper that a name means: the one that bears it, or has it in its title alone of all."""
    near = [identity for identity, _ in library.matching(name, _CONSIDERED)]
    alone = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])", re.IGNORECASE)
    titled = [
        paper.id for paper in library.catalog.papers(near).values() if alone.search(paper.title)
    ]
    return _named(library, name) or (titled[0] if len(titled) == 1 else None)


def _named(library: Library, name: str) -> str | None:
    near = [identity for identity, _ in library.matching(name, _CONSIDERED)]
    return _bearer(name, list(library.catalog.papers(near).values()))


def _spelt_out(library: Library, question: str) -> dict[str, str]:
    """What stands before the colon of a title, where the question has it too: one word with its capital, or several."""
    near = [identity for identity, _ in library.matching(question, _CONSIDERED)]
    found = {}
    for paper in library.catalog.papers(near).values():
        name, colon, _ = paper.title.partition(":")
        case = re.IGNORECASE if " " in name else re.NOFLAG
        if (
            colon
            and name[0].isupper()
            and (match := re.search(rf"\b{re.escape(name)}\b", question, case))
        ):
            found[match[0]] = paper.id
    return found


def _bearer(name: str, papers: Sequence[Paper]) -> str | None:
    """The one paper whose title begins with the name, or else the one that made the name, where few others have it."""
    alone = rf"(?<![\w-]){re.escape(name)}(?![\w-])"
    first = re.compile(rf"(?:\w+ )?{alone}(?: \w+)?\s*[:–—]")
    made = re.compile(rf"{_MADE}{alone}|\({re.escape(name)}\)|{_OWN} {alone} {_WORKS}")
    users = [paper for paper in papers if re.search(alone, paper.text)]
    bearers = [paper.id for paper in users if first.match(paper.title)]
    if not bearers and len(users) <= _USERS:
        bearers = [
            paper.id
            for paper in users
            if re.search(alone, paper.title) or made.search(paper.abstract)
        ]
    return bearers[0] if len(bearers) == 1 else None
