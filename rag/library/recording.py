"""One reading of a paper enters the catalog: as new, the same, changed, or another view of a known paper."""

from __future__ import annotations

from dataclasses import dataclass

from rag.library.catalog import Catalog
from rag.records import Outcome, Paper


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a reading; `new_text` asks for new passages, sentences and vectors."""

    outcome: Outcome
    paper: Paper
    new_text: bool


def record(catalog: Catalog, reading: Paper, nth: int) -> Recorded:
    """Store a paper as read at its single sighting, the `nth` of its title there; inside a transaction.

    A reading is of a known paper when the title or an external id says so; two papers that a reading shows to
    be one become one, under the id of the one with its title.
    """
    sighting = reading.sightings[0]
    before = catalog.sighted(sighting.source, reading.id, nth)
    if before and before[1].sightings[0] == sighting:
        return Recorded(Outcome.UNCHANGED, reading, new_text=False)
    known = catalog.known_as(reading)
    if before:
        known = list(dict.fromkeys([catalog.owner(before[0]), *known]))
    identity = known[0] if known else reading.id
    for other in known[1:]:
        catalog.absorb(identity, other)
    number = catalog.put_sighting(identity, reading, nth)
    # Known by an external id from this very file, under another title: the file's title was corrected.
    corrected = (
        before is None
        and identity != reading.id
        and catalog.sees(identity, sighting.source, but=number)
    )
    text_changed = corrected or (before is not None and before[1].text != reading.text)
    paper, new_text = catalog.refresh(identity, text_from=number if text_changed else None)
    return Recorded(_outcome(before, sighting.fingerprint, known, text_changed), paper, new_text)


def _outcome(
    before: tuple[int, Paper] | None, fingerprint: str, known: list[str], text_changed: bool
) -> Outcome:
    if before and before[1].sightings[0].fingerprint == fingerprint:
        return Outcome.UNCHANGED  # only its line moved
    if text_changed:
        return Outcome.CHANGED
    return Outcome.MERGED if known else Outcome.ADDED
