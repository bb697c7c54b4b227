"""The indexes follow the catalog: they can lag, be lost or break, and are brought up from it again."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable
from typing import Protocol

import numpy as np

from rag.errors import IndexBroken
from rag.library.catalog import Catalog
from rag.library.lookup import Changes
from rag.library.terms import TermIndex
from rag.library.vectors import VectorIndex

log = logging.getLogger(__name__)

_CHUNK = 500  # papers handed to an index at once


class Follower(Protocol):
    """An index over the catalog's papers; `token` names one incarnation of it, `seen` how far it is."""

    name: str

    def exists(self, token: str) -> bool:
        """Whether this incarnation is on disk."""
        ...

    def create(self, token: str) -> None:
        """Begin an empty incarnation."""
        ...

    def apply(self, catalog: Catalog, token: str, seen: int, upto: int, changes: Changes) -> None:
        """Take out what is gone, put in the papers; the same changes twice do no harm."""
        ...

    def complete(self, catalog: Catalog, token: str, seen: int) -> bool:
        """Whether the index holds as much as the catalog."""
        ...

    def discard_others(self, token: str) -> None:
        """Delete all other incarnations."""
        ...


class VectorFollower:
    """Passage vectors follow."""

    name = VectorIndex.name

    def __init__(self, index: VectorIndex) -> None:
        self.index = index
        self.exists, self.create, self.discard_others = (
            index.exists,
            index.create,
            index.discard_others,
        )

    def apply(self, catalog: Catalog, token: str, seen: int, upto: int, changes: Changes) -> None:
        """See `Follower`."""
        parts = list(catalog.parts(changes.papers).values())
        ids = [passage.id for part in parts for passage in part.passages]
        vectors = (
            np.concatenate([part.passage_vectors for part in parts])
            if parts
            else np.zeros((0, 1), np.float32)
        )
        self.index.update(token, seen, upto, [passage for passage, _ in changes.gone], ids, vectors)

    def complete(self, catalog: Catalog, token: str, seen: int) -> bool:
        """See `Follower`."""
        return self.index.count(token, seen) == catalog.count("passages")


class TermFollower:
    """Titles and abstracts follow."""

    name = TermIndex.name

    def __init__(self, index: TermIndex) -> None:
        self.index = index
        self.exists, self.create, self.discard_others = (
            index.exists,
            index.create,
            index.discard_others,
        )

    def apply(self, catalog: Catalog, token: str, seen: int, upto: int, changes: Changes) -> None:
        """See `Follower`."""
        papers = catalog.papers(changes.papers).values()
        texts = [(paper.id, paper.title, paper.abstract) for paper in papers]
        self.index.update(token, [paper for _, paper in changes.gone], texts)

    def complete(self, catalog: Catalog, token: str, seen: int) -> bool:
        """See `Follower`."""
        return self.index.count(token) == catalog.count("papers")


def behind(catalog: Catalog, followers: Iterable[Follower]) -> list[Follower]:
    """The followers that are missing or have not seen the newest generation."""
    newest = catalog.generation()
    late = []
    for follower in followers:
        state = catalog.follower(follower.name)
        if state is None or state[1] != newest or not follower.exists(state[0]):
            late.append(follower)
    return late


def catch_up(catalog: Catalog, follower: Follower) -> None:
    """Bring one index to the catalog's generation; made anew where it is missing, broken or incomplete.

    The caller holds the writer lock. Raises IndexBroken where even a new one can't be made.
    """
    state = catalog.follower(follower.name)
    fault = _fault(catalog, follower, *state) if state else None
    if state and not fault:
        follower.discard_others(state[0])  # what a killed process left
        return
    remake(catalog, follower)
    if fault:
        log.warning("%s; it was made anew", fault)


def remake(catalog: Catalog, follower: Follower) -> None:
    """Build one index anew from the catalog, beside the old one, which goes on serving until the end."""
    token = secrets.token_hex(4)
    try:
        follower.create(token)
        seen = _apply_all(catalog, follower, token, 0)
        catalog.set_follower(follower.name, token, seen)
    finally:
        # A half-made one would fill a disk that is full already.
        state = catalog.follower(follower.name)
        follower.discard_others(state[0] if state else "")


def _fault(catalog: Catalog, follower: Follower, token: str, seen: int) -> str | None:
    """Bring an index up in place; what is wrong with it where that can't be done."""
    if not follower.exists(token):
        return f"the index {follower.name} is missing"
    try:
        _advance(catalog, follower, token, seen)
        if follower.complete(catalog, token, catalog.generation()):
            return None
    except IndexBroken as error:
        return str(error)
    return f"the index {follower.name} is incomplete"


def _advance(catalog: Catalog, follower: Follower, token: str, seen: int) -> None:
    if catalog.generation() != seen:
        catalog.set_follower(follower.name, token, _apply_all(catalog, follower, token, seen))


def _apply_all(catalog: Catalog, follower: Follower, token: str, seen: int) -> int:
    """Apply all changes since `seen`; returns the generation reached."""
    changes = catalog.changes(seen)
    if changes.gone or not changes.papers:
        follower.apply(catalog, token, seen, seen, Changes(seen, changes.gone, ()))
    for start in range(0, len(changes.papers), _CHUNK):
        papers = changes.papers[start : start + _CHUNK]
        follower.apply(catalog, token, seen, seen, Changes(seen, (), papers))
    follower.apply(catalog, token, seen, changes.generation, Changes(changes.generation, (), ()))
    return changes.generation
