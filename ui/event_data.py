"""The values that the page sends with an event.

Anyone can send anything to the server, so each value is checked when it is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from rag.errors import InputError
from rag.records import Scope

_MAX_TEXTS = 1000


def reader_id(token: str | None, request: gr.Request) -> str:
    """Return the reader's id: the name of the login, or the token that only this browser has."""
    if request.username:
        return f"user:{request.username}"
    if not token:
        raise gr.Error(
            "this browser does not store data for this page, so conversations can't be saved; "
            "allow the page to store data and reload it"
        )
    return f"browser:{token}"


@dataclass(frozen=True, slots=True)
class EventValues:
    """The values of an event by name."""

    values: Mapping[str, Any]

    @classmethod
    def from_event(cls, event: gr.EventData) -> EventValues:
        """Read the values of a Gradio event."""
        return cls(dict(event._data or {}))

    def text(self, name: str) -> str:
        """Return a text; "" if it is missing. Raises InputError."""
        value = self.values.get(name, "")
        if not isinstance(value, str):
            raise InputError(f"{name} must be a text")
        # A lone surrogate can be neither embedded nor stored; it becomes "?".
        return value.encode("utf-8", "replace").decode("utf-8")

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts; other values count as none."""
        values = self.values.get(name)
        return (
            tuple(text for text in values if isinstance(text, str))[:_MAX_TEXTS]
            if isinstance(values, list)
            else ()
        )

    def flag(self, name: str) -> bool | None:
        """Return a truth value; None if it is missing or of another type."""
        value = self.values.get(name)
        return value if isinstance(value, bool) else None

    @property
    def number(self) -> int:
        """The number of a turn, from 1. Raises InputError."""
        number = self.values.get("number")
        if not isinstance(number, int) or not 1 <= number <= 1_000_000:
            raise InputError("the turn's number must be 1 or more")
        return number

    @property
    def scope(self) -> Scope:
        """The scope of a question; invalid values restrict nothing."""
        sent = self.values.get("scope")
        fields = EventValues(sent if isinstance(sent, dict) else {})
        return Scope(
            first_year=fields._year("first_year"),
            last_year=fields._year("last_year"),
            sources=fields.texts("sources"),
            organisations=fields.texts("organisations"),
            papers=fields.texts("papers"),
            without=fields.texts("without"),
        )

    def _year(self, name: str) -> int | None:
        value = self.values.get(name)
        return value if isinstance(value, int) else None
