"""Read questions.jsonl, one case per line, and check every case.

Keys of a line:
- `id`, `type`, `question`
- `turns`: the user's turns in order; the last turn is the question
- `relevant`: {paper: grade}
- `answer_points`: texts
- `evidence`: [{key, quote, point}] or [{key, field, value, point}]
- `expected`: [[spelling, ...], ...]

A paper is named by its id, by its title, or by a key that the suite's papers.jsonl maps to a title.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from evals.outcomes import Case, Gold
from rag.errors import InputError
from rag.records import Paper, normalise_title


class Names:
    """Index of papers by id, title or key."""

    def __init__(self, papers: Iterable[Paper], keys: Mapping[str, str] | None = None) -> None:
        self._ids = {}
        for paper in papers:
            self._ids[paper.id] = paper.id
            self._ids[normalise_title(paper.title)] = paper.id
        self._titles = keys or {}

    def find(self, name: str) -> str:
        """Return the id of the paper with this id, title or key. Raises KeyError."""
        title = self._titles.get(name, name)
        return self._ids.get(title) or self._ids[normalise_title(title)]


def read_keys(path: Path) -> dict[str, str]:
    """Read a papers.jsonl; return a map from key to title."""
    return {row["key"]: row["title"] for _, row in _objects(path)}


def read_cases(path: Path, names: Names, expected: Mapping[str, Any] | None = None) -> list[Case]:
    """Read all cases of a file. Raises InputError with the line number of the first error.

    `expected` maps case ids to accepted spellings. It is used where a line has none of its own.
    """
    cases: dict[str, Case] = {}
    for number, row in _objects(path):
        try:
            case = _case(row, names, expected or {})
        except KeyError as error:
            raise InputError(
                f"{path}, line {number}: {error.args[0]!r} is missing or is not a paper here"
            ) from None
        except (TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{path}, line {number}: {error}") from None
        if case.id in cases:
            raise InputError(
                f"{path}, line {number}: the id {case.id!r} occurs twice; ids must be unique"
            )
        cases[case.id] = case
    if not cases:
        raise InputError(f"{path} contains no questions")
    return list(cases.values())


def _objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"cannot read {path}: {getattr(error, 'strerror', None) or error}"
        ) from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, parse_constant=_no_constant)
        except ValueError as error:
            raise InputError(f"{path}, line {number}: {error}") from None
        if not isinstance(row, dict):
            raise InputError(f"{path}, line {number}: a line must be one JSON object")
        yield number, row


def _no_constant(name: str) -> float:
    # json.loads accepts NaN and Infinity, which are not JSON.
    raise ValueError(f"{name} is not a JSON number")


def _case(row: Mapping[str, Any], names: Names, expected: Mapping[str, Any]) -> Case:
    question = row["question"]
    if not isinstance(question, str) or not question.strip():
        raise ValueError("'question' must be a non-empty text")
    turns = row.get("turns") or [question]
    if turns[-1] != question:
        raise ValueError("the last of 'turns' must be the question")
    points = tuple(row.get("answer_points") or ())
    return Case(
        id=str(row["id"]),
        type=str(row.get("type", "question")),
        question=question,
        turns=tuple(turns[:-1]),
        relevant={
            names.find(name): _grade(grade) for name, grade in (row.get("relevant") or {}).items()
        },
        points=points,
        evidence=tuple(_gold(piece, names, len(points)) for piece in row.get("evidence") or ()),
        expected=tuple(
            tuple(spellings)
            for spellings in row.get("expected") or expected.get(str(row["id"]), ())
        ),
    )


def _grade(grade: object) -> int:
    if grade not in (1, 2):
        raise ValueError(f"a grade must be 1 (related) or 2 (answers directly), not {grade!r}")
    return int(str(grade))


def _gold(piece: Mapping[str, Any], names: Names, points: int) -> Gold:
    point = piece["point"]
    if not isinstance(point, int) or not 0 <= point < points:
        raise ValueError(f"evidence is for point {point!r}, but there are {points} answer points")
    if ("quote" in piece) == ("field" in piece):
        raise ValueError("evidence needs either a quote or a field with its value")
    value = str(piece["value"]) if "field" in piece else None
    return Gold(names.find(piece["key"]), point, piece.get("quote"), piece.get("field"), value)
