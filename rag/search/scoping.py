"""The papers that a reader's scope leaves."""

from __future__ import annotations

from rag.errors import InputError, NotFound
from rag.library import Catalog, PaperFacts
from rag.records import Scope


def within(catalog: Catalog, scope: Scope) -> frozenset[str] | None:
    """Ids of the papers in the scope, None where it restricts nothing. Raises InputError for a paper unknown."""
    if not scope.filters:
        return None
    chosen = {_known(catalog, identity) for identity in scope.papers}
    seen = {one for name, papers in catalog.sources().items() if name in scope.sources for one in papers}
    organisations = {name.casefold() for name in scope.organisations}
    return frozenset(
        paper.id
        for paper in catalog.facts()
        if _in_years(paper, scope)
        and (not organisations or (paper.organisation or "").casefold() in organisations)
        and (not scope.sources or paper.id in seen)
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


def _known(catalog: Catalog, identity: str) -> str:
    try:
        return catalog.paper(identity).id
    except NotFound as error:
        raise InputError(f"the question can't be restricted to a paper: {error}") from None
