"""Keep the indexes up to date with the catalog.

An index can be behind, missing or broken; it is updated or rebuilt from the catalog.
"""

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

_CHUNK = 500  # papers in one call of an index


class Follower(Protocol):
    """An index over the catalog's papers.

    `token` names one build of the index; `seen` is the catalog generation that the build has
    reached.
    """

    name: str

    def exists(self, token: str) -> bool:
        """Return whether this build is on disk."""
        ...

    def create(self, token: str) -> None:
        """Start an empty build."""
        ...

    def apply(self, catalog: Catalog, token: str, seen: int, upto: int, changes: Changes) -> None:
        """Apply deletions and upserts; `upto` is the generation reached by them. Idempotent."""
        ...

    def complete(self, catalog: Catalog, token: str, seen: int) -> bool:
        """Return whether the index has as many entries as the catalog."""
        ...

    def discard_others(self, token: str) -> None:
        """Delete all other builds."""
        ...


class VectorFollower:
    """Keeps the vector index up to date with the catalog's passages."""

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
    """Keeps the lexical index up to date with the catalog's titles and abstracts."""

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
    """Return the followers that are missing or have not reached the newest generation."""
    newest = catalog.generation()
    late = []
    for follower in followers:
        state = catalog.follower(follower.name)
        if state is None or state[1] != newest or not follower.exists(state[0]):
            late.append(follower)
    return late


def catch_up(catalog: Catalog, follower: Follower) -> None:
    """Update one index to the catalog's generation; rebuild it if missing, broken or incomplete.

    The caller holds the writer lock. Raises IndexBroken if the rebuild fails too.
    """
    state = catalog.follower(follower.name)
    fault = _fault(catalog, follower, *state) if state else None
    if state and not fault:
        follower.discard_others(state[0])  # builds that killed processes left
        return
    rebuild_index(catalog, follower)
    if fault:
        log.warning("%s; it was rebuilt", fault)


def rebuild_index(catalog: Catalog, follower: Follower) -> None:
    """Build one index from the catalog again; the old build serves readers until the end."""
    token = secrets.token_hex(4)
    try:
        follower.create(token)
        seen = _apply_all(catalog, follower, token, 0)
        catalog.set_follower(follower.name, token, seen)
    finally:
        # After a failure this deletes the unfinished build: the disk may be full.
        state = catalog.follower(follower.name)
        follower.discard_others(state[0] if state else "")


def _fault(catalog: Catalog, follower: Follower, token: str, seen: int) -> str | None:
    """Update an index in place; return what is wrong with it, or None if it is complete."""
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
    """Apply all changes since `seen` and return the generation reached.

    Deletions come first, because a changed paper reuses the ids of its old passages. Only the last
    call names the new generation, so an update that is interrupted starts over.
    """
    changes = catalog.changes(seen)
    if changes.gone or not changes.papers:
        follower.apply(catalog, token, seen, seen, Changes(seen, changes.gone, ()))
    for start in range(0, len(changes.papers), _CHUNK):
        papers = changes.papers[start : start + _CHUNK]
        follower.apply(catalog, token, seen, seen, Changes(seen, (), papers))
    follower.apply(catalog, token, seen, changes.generation, Changes(changes.generation, (), ()))
    return changes.generation
