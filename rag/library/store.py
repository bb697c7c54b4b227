"""A library: a folder with the catalog and the indexes that follow it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from rag.errors import IndexBroken, LibraryBusy, LibraryError
from rag.library.catalog import Catalog
from rag.library.codec import Vectors
from rag.library.following import (
    Follower,
    TermFollower,
    VectorFollower,
    behind,
    catch_up,
    rebuild_index,
)
from rag.library.locks import WriterLock
from rag.library.terms import TermIndex
from rag.library.vectors import VectorIndex

log = logging.getLogger(__name__)

T = TypeVar("T")

_CATALOG = "catalog.sqlite"
_PATIENCE = 20.0  # seconds that a reader waits for a writer to create or repair an index


class Library:
    """A library opened for reading; hold `writing` to change it.

    Raises LibraryError if there is no library yet (unless `create`) or the folder can't be used,
    and LibraryTooNew for a library of a newer version.
    """

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        self.folder = folder
        if not (folder / _CATALOG).exists():
            if not create:
                raise LibraryError(
                    f"there is no library in {folder} yet; begin with: rag ingest FOLDER"
                )
            _create_folder(folder)
        self._writer = WriterLock(folder)
        self.catalog = Catalog(folder / _CATALOG)
        if not self.catalog.current:
            self._migrate()
        self.vectors = VectorIndex(folder / "vectors")
        self.terms = TermIndex(folder / "terms")
        self._followers: tuple[Follower, ...] = (
            TermFollower(self.terms),
            VectorFollower(self.vectors),
        )

    def _migrate(self) -> None:
        try:
            with self._writer.held("migrate", brief=True):
                self.catalog.migrate()
        except LibraryBusy:
            # If the schema is current now, another process migrated it and is busy with other work.
            if not self.catalog.current:
                raise

    def close(self) -> None:
        """Close the catalog and the indexes."""
        self.vectors.close()
        self.terms.close()
        self.catalog.close()

    @contextmanager
    def writing(self, command: str) -> Iterator[None]:
        """Hold the writer lock, and update the indexes at the end.

        Raises LibraryBusy, which names the process that has the lock.
        """
        with self._writer.held(command):
            yield
            self.follow()
            self.catalog.checkpoint()

    def follow(self) -> None:
        """Update the indexes to the catalog's generation; the caller holds `writing`."""
        for follower in self._followers:
            catch_up(self.catalog, follower)

    def rebuild(self) -> None:
        """Build the indexes from the catalog again; the caller holds `writing`."""
        for follower in self._followers:
            rebuild_index(self.catalog, follower)

    def indexes(self) -> dict[str, str]:
        """Return the state of each index by name: `current`, `behind` or `missing`."""
        late = {follower.name for follower in behind(self.catalog, self._followers)}
        missing = {
            follower.name
            for follower in self._followers
            if (state := self.catalog.follower(follower.name)) is None
            or not follower.exists(state[0])
        }
        return {
            follower.name: "missing"
            if follower.name in missing
            else "behind"
            if follower.name in late
            else "current"
            for follower in self._followers
        }

    def nearest(self, vector: Vectors, k: int) -> list[tuple[str, float]]:
        """Return the `k` passages nearest to a unit vector of shape (d,).

        Each is a passage id with its cosine, best first.
        """
        return self._reading(
            VectorIndex.name, lambda token, seen: self.vectors.nearest(token, seen, vector, k)
        )

    def matching(self, question: str, k: int) -> list[tuple[str, float]]:
        """Return the `k` best papers for the question's words: ids and BM25 scores, best first."""
        return self._reading(
            TermIndex.name, lambda token, seen: self.terms.matching(token, seen, question, k)
        )

    def scores(
        self, question: str, papers: Collection[str]
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Score these papers by words and by character 4-grams; see `TermIndex.scores`."""
        return self._reading(
            TermIndex.name, lambda token, seen: self.terms.scores(token, seen, question, papers)
        )

    def similar(self, term: str, distance: int, k: int) -> list[str]:
        """Return at most `k` ids of papers with a term within edit distance 1 or 2 of `term`.

        `term` is analysed (see `rag.text.analysis`).
        """
        return self._reading(
            TermIndex.name, lambda token, seen: self.terms.similar(token, seen, term, distance, k)
        )

    def frequencies(self, terms: list[str]) -> dict[str, int]:
        """Return in how many papers each analysed term occurs."""
        return self._reading(
            TermIndex.name, lambda token, seen: self.terms.frequencies(token, seen, terms)
        )

    def _reading(self, name: str, read: Callable[[str, int], T]) -> T:
        """Read an index; update or repair it first if it is behind, missing or broken.

        If another process is writing, an index that is behind is read as it is.
        """
        follower = next(follower for follower in self._followers if follower.name == name)
        if behind(self.catalog, (follower,)):
            self._catch_up(follower)
        state = self._awaited(name)
        try:
            return read(*state)
        except IndexBroken as error:
            self._replace(follower, state, error)
            return read(*self._awaited(name))

    def _catch_up(self, follower: Follower) -> None:
        try:
            with self._writer.held(f"repair of the index {follower.name}", brief=True):
                catch_up(self.catalog, follower)
        except LibraryBusy:
            log.info("another process is writing; reading the index %s as it is", follower.name)

    def _replace(self, follower: Follower, state: tuple[str, int], error: IndexBroken) -> None:
        """Rebuild a broken index unless another process has replaced it; wait for a writer.

        Raises LibraryBusy if the writer holds the lock for too long.
        """
        until = time.monotonic() + _PATIENCE
        while self.catalog.follower(follower.name) == state:
            try:
                with self._writer.held(f"repair of the index {follower.name}", brief=True):
                    # Check again: the lock may have come from a process that repaired the index.
                    if self.catalog.follower(follower.name) == state:
                        rebuild_index(self.catalog, follower)
                        log.warning("%s; it was rebuilt", error)
            except LibraryBusy:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def _awaited(self, name: str) -> tuple[str, int]:
        """Return token and generation of an index; wait if a writer is creating the first one.

        Raises LibraryBusy if there is still no index after the wait.
        """
        until = time.monotonic() + _PATIENCE
        while (state := self.catalog.follower(name)) is None:
            if time.monotonic() > until:
                raise LibraryBusy(
                    f"the library in {self.folder} is being written and has no index yet; "
                    "try again later"
                )
            time.sleep(0.1)
        return state


def _create_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise LibraryError(
            f"can't create a library in {folder}: {error.strerror}; give another --home"
        ) from None
