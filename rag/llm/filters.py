"""What a server streams becomes plain text: thinking is taken out, and JSON is turned into what it stands for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Protocol

from pydantic_core import from_json

from rag.llm.forms import Form

_OPEN, _CLOSE = "<think>", "</think>"


class Filter(Protocol):
    """Takes pieces of a text and gives pieces of another one."""

    def feed(self, piece: str) -> Iterator[str]:
        """Yield what is certain with this piece."""
        ...

    def end(self) -> Iterator[str]:
        """Yield what is left at the end of the text."""
        ...


class Thinking:
    """Takes out what a model writes to itself before its answer, between <think> and </think>."""

    def __init__(self) -> None:
        self._held = ""
        self._answering = False

    def feed(self, piece: str) -> Iterator[str]:
        """Yield the text outside the tags."""
        if self._answering:
            yield piece
            return
        self._held += piece
        begun = self._held.lstrip()
        if begun.startswith(_OPEN):
            # The answer begins after the space that follows the tag, which may come in a later piece.
            if answer := begun.partition(_CLOSE)[2].lstrip():
                yield from self._answer(answer)
        elif not _OPEN.startswith(begun):
            yield from self._answer(self._held)

    def end(self) -> Iterator[str]:
        """Yield what began like a tag and was none; unfinished thinking is no text."""
        if not self._answering and not self._held.lstrip().startswith(_OPEN):
            yield from self._answer(self._held)

    def _answer(self, text: str) -> Iterator[str]:
        self._answering, self._held = True, ""
        if text:
            yield text


class FromJson:
    """Turns JSON, as it streams in, into plain text; a part is out as soon as the next one has begun.

    JSON that breaks off gives the parts that are complete. What is no JSON passes through as it is, at the end.
    """

    def __init__(self, form: Form) -> None:
        self._form = form
        self._held = ""
        self._out = 0

    def feed(self, piece: str) -> Iterator[str]:
        """Yield the parts that are complete."""
        self._held += piece
        yield from self._new(self._parts(partial=True)[:-1])

    def end(self) -> Iterator[str]:
        """Yield the last part, if it is complete."""
        parts = self._parts(partial=False) or self._parts(partial=True)[:-1]
        if parts or self._is_json():
            yield from self._new(parts)
        elif self._held:
            yield self._held

    def _is_json(self) -> bool:
        """Whether what has come is JSON that may have been cut."""
        try:
            return isinstance(from_json(self._held, allow_partial=True), dict)
        except ValueError:
            return False

    def _new(self, parts: Sequence[str]) -> Iterator[str]:
        for part in parts[self._out :]:
            yield (self._form.joint if self._out else "") + part
            self._out += 1

    def _parts(self, *, partial: bool) -> Sequence[str]:
        if self._form.parts is None:
            return ()
        try:
            # A string that has begun is a part that has begun, and lets the one before it out.
            return self._form.parts(
                from_json(self._held, allow_partial="trailing-strings" if partial else False)
            )
        except ValueError:
            return ()


def through(filters: Sequence[Filter], pieces: Iterator[str]) -> Iterator[str]:
    """Pass one batch of pieces through all filters, in their order."""
    for one in filters:
        pieces = chain.from_iterable(map(one.feed, pieces))
    return pieces


def rest(filters: Sequence[Filter]) -> Iterator[str]:
    """Yield what the filters still hold; what an earlier one lets go of passes through the later ones."""
    for number, one in enumerate(filters):
        yield from through(filters[number + 1 :], one.end())
