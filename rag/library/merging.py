"""Several readings of one paper become the paper: a pure function of the readings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rag.records import Paper, PublishedDate

_FINENESS = {"year": 0, "month": 1, "day": 2}


def merge(identity: str, readings: Sequence[Paper], text_from: int) -> Paper:
    """The paper `identity` of its readings, oldest sighting first.

    `text_from` is the index of the reading whose title and abstract are the paper's. Named authors beat a bare
    number of them; otherwise the newest reading that knows a fact gives it. Of dates, a printed year beats an
    inferred one, then the finer date wins, then the older sighting.
    """
    newest = readings[::-1]
    authors = max((reading.authors for reading in newest), key=len)
    counts = (reading.author_count for reading in newest if reading.author_count)
    return replace(
        readings[text_from],
        id=identity,
        authors=authors,
        author_count=len(authors) or next(counts, None),
        organisation=next(
            (reading.organisation for reading in newest if reading.organisation), None
        ),
        published=max((r.published for r in readings if r.published), key=_trust, default=None),
        external_ids=tuple(sorted({one for reading in readings for one in reading.external_ids})),
        url=next((reading.url for reading in newest if reading.url), None),
        categories=next((reading.categories for reading in newest if reading.categories), ()),
        sightings=tuple(sighting for reading in readings for sighting in reading.sightings),
    )


def _trust(date: PublishedDate) -> tuple[bool, int]:
    return not date.inferred, _FINENESS[date.precision]
