"""Encode and decode papers and vectors for storage in the catalog."""

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
    """Return the paper as JSON, without its empty fields."""
    return json.dumps(
        {key: value for key, value in asdict(paper).items() if value}, ensure_ascii=False
    )


# Consecutive questions often find the same papers.
@lru_cache(maxsize=4096)
def load_paper(text: str) -> Paper:
    """Read a paper from the JSON of `dump_paper`."""
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
        external_ids=tuple(ExternalId(**external) for external in row.get("external_ids", ())),
        url=row.get("url"),
        categories=tuple(row.get("categories", ())),
        sightings=tuple(Sighting(**sighting) for sighting in row.get("sightings", ())),
    )


def dump_half(vector: Vectors) -> bytes:
    """Encode a vector of shape (d,) as float16."""
    return vector.astype(np.float16).tobytes()


def load_half(blobs: list[bytes]) -> Vectors:
    """Decode vectors of `dump_half` into float32 of shape (n, d)."""
    return np.stack([np.frombuffer(blob, dtype=np.float16) for blob in blobs]).astype(np.float32)


def dump_int8(vector: Vectors) -> bytes:
    """Encode the direction of a vector of shape (d,) as int8; its largest component becomes 127.

    The length is lost: `load_int8` returns unit vectors.
    """
    largest = max(float(np.abs(vector).max()), 1e-12)
    scaled: NDArray[np.int8] = np.rint(vector * (127.0 / largest)).astype(np.int8)
    return scaled.tobytes()


def load_int8(blobs: list[bytes], dimension: int) -> Vectors:
    """Decode vectors of `dump_int8` into unit vectors, float32 of shape (n, dimension)."""
    rows = np.frombuffer(b"".join(blobs), dtype=np.int8).reshape(-1, dimension).astype(np.float32)
    unit: Vectors = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return unit
