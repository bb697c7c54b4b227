"""Records and vectors as they are stored."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.records import ExternalId, Paper, PublishedDate, Sighting

Vectors = NDArray[np.float32]


def dump_paper(paper: Paper) -> str:
    """The paper as JSON, without what is empty."""
    return json.dumps(
        {key: value for key, value in asdict(paper).items() if value}, ensure_ascii=False
    )


# The same papers are found by question after question.
@lru_cache(maxsize=4096)
def load_paper(text: str) -> Paper:
    """The paper of `dump_paper`."""
    row: dict[str, Any] = json.loads(text)
    published = row.get("published")
    return Paper(
        id=row["id"],
        title=row["title"],
        abstract=row.get("abstract", ""),
        authors=tuple(row.get("authors", ())),
        author_count=row.get("author_count"),
        organisation=row.get("organisation"),
        published=PublishedDate(**published) if published else None,
        external_ids=tuple(ExternalId(**one) for one in row.get("external_ids", ())),
        url=row.get("url"),
        categories=tuple(row.get("categories", ())),
        sightings=tuple(Sighting(**one) for one in row.get("sightings", ())),
    )


def dump_half(vector: Vectors) -> bytes:
    """A vector of shape (d,) as float16."""
    return vector.astype(np.float16).tobytes()


def load_half(blobs: list[bytes]) -> Vectors:
    """Vectors of `dump_half` as float32 of shape (n, d)."""
    return np.stack([np.frombuffer(blob, dtype=np.float16) for blob in blobs]).astype(np.float32)


def dump_int8(vector: Vectors) -> bytes:
    """A vector's direction, its largest component scaled to 127."""
    largest = max(float(np.abs(vector).max()), 1e-12)
    scaled: NDArray[np.int8] = np.rint(vector * (127.0 / largest)).astype(np.int8)
    return scaled.tobytes()


def load_int8(blobs: list[bytes], dimension: int) -> Vectors:
    """Unit vectors of `dump_int8`, float32 of shape (n, dimension)."""
    rows = np.frombuffer(b"".join(blobs), dtype=np.int8).reshape(-1, dimension).astype(np.float32)
    unit: Vectors = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return unit
