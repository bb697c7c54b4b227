"""A stream of text becomes sentences with their marks; a sentence is out once its marks have closed.

It holds for servers without a grammar too: marks that don't resolve are dropped and counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_MARK = r"\[\s*\d+(?:\s*,\s*\d+)*\s*\]"
_MARKED = rf"((?:(?!{_MARK}).)*)((?:{_MARK}\s*)+)([.!?。]?)\s*"
# A sentence is certain to be finished when what follows its marks can't be one more of them.
_SENTENCE = re.compile(_MARKED + r"(?=[^\s.!?。\[]|\[\s*[^\s\d])", re.DOTALL)
_LAST = re.compile(_MARKED + r"$", re.DOTALL)
_BULLET = re.compile(r"^(?:[-*•]\s+|\d+[.)]\s+)")


@dataclass(frozen=True, slots=True)
class Draft:
    """A finished sentence as the model wrote it, and the passages (from 1) that its marks name."""

    text: str
    passages: tuple[int, ...]


class Drafts:
    """Takes chunks, gives sentences; `dropped` counts the marks that named none of the passages."""

    def __init__(self, passages: int) -> None:
        self._passages = passages
        self._held = ""
        self.dropped = 0

    def feed(self, chunk: str) -> Iterator[Draft]:
        """The sentences that are certain to be finished with this chunk."""
        self._held += chunk
        # Without a mark there is nothing to find, and looking again at each chunk of a long sentence would add up.
        while "]" in self._held and (match := _SENTENCE.match(self._held)):
            self._held = self._held[match.end() :]
            yield from self._draft(match)

    def end(self) -> Iterator[Draft]:
        """The last sentence, if its marks have closed; `tail` is what is left."""
        if match := _LAST.match(self._held):
            self._held = ""
            yield from self._draft(match)

    @property
    def tail(self) -> str:
        """Text whose marks have not closed."""
        return self._held.strip()

    def _draft(self, match: re.Match[str]) -> Iterator[Draft]:
        text = _BULLET.sub("", " ".join(match[1].split())) + match[3]
        named = [int(number) for number in re.findall(r"\d+", match[2])]
        valid = tuple(dict.fromkeys(number for number in named if 1 <= number <= self._passages))
        self.dropped += sum(not 1 <= number <= self._passages for number in named)
        if text.strip(" .!?。"):
            yield Draft(text, valid)
