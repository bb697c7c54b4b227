"""The interface of the modules that answer: the parts they get, and the reply they return."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from rag.answer.synthesizer import Synthesizer
from rag.config import Config
from rag.library import Library
from rag.records import Filter, Hit, Said
from rag.search import Searcher


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The parts that turn a query into an answer."""

    searcher: Searcher
    synthesizer: Synthesizer
    config: Config

    @property
    def library(self) -> Library:
        """The library that is searched."""
        return self.searcher.library


@dataclass(frozen=True, slots=True)
class Reply:
    """Hits, and either the events of an answer or the reason for a refusal; see `Answer`."""

    hits: tuple[Hit, ...]
    looked_at: int
    said: Iterator[Said] = field(default_factory=lambda: iter(()))
    refusal: str | None = None
    answerability: float = 1.0
    filters: tuple[Filter, ...] = ()
    near_misses: tuple[Hit, ...] = ()
