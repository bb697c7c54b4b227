"""What the ask path expects of anything that turns a search's hits into sentences."""

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
        """The calibrated answerability, 0 to 1, below which the question is declined without asking this."""
        ...

    def statements(
        self, query: Query, result: SearchResult, assessment: Assessment
    ) -> Iterator[Said]:
        """Yield the answer's statements with citation numbers from 1, and notices for the reader."""
        ...
