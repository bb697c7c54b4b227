"""Marks count on through a conversation: what was cited before keeps its number, so that "[3]" means one thing only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import count

from rag.records import Citation, Evidence, Statement, Turn


class Numbering:
    """Numbers the marks of one answer after those of the turns before it."""

    def __init__(self, history: Iterable[Turn]) -> None:
        cited = [one for turn in history for one in turn.citations]
        self._known = {_evidence(one): one.mark for one in cited}
        self._free = count(max((one.mark for one in cited), default=0) + 1)

    def numbered(self, statement: Statement) -> Statement:
        """The statement with the conversation's marks; the same evidence has the same one in all statements."""
        return replace(
            statement,
            citations=tuple(replace(one, mark=self._mark(one)) for one in statement.citations),
        )

    def _mark(self, citation: Citation) -> int:
        evidence = _evidence(citation)
        if evidence not in self._known:
            self._known[evidence] = next(self._free)
        return self._known[evidence]


def _evidence(citation: Citation) -> tuple[str, tuple[Evidence, ...]]:
    return citation.paper_id, citation.evidence
