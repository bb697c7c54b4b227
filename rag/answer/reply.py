"""What answers a question, before it is said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from rag.records import Hit, Said


@dataclass(frozen=True, slots=True)
class Reply:
    """Hits, and either what is to be said or the reason why the papers don't tell; see `Answer`."""

    hits: tuple[Hit, ...]
    looked_at: int
    said: Iterator[Said] = field(default_factory=lambda: iter(()))
    refusal: str | None = None
    answerability: float = 1.0
    filters: tuple[str, ...] = ()
    near_misses: tuple[Hit, ...] = ()
