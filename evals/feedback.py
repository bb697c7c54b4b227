"""Export users' feedback as a suite: only answers rated good become relevance judgements."""

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
    """Write a suite folder for `rag eval`, or only its questions if `target` ends in .jsonl.

    The papers that a good answer cites get grade 2 (answers directly). A good refusal becomes an
    unanswerable question. All other feedback is listed in apart.jsonl, with the user's comment and
    the reason why it is not a case. Returns the number of cases and the number of rows in
    apart.jsonl. Raises InputError if there is no feedback, or if the target exists.
    """
    papers_by_id = {paper.id: paper for paper in papers}
    judged = list(feedback)
    if not judged:
        raise InputError("there is no feedback yet; rate answers in the chat, below each answer")
    cases: list[dict[str, Any]] = []
    apart: list[dict[str, Any]] = []
    for number, rating in enumerate(judged, start=1):
        reason = _no_case(rating, papers_by_id)
        row = _row(f"feedback-{number}", rating, papers_by_id, reason)
        (apart if reason else cases).append(row)
    _write(target, cases, apart, papers_by_id.values())
    return len(cases), len(apart)


def _no_case(rating: Feedback, papers: Mapping[str, Paper]) -> str | None:
    """Return the reason why the feedback gives no judgement, or None if it gives one."""
    if not rating.good:
        return "not good, and which papers would be right is not known"
    if rating.scoped:
        return "asked within a scope, which a suite cannot represent"
    if any(paper not in papers for paper in rating.papers):
        return "a cited paper is no longer in the library"
    return None


def _row(
    case_id: str, rating: Feedback, papers: Mapping[str, Paper], reason: str | None
) -> dict[str, Any]:
    row: dict[str, Any] = {"id": case_id, "type": "feedback", "question": rating.question}
    row |= {"turns": [*rating.turns, rating.question]} if rating.turns else {}
    cited = [papers[paper].title for paper in rating.papers if paper in papers]
    if reason is None:
        return {**row, "relevant": dict.fromkeys(cited, 2)}
    return {
        **row,
        "why": reason,
        "good": rating.good,
        "word": rating.word,
        "cited": cited,
        "refusal": rating.refusal,
    }


def _write(
    target: Path, cases: list[dict[str, Any]], apart: list[dict[str, Any]], papers: Iterable[Paper]
) -> None:
    if target.is_file() or (target.is_dir() and any(target.iterdir())):
        raise InputError(f"{target} already exists and is not overwritten; give another name")
    if target.suffix == ".jsonl":
        _write_rows(target, cases)
        _write_rows(target.with_suffix(f".{APART}"), apart)
        return
    (target / "papers").mkdir(parents=True)
    _write_rows(target / "papers" / "papers.jsonl", map(_paper, papers))
    _write_rows(target / QUESTIONS, cases)
    _write_rows(target / APART, apart)


def _paper(paper: Paper) -> dict[str, Any]:
    """Return the paper as a row that `rag ingest` reads."""
    ids = {
        f"{external.kind}_id" if external.kind == "arxiv" else external.kind: external.value
        for external in paper.external_ids
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
