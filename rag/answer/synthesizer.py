"""The interface of classes that write an answer from a search's hits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from rag.answer.relevance import Assessment
from rag.records import Query, Said
from rag.search import SearchResult


class Synthesizer(Protocol):
    """Writes an answer, sentence by sentence."""

    @property
    def least_answerability(self) -> float:
        """The answerability, 0 to 1, below which a question is declined without calling this."""
        ...

    def statements(
        self, query: Query, result: SearchResult, assessment: Assessment
    ) -> Iterator[Said]:
        """Yield the answer's statements, with citation numbers from 1, and notices."""
        ...
