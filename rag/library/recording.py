"""Record one reading of a paper in the catalog: as new, unchanged, changed or merged."""

from __future__ import annotations

from dataclasses import dataclass

from rag.library.catalog import Catalog
from rag.records import Outcome, Paper


@dataclass(frozen=True, slots=True)
class Recorded:
    """The outcome of a reading; `new_text` says that the paper must be split and embedded."""

    outcome: Outcome
    paper: Paper
    new_text: bool


def record(catalog: Catalog, reading: Paper, nth: int) -> Recorded:
    """Store a paper as read at its single sighting; the caller is inside a transaction.

    `nth` counts the entries of this title in the file, from 0. A reading belongs to a known paper
    if its title or an external id matches. If it matches several papers they are merged under the
    id of the first: the paper that this entry belonged to before, then the paper with its title.
    """
    sighting = reading.sightings[0]
    before = catalog.find_sighting(sighting.source, reading.id, nth)
    if before and before[1].sightings[0] == sighting:
        return Recorded(Outcome.UNCHANGED, reading, new_text=False)
    known_ids = catalog.matching_ids(reading)
    if before:
        known_ids = list(dict.fromkeys([catalog.paper_of_sighting(before[0]), *known_ids]))
    paper_id = known_ids[0] if known_ids else reading.id
    for other in known_ids[1:]:
        catalog.absorb(paper_id, other)
    number = catalog.put_sighting(paper_id, reading, nth)
    # The same file already had this paper (by an external id) under another title: the title was
    # corrected in the file.
    corrected = (
        before is None
        and paper_id != reading.id
        and catalog.has_other_sighting(paper_id, sighting.source, number)
    )
    text_changed = corrected or (before is not None and before[1].text != reading.text)
    paper, new_text = catalog.refresh(paper_id, text_from=number if text_changed else None)
    outcome = _outcome(before, sighting.fingerprint, known_ids, text_changed)
    return Recorded(outcome, paper, new_text)


def _outcome(
    before: tuple[int, Paper] | None, fingerprint: str, known_ids: list[str], text_changed: bool
) -> Outcome:
    if before and before[1].sightings[0].fingerprint == fingerprint:
        return Outcome.UNCHANGED  # only its line number changed
    if text_changed:
        return Outcome.CHANGED
    return Outcome.MERGED if known_ids else Outcome.ADDED
