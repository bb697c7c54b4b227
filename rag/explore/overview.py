"""Summary of a library for its readers: numbers of papers, years, and the newest papers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from rag.library import Catalog
from rag.records import Paper

_NEWEST = 3  # papers


@dataclass(frozen=True, slots=True)
class Overview:
    """Summary of a library.

    `newest` holds the newest papers, latest first. `sources` and `organisations` map names to
    numbers of papers, largest first. The years are None if no paper has a date.
    """

    papers: int
    first_year: int | None
    last_year: int | None
    newest: tuple[Paper, ...]
    sources: Mapping[str, int]
    organisations: Mapping[str, int]


def overview(catalog: Catalog) -> Overview:
    """Summarise the catalog, all parts from the same state of it."""
    with catalog.snapshot():
        facts = catalog.facts()
        dated = sorted(
            (paper for paper in facts if paper.published),
            key=lambda paper: paper.published,
            reverse=True,
        )
        newest = catalog.papers(paper.id for paper in dated[:_NEWEST])
        sources = {name: len(papers) for name, papers in catalog.sources().items()}
    organisations = Counter(paper.organisation for paper in facts if paper.organisation)
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
