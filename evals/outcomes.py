"""Records of the evaluation: cases, rows and outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Gold:
    """A piece of evidence from an annotator: a quote of a paper's text, or a field of the catalog.

    `point` is the index of the answer point that it supports.
    """

    paper_id: str
    point: int
    quote: str | None = None
    field: str | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One question with its relevance judgements.

    `relevant` maps paper ids to grades: 2 answers directly, 1 is related. `turns` are the user's
    earlier turns. `expected` lists what a right answer must contain, each item as its accepted
    spellings.
    """

    id: str
    type: str
    question: str
    turns: tuple[str, ...] = ()
    relevant: Mapping[str, int] = field(default_factory=dict)
    points: tuple[str, ...] = ()
    evidence: tuple[Gold, ...] = ()
    expected: tuple[tuple[str, ...], ...] = ()

    @property
    def answerable(self) -> bool:
        """Whether the papers answer the question, at least in part."""
        return bool(self.relevant)


@dataclass(frozen=True, slots=True)
class Row:
    """One measure of one case. If the case failed, `value` is None and `error` says why."""

    suite: str
    case: str
    type: str
    measure: str
    value: float | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one case: its measures, and `seen`, the texts that explain them to a person."""

    values: Mapping[str, float]
    seen: Mapping[str, Any] = field(default_factory=dict)
