"""The interface of the modules that answer: the parts they get, and the reply they return."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

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


def in_a_foreign_language(reply: Reply, code: str) -> tuple[Reply, list[str]]:
    """Return an answer with a warning, or a refusal that gives the true reason."""
    unread = f"the question seems to be in another language ({code})"
    unread += ", and the embedder reads English only"
    if reply.refusal is None:
        found = "papers were found by names and words that they share with it."
        return reply, [f"{unread[0].upper()}{unread[1:]}: {found}"]
    fix = "ask in English, or set embedder.kind to a model that reads the language"
    return replace(reply, refusal=f"{unread}; {fix}"), []
