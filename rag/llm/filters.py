"""Turn the stream of a server into plain text: remove the thinking, and unpack JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Protocol

from pydantic_core import from_json

from rag.llm.forms import Form

_OPEN, _CLOSE = "<think>", "</think>"


class Filter(Protocol):
    """Transforms a text that arrives in pieces."""

    def feed(self, piece: str) -> Iterator[str]:
        """Yield the output that is certain after this piece."""
        ...

    def end(self) -> Iterator[str]:
        """Yield the remaining output at the end of the text."""
        ...


class Thinking:
    """Removes the thinking between <think> and </think> before a model's answer."""

    def __init__(self) -> None:
        self._held = ""
        self._answering = False

    def feed(self, piece: str) -> Iterator[str]:
        """Yield the text outside the tags."""
        if self._answering:
            yield piece
            return
        self._held += piece
        text = self._held.lstrip()
        if text.startswith(_OPEN):
            # White space follows the closing tag, possibly in a later piece. The answer begins
            # after it.
            if answer := text.partition(_CLOSE)[2].lstrip():
                yield from self._answer(answer)
        elif not _OPEN.startswith(text):
            yield from self._answer(self._held)

    def end(self) -> Iterator[str]:
        """Yield text that only looked like the start of a tag; drop unfinished thinking."""
        if not self._answering and not self._held.lstrip().startswith(_OPEN):
            yield from self._answer(self._held)

    def _answer(self, text: str) -> Iterator[str]:
        self._answering, self._held = True, ""
        if text:
            yield text


class FromJson:
    """Turns streamed JSON into plain text; a part is output as soon as the next one begins.

    Of truncated JSON only the complete parts are output. Text that is not JSON is output unchanged
    at the end.
    """

    def __init__(self, form: Form) -> None:
        self._form = form
        self._held = ""
        self._yielded = 0

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
        """Check whether the text so far is a JSON object, possibly truncated."""
        try:
            return isinstance(from_json(self._held, allow_partial=True), dict)
        except ValueError:
            return False

    def _new(self, parts: Sequence[str]) -> Iterator[str]:
        for part in parts[self._yielded :]:
            yield (self._form.separator if self._yielded else "") + part
            self._yielded += 1

    def _parts(self, *, partial: bool) -> Sequence[str]:
        if self._form.parts is None:
            return ()
        try:
            # A string that is not closed yet counts as a part; the part before it is complete.
            return self._form.parts(
                from_json(self._held, allow_partial="trailing-strings" if partial else False)
            )
        except ValueError:
            return ()


def through(filters: Sequence[Filter], pieces: Iterator[str]) -> Iterator[str]:
    """Pass pieces through all filters, in order."""
    for step in filters:
        pieces = chain.from_iterable(map(step.feed, pieces))
    return pieces


def rest(filters: Sequence[Filter]) -> Iterator[str]:
    """Yield the text that the filters still hold, each passed through the later filters."""
    for number, step in enumerate(filters, start=1):
        yield from through(filters[number:], step.end())
