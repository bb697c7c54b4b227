"""Citation numbers that continue through a conversation.

Evidence that was cited before keeps its number, so "[3]" means the same in every turn.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import count

from rag.records import Citation, Evidence, Statement, Turn


class Numbering:
    """Numbers the citations of an answer, continuing the numbers of the earlier turns."""

    def __init__(self, history: Iterable[Turn]) -> None:
        earlier = [citation for turn in history for citation in turn.citations]
        self._numbers = {_evidence(citation): citation.mark for citation in earlier}
        self._unused = count(max((citation.mark for citation in earlier), default=0) + 1)

    def numbered(self, statement: Statement) -> Statement:
        """Return the statement with the conversation's citation numbers.

        The same evidence has the same number in all statements.
        """
        return replace(
            statement,
            citations=tuple(
                replace(citation, mark=self._number(citation)) for citation in statement.citations
            ),
        )

    def _number(self, citation: Citation) -> int:
        evidence = _evidence(citation)
        if evidence not in self._numbers:
            self._numbers[evidence] = next(self._unused)
        return self._numbers[evidence]


def _evidence(citation: Citation) -> tuple[str, tuple[Evidence, ...]]:
    return citation.paper_id, citation.evidence
