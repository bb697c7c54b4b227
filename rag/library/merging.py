"""Merge several readings of one paper into the paper; a pure function of the readings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rag.records import Paper, PublishedDate

_PRECISION = {"year": 0, "month": 1, "day": 2}


def merge(paper_id: str, readings: Sequence[Paper], text_from: int) -> Paper:
    """Merge readings, oldest sighting first, into the paper `paper_id`.

    `text_from` is the index of the reading that gives title and abstract. The longest list of
    authors wins, and it beats a bare author count; every other fact comes from the newest reading
    that has it. Dates are ranked: a printed year before an inferred year, then the more precise
    date, then the older sighting.
    """
    newest = readings[::-1]
    authors = max((reading.authors for reading in newest), key=len)
    counts = (reading.author_count for reading in newest if reading.author_count)
    return replace(
        readings[text_from],
        id=paper_id,
        authors=authors,
        author_count=len(authors) or next(counts, None),
        organisation=next(
            (reading.organisation for reading in newest if reading.organisation), None
        ),
        published=max(
            (reading.published for reading in readings if reading.published),
            key=_trust,
            default=None,
        ),
        external_ids=tuple(
            sorted({external for reading in readings for external in reading.external_ids})
        ),
        url=next((reading.url for reading in newest if reading.url), None),
        categories=next((reading.categories for reading in newest if reading.categories), ()),
        sightings=tuple(sighting for reading in readings for sighting in reading.sightings),
    )


def _trust(date: PublishedDate) -> tuple[bool, int]:
    return not date.inferred, _PRECISION[date.precision]
