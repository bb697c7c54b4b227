"""What the ask path expects of whatever turns a search's hits into sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from rag.answer.relevance import Assessment
from rag.records import Said
from rag.search import SearchResult


class Synthesizer(Protocol):
    """Says an answer, sentence by sentence."""

    @property
    def least_answerability(self) -> float:
        """The calibrated answerability, 0 to 1, below which the question is declined without asking this."""
        ...

    def statements(
        self, question: str, result: SearchResult, assessment: Assessment, whole: str | None = None
    ) -> Iterator[Said]:
        """The answer's statements with marks counting from 1, and what the reader must know besides.

        `whole` is the question as asked where `question` is only the topic that its filters leave.
        """
        ...
