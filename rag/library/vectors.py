"""The vector index: ids and vectors of passages in Chroma. The only module that imports chromadb.

How Chroma behaves:

- Two processes that write at the same time lose vectors for good.
- An open client never sees what another process wrote.
- Opening a client always writes to the folder.
- A reader that opens a client while another process writes may crash.
- Files are overwritten in place. A process that is killed while writing leaves them damaged, and
  damaged files can crash the process that reads them.

Therefore:

- Every operation on the folder holds one short lock that all processes share.
- A process has a single client of a folder.
- A reader reopens its client when the catalog names a newer generation.
- A marker file in the folder shows that a process was killed or failed while it used the folder.
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
# Wider than Chroma's defaults (100), which missed 3 % of the 100 nearest of 5,000 abstracts.
_HNSW: dict[str, Any] = {"space": "cosine", "ef_construction": 200, "ef_search": 400}
_MARKER = "in-use"


class VectorIndex:
    """An index that finds the passages nearest to a vector, by cosine.

    Each index has its own folder below `root`, named by its token: readers switch to a rebuilt
    index at once, and a broken one needs no repair.
    """

    name = "vectors"

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = ShortLock(root.with_name(f"{root.name}.lock"))
        self._owner = _Owner.for_folder(root)

    def exists(self, token: str) -> bool:
        """Return whether there is a folder for this token."""
        return (self._root / token).is_dir()

    def create(self, token: str) -> None:
        """Create an empty index. Raises IndexBroken if Chroma fails."""
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
        """Delete the passages `gone`, then insert or replace the passages `ids`.

        `vectors` has shape (len(ids), d). `seen` is the generation of the index before the update,
        `generation` the one after it. Raises IndexBroken.
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
        """Return the number of passages."""
        with self._open(token, generation) as collection:
            return int(collection.count())

    def nearest(
        self, token: str, generation: int, vector: Vectors, k: int
    ) -> list[tuple[str, float]]:
        """Return the `k` passages nearest to a unit vector of shape (d,).

        Each is a passage id with its cosine, best first. Raises IndexBroken.
        """
        with self._open(token, generation) as collection:
            found = collection.query(
                query_embeddings=vector.reshape(1, -1), n_results=k, include=["distances"]
            )
        distances = found["distances"] or [[]]
        return [
            (passage_id, 1.0 - distance)
            for passage_id, distance in zip(found["ids"][0], distances[0], strict=True)
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
        marker = folder / _MARKER
        with self._lock.held():
            try:
                if marker.exists():
                    raise ValueError("a process failed or was killed while it used the index")
                # The marker is needed where the files may be damaged or crash this process: when it
                # writes, and at the first operation of a client, which reads the files.
                if not create and (writes or self._owner.outdated(folder, generation)):
                    with suppress(OSError):
                        marker.touch()
                yield self._owner.collection(folder, generation, create=create)
                marker.unlink(missing_ok=True)
            # Chroma's Rust core raises its own errors, and ValueError or RuntimeError for damaged
            # folders. A failure of the index leaves the marker in place.
            except BaseException as error:
                if not (
                    isinstance(error, ChromaError | ValueError | RuntimeError | OSError)
                    or panicked(error)
                ):
                    marker.unlink(missing_ok=True)
                    raise
                self._owner.close()
                raise IndexBroken(f"the vector index in {folder} fails: {error}") from None


class _Owner:
    """Owns the process's single client of a folder, and knows the generation it has read."""

    _all: ClassVar[dict[str, _Owner]] = {}
    _guard = threading.Lock()

    @classmethod
    def for_folder(cls, root: Path) -> _Owner:
        """Return the process's only owner for this folder."""
        with cls._guard:
            return cls._all.setdefault(str(root.resolve()), cls())

    def __init__(self) -> None:
        self._client: Any = None  # chromadb.Client; its stub lacks close()
        self._opened: tuple[Path, int] | None = None
        self._collection: Collection | None = None

    def collection(self, folder: Path, generation: int, *, create: bool) -> Collection:
        """Return the open collection; reopen it for another folder or generation."""
        if self._collection is None or self.outdated(folder, generation):
            self.close()
            self._collection = self._connect(folder, create=create)
        self._opened = (folder, generation)
        return self._collection

    def wrote(self, generation: int) -> None:
        """Record that the open client itself updated the index to this generation."""
        assert self._opened is not None
        self._opened = (self._opened[0], generation)

    def outdated(self, folder: Path, generation: int) -> bool:
        """Return whether the client is of another folder or generation, or there is none."""
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
            created: Collection = self._client.create_collection(
                _COLLECTION, embedding_function=None, configuration={"hnsw": _HNSW}
            )
            return created
        existing: Collection = self._client.get_collection(_COLLECTION, embedding_function=None)
        return existing

    def close(self) -> None:
        """Close the client if there is one."""
        client, self._client, self._collection, self._opened = self._client, None, None, None
        if client is not None:
            client.close()
