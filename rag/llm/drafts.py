"""Split a stream of text into sentences with their citation numbers.

A sentence is returned as soon as its citation markers are complete. This also works for servers
that support no form: numbers without an excerpt are dropped and counted. A clause with its own
markers ("... by truncation [1] and optimism [2].") is joined with the rest of its sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# A citation marker: [1] or [1, 2].
_MARK = r"\[\s*\d+(?:\s*,\s*\d+)*\s*\]"
# Groups: the text without markers, its markers, and a sentence mark that follows them.
_MARKED = rf"((?:(?!{_MARK}).)*)((?:{_MARK}\s*)+)([.!?。！？]?)\s*"
# A piece is complete when the text after its markers can't be, or begin, another marker.
_PIECE = re.compile(_MARKED + r"(?=[^\s.!?。！？\[]|\[\s*[^\s\d])", re.DOTALL)
_LAST = re.compile(_MARKED + r"$", re.DOTALL)
# A bullet or a number at the start of a list item.
_BULLET = re.compile(r"^(?:[-*•]\s+|\d+[.)]\s+)")
# A sentence mark at the end, possibly inside quotes or brackets.
_ENDED = re.compile(r"[.!?。！？][\"”’')]*$")


@dataclass(frozen=True, slots=True)
class Draft:
    """The text before a group of citation markers, and the excerpts (from 1) that they cite."""

    text: str
    excerpts: tuple[int, ...]


class Drafts:
    """Turns chunks of text into drafts; `dropped` counts the numbers that cite no excerpt."""

    def __init__(self, excerpts: int) -> None:
        self._excerpts = excerpts
        self._held = ""
        self._clause: Draft | None = None
        self.dropped = 0

    def feed(self, chunk: str) -> Iterator[Draft]:
        """Yield the drafts that are complete after this chunk."""
        self._held += chunk
        # Without a bracket there is no marker. Running the expression on every chunk of a long
        # sentence would take quadratic time.
        while "]" in self._held and (match := _PIECE.match(self._held)):
            self._held = self._held[match.end() :]
            yield from self._draft(match)

    def end(self) -> Iterator[Draft]:
        """Yield the last draft, if its markers are complete; `tail` is the remaining text."""
        if match := _LAST.match(self._held):
            self._held = ""
            yield from self._draft(match, ends=True)

    @property
    def tail(self) -> str:
        """The remaining text, without complete markers, after the clause that it continues."""
        clause = self._clause.text if self._clause else ""
        return f"{clause} {self._held.strip()}".strip()

    def _draft(self, match: re.Match[str], *, ends: bool = False) -> Iterator[Draft]:
        text = _BULLET.sub("", " ".join(match[1].split())) + match[3]
        numbers = [int(number) for number in re.findall(r"\d+", match[2])]
        valid = [number for number in numbers if 1 <= number <= self._excerpts]
        self.dropped += len(numbers) - len(valid)
        if self._clause:
            text, valid = f"{self._clause.text} {text}", [*self._clause.excerpts, *valid]
            self._clause = None
        if not _ENDED.search(text):
            # A line break or the end of the answer also ends a sentence.
            if not ends and "\n" not in match[0][len(match[1]) :]:
                self._clause = Draft(text, tuple(valid))
                return
            text += "."
        if text.strip(" .!?。！？"):
            yield Draft(text, tuple(dict.fromkeys(valid)))
