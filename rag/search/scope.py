"""Select the papers in a reader's scope."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from difflib import SequenceMatcher

from rag.errors import InputError, NotFound
from rag.library import Catalog, PaperFacts
from rag.records import Scope

_NEAREST = 3  # known names that an error lists for an unknown name


def within(catalog: Catalog, scope: Scope) -> frozenset[str] | None:
    """Return the ids of the papers in the scope, or None if it restricts nothing.

    Names are compared without case. Raises InputError for a paper, a file or an organisation that
    the library does not have, and if the last year is before the first.
    """
    if not scope.filters:
        return None
    _check_years(scope)
    chosen = {_known_id(catalog, paper_id) for paper_id in scope.papers}
    sources = catalog.sources() if scope.sources else {}
    files = _folded(scope.sources, sources, "file")
    seen = {
        paper_id
        for name, paper_ids in sources.items()
        if name.casefold() in files
        for paper_id in paper_ids
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
    """Check whether the paper's year is in the scope; a paper without a year is not."""
    if scope.first_year is None and scope.last_year is None:
        return True
    year = next(iter(paper.published), None)
    if year is None:
        return False
    return (scope.first_year or year) <= year <= (scope.last_year or year)


def _check_years(scope: Scope) -> None:
    first, last = scope.first_year, scope.last_year
    if first is not None and last is not None and first > last:
        raise InputError(f"no year is both since {first} and until {last}; swap the years")


def _folded(names: Sequence[str], known: Collection[str], what: str) -> set[str]:
    """Return the names case-folded. Raises InputError for an unknown name, with similar names."""
    known_names = {name.casefold(): name for name in known}
    for name in names:
        if name.casefold() not in known_names:
            nearest = sorted(
                known_names, key=lambda other: (-_likeness(name.casefold(), other), other)
            )[:_NEAREST]
            hint = (
                f"the nearest names are {', '.join(known_names[other] for other in nearest)}"
                if nearest
                else f"it has no {what}s at all"
            )
            raise InputError(f"the library has no {what} {name!r}; {hint}")
    return {name.casefold() for name in names}


def _likeness(name: str, other: str) -> float:
    """Return the similarity of two names; 1 or more if one contains the other."""
    return SequenceMatcher(None, name, other, autojunk=False).ratio() + (
        name in other or other in name
    )


def _known_id(catalog: Catalog, paper_id: str) -> str:
    try:
        return catalog.paper(paper_id).id
    except NotFound as error:
        raise InputError(f"the question can't be restricted to a paper: {error}") from None
