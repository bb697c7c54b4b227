"""Convert records to plain JSON objects, and read turns and answers back.

Programs depend on the keys of the command line's JSON: keys are tested and may only be added.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from rag.errors import InputError
from rag.records import (
    Answer,
    CatalogFact,
    Citation,
    Evidence,
    Hit,
    LedgerEntry,
    Paper,
    Statement,
    TextSpan,
    Turn,
)
from rag.records.legacy import current_row
from rag.resources import renamed


def paper_row(paper: Paper) -> dict[str, Any]:
    """Return a paper as `rag papers --json` prints it."""
    return {
        "id": paper.id,
        "title": paper.title,
        "printed_date": paper.printed_date,
        "published": str(paper.published) if paper.published else None,
        "year_inferred": bool(paper.published and paper.published.inferred),
        "authors": list(paper.authors),
        "author_count": paper.author_count,
        "organisation": paper.organisation,
        "comments": paper.comments,
        "upvotes": paper.upvotes,
        "pages": list(dict.fromkeys(Path(sighting.source).name for sighting in paper.sightings)),
        "external_ids": {external.kind: external.value for external in paper.external_ids},
        "url": paper.url,
    }


def hit_row(hit: Hit) -> dict[str, Any]:
    """Return a hit as `rag search --json` prints it."""
    return {
        "paper_id": hit.paper.id,
        "title": hit.paper.title,
        "score": round(hit.score, 6),
        "rank": hit.rank,
        "found_by": {found.stage: round(found.score, 6) for found in hit.found_by},
        "passage": {"text": hit.text, "start": hit.passage.start, "end": hit.passage.end},
    }


def answer_row(answer: Answer) -> dict[str, Any]:
    """Return an answer as `rag ask --json` prints it; renamed keys have both names."""
    row: dict[str, Any] = {
        "question": answer.question,
        "standalone_question": answer.standalone_question,
        "text": answer.text,
        "refusal": answer.refusal,
        "answerability": round(answer.answerability, 4),
        "citations": [citation_row(citation) for citation in answer.citations],
        "statements": [statement_row(statement) for statement in answer.statements],
        "hits": [hit_row(hit) for hit in answer.hits],
        "filters": list(answer.filters),
        "applied_filters": [asdict(item) for item in answer.applied_filters],
        "intent": answer.intent,
        "looked_at": answer.looked_at,
        "notices": list(answer.notices),
        "near_misses": [
            {"paper_id": hit.paper.id, "title": hit.paper.title} for hit in answer.near_misses
        ],
        "timings": dict(answer.usage),
        "config": answer.config,
        "made_by": answer.made_by,
        "scope": asdict(answer.scope),
        "excluded": [asdict(paper) for paper in answer.excluded],
    }
    return row | {old: row[new] for old, new in renamed("answer").items()}


def statement_row(statement: Statement) -> dict[str, Any]:
    """Return a sentence of an answer: text, title, citation numbers, and doubts."""
    return {
        "text": statement.text,
        "title": statement.title,
        "marks": [citation.mark for citation in statement.citations],
        "doubts": list(statement.doubts),
    }


def citation_row(citation: Citation) -> dict[str, Any]:
    """Return a citation: number, paper, support and evidence."""
    return {
        "mark": citation.mark,
        "paper_id": citation.paper_id,
        "title": citation.title,
        "support": citation.support,
        "evidence": [_evidence_row(evidence) for evidence in citation.evidence],
    }


def ledger_row(entry: LedgerEntry) -> dict[str, Any]:
    """Return a line of the ledger as JSON."""
    return {
        "source": entry.source,
        "line": entry.line,
        "outcome": str(entry.outcome),
        "paper_id": entry.paper_id,
        "title": entry.title,
        "reason": entry.reason,
    }


def kept_row(answer: Answer) -> dict[str, Any]:
    """Return a complete answer for storage, with its papers; `answer_from` reads it back."""
    row: dict[str, Any] = _kept().dump_python(answer, mode="json")
    return row


def answer_from(row: Any) -> Answer:
    """Read the answer back from `kept_row`; unknown keys are ignored.

    Raises InputError if the row is damaged.
    """
    try:
        if isinstance(row, dict):  # it may be of an earlier version
            row = {renamed("answer").get(key, key): value for key, value in row.items()}
            row = current_row(row)
        return _kept().validate_json(json.dumps(row), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the row"
        raise InputError(f"the saved answer is damaged at {where}: {first['msg']}") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"the saved answer is not valid JSON: {error}") from None


@cache
def _kept() -> TypeAdapter[Answer]:
    return TypeAdapter(Answer)


def turns_from(history: Sequence[Turn | Answer | Mapping[str, Any]]) -> list[Turn]:
    """Convert turns, answers, or objects with role and text to turns. Raises InputError."""
    return [turn for number, given in enumerate(history, start=1) for turn in _turns(given, number)]


def _turns(given: Turn | Answer | Mapping[str, Any], number: int) -> Iterable[Turn]:
    if isinstance(given, Turn):
        return [given]
    if isinstance(given, Answer):
        refused = given.refusal is not None
        return [
            Turn("user", given.question),
            Turn("assistant", given.text, given.citations, refused),
        ]
    if not isinstance(given, Mapping):
        raise InputError(f"history, turn {number}: must be an object with role and text")
    role, text = given.get("role"), given.get("text")
    if role not in ("user", "assistant") or not isinstance(text, str):
        raise InputError(
            f"history, turn {number}: role must be user or assistant, and text must be a string"
        )
    try:
        citations = tuple(_citation(row) for row in given.get("citations") or ())
    except (KeyError, TypeError, ValueError):
        raise InputError(
            f"history, turn {number}: citations must be as `rag ask --json` prints them"
        ) from None
    # A lone surrogate can be neither embedded nor printed.
    clean = text.encode("utf-8", "replace").decode("utf-8")
    refused = bool(given.get("refused") or given.get("refusal"))
    return [Turn("user" if role == "user" else "assistant", clean, citations, refused)]


def read_json(path: Path, what: str) -> Any:
    """Read a user's JSON file; `what` names its role in errors. Raises InputError."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"the {what} {path} can't be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"the {what} {path} is not valid JSON: {error}") from None


def turn_row(turn: Turn) -> dict[str, Any]:
    """Return a turn as `turns_from` reads it."""
    citations = [citation_row(citation) for citation in turn.citations]
    return {"role": turn.role, "text": turn.text, "citations": citations, "refused": turn.refused}


def _citation(row: Mapping[str, Any]) -> Citation:
    evidence = tuple(_evidence(item) for item in row.get("evidence", ()))
    return Citation(
        int(row["mark"]),
        str(row["paper_id"]),
        str(row.get("title", "")),
        evidence,
        row.get("support"),
    )


def _evidence(row: Mapping[str, Any]) -> Evidence:
    if "field" in row:
        return CatalogFact(str(row["field"]), str(row["value"]), str(row["printed"]))
    return TextSpan(int(row["start"]), int(row["end"]), str(row["text"]))


def _evidence_row(evidence: Evidence) -> dict[str, Any]:
    if isinstance(evidence, TextSpan):
        return {"text": evidence.text, "start": evidence.start, "end": evidence.end}
    return {"field": evidence.field, "value": evidence.value, "printed": evidence.printed}
