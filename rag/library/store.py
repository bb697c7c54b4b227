"""The library: a folder with the catalog and the indexes that follow it."""

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
from rag.library.following import Follower, TermFollower, VectorFollower, behind, catch_up, remake
from rag.library.locks import WriterLock
from rag.library.terms import TermIndex
from rag.library.vectors import VectorIndex

log = logging.getLogger(__name__)

T = TypeVar("T")

_CATALOG = "catalog.sqlite"
_PATIENCE = 20.0  # seconds that a reader waits for a writer's first index


class Library:
    """Opened for reading; `writing` adds the right to change it.

    Raises LibraryError where there is no library yet (unless `create`), where the folder can't be used, and
    LibraryTooNew for a library of a newer version.
    """

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        self.folder = folder
        if not (folder / _CATALOG).exists():
            if not create:
                raise LibraryError(
                    f"there is no library in {folder} yet; begin with: rag ingest FOLDER"
                )
            _make(folder)
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
            if (
                not self.catalog.current
            ):  # or else another process has migrated, and is now at other work
                raise

    def close(self) -> None:
        """Close everything this process holds open."""
        self.vectors.close()
        self.terms.close()
        self.catalog.close()

    @contextmanager
    def writing(self, command: str) -> Iterator[None]:
        """The right to change the library; LibraryBusy names who has it. Indexes follow at the end."""
        with self._writer.held(command):
            yield
            self.follow()
            self.catalog.checkpoint()

    def follow(self) -> None:
        """Bring the indexes up to the catalog; the caller is writing."""
        for follower in self._followers:
            catch_up(self.catalog, follower)

    def rebuild(self) -> None:
        """Make the indexes anew from the catalog; the caller is writing."""
        for follower in self._followers:
            remake(self.catalog, follower)

    def indexes(self) -> dict[str, str]:
        """The state of each index: `current`, `behind` or `missing`."""
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
        """The `k` nearest passages to a unit vector of shape (d,): passage ids and cosines, best first."""
        return self._reading(
            VectorIndex.name, lambda token, seen: self.vectors.nearest(token, seen, vector, k)
        )

    def matching(self, question: str, k: int) -> list[tuple[str, float]]:
        """The `k` best papers for the question's words: paper ids and BM25 scores, best first."""
        return self._reading(
            TermIndex.name, lambda token, seen: self.terms.matching(token, seen, question, k)
        )

    def scores(
        self, question: str, papers: Collection[str]
    ) -> tuple[dict[str, float], dict[str, float]]:
        """How well these papers match by words and by letters, as `TermIndex.scores` has it."""
        return self._reading(
            TermIndex.name, lambda token, seen: self.terms.scores(token, seen, question, papers)
        )

    def similar(self, term: str, distance: int, k: int) -> list[str]:
        """At most `k` papers with a term within this edit distance (1 or 2) of an analysed one."""
        return self._reading(
            TermIndex.name, lambda token, seen: self.terms.similar(token, seen, term, distance, k)
        )

    def frequencies(self, terms: list[str]) -> dict[str, int]:
        """In how many papers each analysed term stands."""
        return self._reading(
            TermIndex.name, lambda token, seen: self.terms.frequencies(token, seen, terms)
        )

    def _reading(self, name: str, read: Callable[[str, int], T]) -> T:
        """Read an index; one that lags, is missing or broken is first brought up, unless a writer is at it."""
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
            log.info("a writer is at work; reading what the index %s holds so far", follower.name)

    def _replace(self, follower: Follower, state: tuple[str, int], error: IndexBroken) -> None:
        """Make a broken index anew, unless another process does; waits a little for a writer, which will."""
        until = time.monotonic() + _PATIENCE
        while self.catalog.follower(follower.name) == state:
            try:
                with self._writer.held(f"repair of the index {follower.name}", brief=True):
                    if self.catalog.follower(follower.name) == state:
                        remake(self.catalog, follower)
                        log.warning("%s; it was made anew", error)
            except LibraryBusy:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def _awaited(self, name: str) -> tuple[str, int]:
        """Token and generation of an index, waiting a little for a writer that is just making the first one."""
        until = time.monotonic() + _PATIENCE
        while (state := self.catalog.follower(name)) is None:
            if time.monotonic() > until:
                raise LibraryBusy(
                    f"the library in {self.folder} is being written and has no index yet; try again soon"
                )
            time.sleep(0.1)
        return state


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise LibraryError(
            f"can't make a library in {folder}: {error.strerror}; give another --home"
        ) from None
