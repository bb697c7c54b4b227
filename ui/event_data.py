"""What the page sends with an event: anybody may send anything, so each value is checked when it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from rag.errors import InputError
from rag.records import Scope

_MOST = 1000


def reader(token: str | None, request: gr.Request) -> str:
    """Who asks: the name given at the login, or the secret that only this browser holds."""
    if request.username:
        return f"user:{request.username}"
    if not token:
        raise gr.Error(
            "this browser keeps no data for the page, so conversations can't be kept; allow it and reload"
        )
    return f"browser:{token}"


@dataclass(frozen=True, slots=True)
class Sent:
    """The values of an event by name."""

    values: Mapping[str, Any]

    @classmethod
    def by(cls, event: gr.EventData) -> Sent:
        """What came with an event."""
        return cls(dict(event._data or {}))

    def text(self, name: str) -> str:
        """A text, "" where there is none. Raises InputError."""
        value = self.values.get(name, "")
        if not isinstance(value, str):
            raise InputError(f"{name} must be a text")
        # A lone surrogate can be neither embedded nor kept.
        return value.encode("utf-8", "replace").decode("utf-8")

    def texts(self, name: str) -> tuple[str, ...]:
        """Texts, none where there are none."""
        values = self.values.get(name)
        return (
            tuple(one for one in values if isinstance(one, str))[:_MOST]
            if isinstance(values, list)
            else ()
        )

    def flag(self, name: str) -> bool | None:
        """Yes, no, or neither."""
        value = self.values.get(name)
        return value if isinstance(value, bool) else None

    @property
    def number(self) -> int:
        """The number of a turn. Raises InputError."""
        number = self.values.get("number")
        if not isinstance(number, int) or not 1 <= number <= 1_000_000:
            raise InputError("the turn's number must be 1 or more")
        return number

    @property
    def scope(self) -> Scope:
        """The papers to which a question is restricted."""
        given = self.values.get("scope")
        own = Sent(given if isinstance(given, dict) else {})
        return Scope(
            first_year=own._year("first_year"),
            last_year=own._year("last_year"),
            sources=own.texts("sources"),
            organisations=own.texts("organisations"),
            papers=own.texts("papers"),
            without=own.texts("without"),
        )

    def _year(self, name: str) -> int | None:
        value = self.values.get(name)
        return value if isinstance(value, int) else None
