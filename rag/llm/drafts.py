"""A stream of text becomes sentences with the numbers behind them; a sentence is out once these are complete.

It holds for servers that are bound by no form too: numbers that name no excerpt are dropped and counted, and a clause
with numbers of its own ("... by truncation [1] and optimism [2].") is joined to the sentence that it belongs to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_MARK = r"\[\s*\d+(?:\s*,\s*\d+)*\s*\]"
_MARKED = rf"((?:(?!{_MARK}).)*)((?:{_MARK}\s*)+)([.!?。！？]?)\s*"
# A piece is certain to be finished when what follows its marks can't be one more of them.
_PIECE = re.compile(_MARKED + r"(?=[^\s.!?。！？\[]|\[\s*[^\s\d])", re.DOTALL)
_LAST = re.compile(_MARKED + r"$", re.DOTALL)
_BULLET = re.compile(r"^(?:[-*•]\s+|\d+[.)]\s+)")
_ENDED = re.compile(r"[.!?。！？][\"”’')]*$")


@dataclass(frozen=True, slots=True)
class Draft:
    """What the model wrote before a row of marks, and the excerpts (counted from 1) that the marks name."""

    text: str
    excerpts: tuple[int, ...]


class Drafts:
    """Takes chunks, gives drafts; `dropped` counts the marks that named none of the excerpts."""

    def __init__(self, excerpts: int) -> None:
        self._excerpts = excerpts
        self._held = ""
        self._clause: Draft | None = None
        self.dropped = 0

    def feed(self, chunk: str) -> Iterator[Draft]:
        """Yield the drafts that are certain to be finished with this chunk."""
        self._held += chunk
        # Without a mark there is nothing to find, and looking again at each chunk of a long sentence would add up.
        while "]" in self._held and (match := _PIECE.match(self._held)):
            self._held = self._held[match.end() :]
            yield from self._draft(match)

    def end(self) -> Iterator[Draft]:
        """Yield the last draft, if its marks have closed; `tail` is what is left."""
        if match := _LAST.match(self._held):
            self._held = ""
            yield from self._draft(match, ends=True)

    @property
    def tail(self) -> str:
        """Text whose marks have not closed, or that has none; with the clause before it, if there is one."""
        clause = self._clause.text if self._clause else ""
        return f"{clause} {self._held.strip()}".strip()

    def _draft(self, match: re.Match[str], *, ends: bool = False) -> Iterator[Draft]:
        text = _BULLET.sub("", " ".join(match[1].split())) + match[3]
        named = [int(number) for number in re.findall(r"\d+", match[2])]
        valid = [number for number in named if 1 <= number <= self._excerpts]
        self.dropped += len(named) - len(valid)
        if self._clause:
            text, valid = f"{self._clause.text} {text}", [*self._clause.excerpts, *valid]
            self._clause = None
        if not _ENDED.search(text):
            # A line's end, or the answer's, ends a sentence as well.
            if not ends and "\n" not in match[0][len(match[1]) :]:
                self._clause = Draft(text, tuple(valid))
                return
            text += "."
        if text.strip(" .!?。！？"):
            yield Draft(text, tuple(dict.fromkeys(valid)))
