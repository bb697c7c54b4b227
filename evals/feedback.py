"""Readers' feedback as a suite of one's own: what they called good becomes judgements, and nothing else does."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rag.conversations.journal import Feedback
from rag.errors import InputError
from rag.records import Paper

QUESTIONS, APART = "questions.jsonl", "apart.jsonl"


def write_suite(
    papers: Iterable[Paper], feedback: Iterable[Feedback], target: Path
) -> tuple[int, int]:
    """Write a folder that `rag eval` runs, or where `target` ends in .jsonl its questions only.

    A good answer's cited papers are judged as answering directly; a good refusal says that the papers don't tell. All
    other feedback is listed in apart.jsonl, with its word and why it is no case. Returns how many are cases and how
    many are apart. Raises InputError where there is no feedback, or the target exists.
    """
    titles = {paper.id: paper for paper in papers}
    given = list(feedback)
    if not given:
        raise InputError("there is no feedback yet; it is given in the chat, below an answer")
    cases: list[dict[str, Any]] = []
    apart: list[dict[str, Any]] = []
    for number, one in enumerate(given, start=1):
        reason = _no_case(one, titles)
        (apart if reason else cases).append(_row(f"feedback-{number}", one, titles, reason))
    _write(target, cases, apart, titles.values())
    return len(cases), len(apart)


def _no_case(one: Feedback, papers: Mapping[str, Paper]) -> str | None:
    """Why the feedback gives no judgement, or None where it does."""
    if not one.good:
        return "not good, and which papers would be right is not known"
    if one.scoped:
        return "asked within a scope, which a suite does not know"
    if any(paper not in papers for paper in one.papers):
        return "a cited paper is no longer in the library"
    return None


def _row(
    identity: str, one: Feedback, papers: Mapping[str, Paper], reason: str | None
) -> dict[str, Any]:
    row: dict[str, Any] = {"id": identity, "type": "feedback", "question": one.question}
    row |= {"turns": [*one.turns, one.question]} if one.turns else {}
    cited = [papers[paper].title for paper in one.papers if paper in papers]
    if reason is None:
        return {**row, "relevant": dict.fromkeys(cited, 2)}
    return {
        **row,
        "why": reason,
        "good": one.good,
        "word": one.word,
        "cited": cited,
        "refusal": one.refusal,
    }


def _write(
    target: Path, cases: list[dict[str, Any]], apart: list[dict[str, Any]], papers: Iterable[Paper]
) -> None:
    if target.is_file() or (target.is_dir() and any(target.iterdir())):
        raise InputError(f"{target} is there already and is not written over; give another name")
    if target.suffix == ".jsonl":
        _write_rows(target, cases)
        _write_rows(target.with_suffix(f".{APART}"), apart)
        return
    (target / "papers").mkdir(parents=True)
    _write_rows(target / "papers" / "papers.jsonl", map(_paper, papers))
    _write_rows(target / QUESTIONS, cases)
    _write_rows(target / APART, apart)


def _paper(paper: Paper) -> dict[str, Any]:
    """The paper as `rag ingest` reads it."""
    ids = {
        f"{one.kind}_id" if one.kind == "arxiv" else one.kind: one.value
        for one in paper.external_ids
    }
    row = {
        "title": paper.title,
        "abstract": paper.abstract,
        "authors": list(paper.authors),
        "author_count": paper.author_count,
        "organisation": paper.organisation,
        "published": str(paper.published) if paper.published else None,
        "url": paper.url,
        "categories": list(paper.categories),
        "comments": paper.comments,
        "upvotes": paper.upvotes,
        **ids,
    }
    return {key: value for key, value in row.items() if value not in (None, "", [])}


def _write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    path.write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
    )
