"""The papers that a reader's scope leaves."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from difflib import SequenceMatcher

from rag.errors import InputError, NotFound
from rag.library import Catalog, PaperFacts
from rag.records import Scope

_NEAREST = 3  # names that are offered in place of an unknown one


def within(catalog: Catalog, scope: Scope) -> frozenset[str] | None:
    """Ids of the papers in the scope, None where it restricts nothing; names count in whatever case.

    Raises InputError for a paper, a file or an organisation that the library does not know, and for years that end
    before they begin.
    """
    if not scope.filters:
        return None
    _check_years(scope)
    chosen = {_known(catalog, identity) for identity in scope.papers}
    sources = catalog.sources() if scope.sources else {}
    files = _folded(scope.sources, sources, "file")
    seen = {
        paper for name, papers in sources.items() if name.casefold() in files for paper in papers
    }
    organisations = _folded(scope.organisations, catalog.organisations(), "organisation")
    return frozenset(
        paper.id
        for paper in catalog.facts()
        if _in_years(paper, scope)
        and (not organisations or (paper.organisation or "").casefold() in organisations)
        and (not files or paper.id in seen)
        and (not chosen or paper.id in chosen)
    )


def _in_years(paper: PaperFacts, scope: Scope) -> bool:
    """Whether the year is known and between the scope's, or the scope has none."""
    if scope.first_year is None and scope.last_year is None:
        return True
    year = next(iter(paper.published), None)
    if year is None:
        return False
    return (scope.first_year or year) <= year <= (scope.last_year or year)


def _check_years(scope: Scope) -> None:
    first, last = scope.first_year, scope.last_year
    if first is not None and last is not None and first > last:
        raise InputError(f"no year is both since {first} and until {last}; exchange the two")


def _folded(names: Sequence[str], known: Collection[str], what: str) -> set[str]:
    """The names in small letters. Raises InputError for one that is not known, with the nearest ones."""
    there = {name.casefold(): name for name in known}
    for name in names:
        if name.casefold() not in there:
            nearest = sorted(there, key=lambda one: (-_likeness(name.casefold(), one), one))[
                :_NEAREST
            ]
            mend = (
                f"the nearest are {', '.join(there[one] for one in nearest)}"
                if nearest
                else "it knows none"
            )
            raise InputError(f"the library knows no {what} {name!r}; {mend}")
    return {name.casefold() for name in names}


def _likeness(name: str, other: str) -> float:
    """How alike two names are, above 1 where one holds the other."""
    return SequenceMatcher(None, name, other, autojunk=False).ratio() + (
        name in other or other in name
    )


def _known(catalog: Catalog, identity: str) -> str:
    try:
        return catalog.paper(identity).id
    except NotFound as error:
        raise InputError(f"the question can't be restricted to a paper: {error}") from None
