"""Passage vectors in Chroma: ids and vectors only. The only door to chromadb.

Facts that shaped it: two writers lose vectors for good; an open client never sees what another process wrote; any
open writes to the folder; a reader that opens beside a writer may crash; files are overwritten in place, so that a
process killed meanwhile leaves them torn, and torn ones crash whoever reads them. So every operation on the folder
happens under one short lock that all processes share, a process owns a single client, a reader opens anew when the
catalog names a newer generation, and a mark in the folder tells of a process that did not come back from it.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rag.errors import IndexBroken, panicked
from rag.library.codec import Vectors
from rag.library.locks import ShortLock

if TYPE_CHECKING:
    from chromadb.api.models.Collection import Collection

_COLLECTION = "passages"
# Wider than Chroma's defaults (100), with which 3 % of the 100 nearest of 5,000 abstracts were missed.
_HNSW: dict[str, Any] = {"space": "cosine", "ef_construction": 200, "ef_search": 400}
_MARK = "in-use"


class VectorIndex:
    """The nearest passages of a vector, by cosine.

    An index lives in a folder of its own below `root`, named by its token, so that a rebuilt one takes over at
    once and a broken one is left behind.
    """

    name = "vectors"

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = ShortLock(root.with_name(f"{root.name}.lock"))
        self._owner = _Owner.of(root)

    def exists(self, token: str) -> bool:
        """Whether the folder of this token is there."""
        return (self._root / token).is_dir()

    def create(self, token: str) -> None:
        """Make an empty index. Raises IndexBroken where Chroma can't."""
        with self._open(token, 0, create=True):
            pass

    def update(
        self,
        token: str,
        seen: int,
        generation: int,
        gone: Sequence[str],
        ids: Sequence[str],
        vectors: Vectors,
    ) -> None:
        """Take passages out, then put passages in or over their former selves.

        `seen` is the generation that the index is at, `generation` the one it is at afterwards.
        """
        with self._open(token, seen, writes=True) as collection:
            distinct = list(dict.fromkeys(gone))  # Chroma refuses to delete an id twice in one call
            for start in range(0, len(distinct), 1000):
                collection.delete(ids=distinct[start : start + 1000])
            for start in range(0, len(ids), 1000):
                batch = slice(start, start + 1000)
                collection.upsert(ids=list(ids[batch]), embeddings=vectors[batch])
            self._owner.wrote(generation)

    def count(self, token: str, generation: int) -> int:
        """The number of passages."""
        with self._open(token, generation) as collection:
            return int(collection.count())

    def nearest(
        self, token: str, generation: int, vector: Vectors, k: int
    ) -> list[tuple[str, float]]:
        """The `k` nearest passages to a unit vector of shape (d,): ids and cosines, best first."""
        with self._open(token, generation) as collection:
            found = collection.query(
                query_embeddings=vector.reshape(1, -1), n_results=k, include=["distances"]
            )
        distances = found["distances"] or [[]]
        return [
            (one, 1.0 - distance)
            for one, distance in zip(found["ids"][0], distances[0], strict=True)
        ]

    def discard_others(self, token: str) -> None:
        """Delete the folders of all other tokens."""
        with self._lock.held():
            for folder in self._root.glob("*"):
                if folder.name != token:
                    shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Close the process's client."""
        with self._lock.held():
            self._owner.close()

    @contextmanager
    def _open(
        self, token: str, generation: int, *, create: bool = False, writes: bool = False
    ) -> Iterator[Collection]:
        from chromadb.errors import ChromaError

        folder = self._root / token
        mark = folder / _MARK
        with self._lock.held():
            try:
                if mark.exists():
                    raise ValueError("a process failed or was killed while at work on it")
                # Chroma reads the files at a client's first operation.
                if not create and (writes or self._owner.late(folder, generation)):
                    with suppress(OSError):
                        mark.touch()
                yield self._owner.collection(folder, generation, create=create)
                mark.unlink(missing_ok=True)
            # Chroma's Rust core raises its own errors, and ValueErrors and RuntimeErrors for damaged folders.
            except BaseException as error:
                if not (
                    isinstance(error, ChromaError | ValueError | RuntimeError | OSError)
                    or panicked(error)
                ):
                    mark.unlink(missing_ok=True)
                    raise
                self._owner.close()
                raise IndexBroken(f"the vector index in {folder} fails: {error}") from None


class _Owner:
    """The process's one client of a folder, and the generation it has seen."""

    _all: ClassVar[dict[str, _Owner]] = {}
    _guard = threading.Lock()

    @classmethod
    def of(cls, root: Path) -> _Owner:
        with cls._guard:
            return cls._all.setdefault(str(root.resolve()), cls())

    def __init__(self) -> None:
        self._client: Any = None  # chromadb.Client; its stub lacks close()
        self._opened: tuple[Path, int] | None = None
        self._collection: Collection | None = None

    def collection(self, folder: Path, generation: int, *, create: bool) -> Collection:
        """The open collection; opened anew for another folder or a newer generation than the one seen."""
        if self._collection is None or self.late(folder, generation):
            self.close()
            self._collection = self._connect(folder, create=create)
        self._opened = (folder, generation)
        return self._collection

    def wrote(self, generation: int) -> None:
        """Note that the open client itself brought the index to this generation."""
        assert self._opened is not None
        self._opened = (self._opened[0], generation)

    def late(self, folder: Path, generation: int) -> bool:
        """Whether there is no client of this folder that has seen this generation."""
        return self._opened != (folder, generation)

    def _connect(self, folder: Path, *, create: bool) -> Collection:
        import chromadb
        from chromadb.config import Settings

        if create:
            folder.mkdir(parents=True)
        elif not folder.is_dir():
            raise ValueError("the folder is missing")
        settings = Settings(anonymized_telemetry=False)
        self._client = chromadb.PersistentClient(str(folder), settings=settings)
        if create:
            made: Collection = self._client.create_collection(
                _COLLECTION, embedding_function=None, configuration={"hnsw": _HNSW}
            )
            return made
        found: Collection = self._client.get_collection(_COLLECTION, embedding_function=None)
        return found

    def close(self) -> None:
        """Close the client, if there is one."""
        client, self._client, self._collection, self._opened = self._client, None, None, None
        if client is not None:
            client.close()
