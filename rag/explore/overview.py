"""The library as its readers see it: what it holds, and since when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from rag.library import Catalog
from rag.records import Paper

_NEWEST = 3


@dataclass(frozen=True, slots=True)
class Overview:
    """How many papers there are, of which years, and the newest of them; files and organisations, largest first.

    The years are None where no paper has a date.
    """

    papers: int
    first_year: int | None
    last_year: int | None
    newest: tuple[Paper, ...]
    sources: Mapping[str, int]
    organisations: Mapping[str, int]


def overview(catalog: Catalog) -> Overview:
    """Look over the catalog, at one state of it."""
    with catalog.snapshot():
        facts = catalog.facts()
        dated = sorted(
            (one for one in facts if one.published), key=lambda one: one.published, reverse=True
        )
        newest = catalog.papers(one.id for one in dated[:_NEWEST])
        sources = {name: len(papers) for name, papers in catalog.sources().items()}
    organisations = Counter(one.organisation for one in facts if one.organisation)
    return Overview(
        papers=len(facts),
        first_year=dated[-1].published[0] if dated else None,
        last_year=dated[0].published[0] if dated else None,
        newest=tuple(newest.values()),
        sources=_largest_first(sources),
        organisations=_largest_first(organisations),
    )


def _largest_first(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0].casefold())))
