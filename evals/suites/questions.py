"""Suites of questions over papers, answered by the same assistant that users have."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evals import measures
from evals.cases import Names, read_cases, read_keys
from evals.outcomes import Case, Outcome
from evals.suites.suite import Context, Loaded, fingerprint
from rag.assistant import Assistant
from rag.records import Answer, Turn
from rag.records.json_format import citation_row

EXPECTED = Path(__file__).resolve().parents[1] / "expected.json"


def load(
    name: str, context: Context, papers: Sequence[Path], questions: Path, keys: Path | None = None
) -> Loaded:
    """Load a suite of questions over papers. Raises InputError for invalid cases or missing data.

    `papers` are files or folders that are ingested; `keys` is a file that maps keys to titles.
    """
    questions = context.questions or questions
    assistant = context.library(name, papers)
    library = list(assistant.papers())
    names = Names(library, read_keys(keys) if keys else None)
    expected = json.loads(EXPECTED.read_text(encoding="utf-8"))
    cases = read_cases(questions, names, expected)
    texts = {paper.id: paper.text for paper in library}
    evaluator = Evaluator(assistant, texts, context.config.answer.supported)
    # Build the cached synthesizer now: parallel questions would each build their own.
    _ = assistant.synthesizer
    files = sorted(
        file
        for path in papers
        for file in ([path] if path.is_file() else path.iterdir())
        if file.is_file()
    )
    data = fingerprint(questions, *files)
    return Loaded(
        name,
        cases,
        evaluator,
        data,
        len(library),
        assistant.close,
        context.parallel,
        context.check_server,
    )


class Evaluator:
    """Evaluator of one question: asks the assistant, and measures its answer."""

    def __init__(self, assistant: Assistant, texts: dict[str, str], supported: float) -> None:
        self._assistant, self._texts, self._supported = assistant, texts, supported

    def __call__(self, case: Any) -> Outcome:
        """Ask the question, and compute the measures that apply to the case."""
        answer = self._assistant.ask(case.question, [Turn("user", turn) for turn in case.turns])
        ranked = [hit.paper.id for hit in sorted(answer.hits, key=lambda hit: hit.rank)][:10]
        values: dict[str, float | None] = {
            "mark validity": measures.mark_validity(answer.text, answer.citations, self._texts),
            "cited sentences": float(measures.cited_sentences(answer.citations)),
            "answer words": float(len(answer.text.split())),
            "latency ms": answer.usage["total_ms"],
            "answerability": answer.answerability,
            "answerable": float(case.answerable),
        }
        values |= (
            self._answerable(case, answer, ranked) if case.answerable else _unanswerable(answer)
        )
        values |= measures.written(answer, self._supported)
        return Outcome(
            {key: value for key, value in values.items() if value is not None},
            self._seen(case, answer),
        )

    def _answerable(self, case: Case, answer: Answer, ranked: list[str]) -> dict[str, float | None]:
        values: dict[str, float | None] = dict(measures.retrieval(ranked, case.relevant))
        values["declined wrongly"] = float(answer.refusal is not None)
        values["first place"] = float(bool(ranked) and case.relevant.get(ranked[0], 0) >= 1)
        values |= measures.cited_papers(answer.citations, case.relevant)
        if case.type == "metadata":
            right = measures.metadata_right(
                answer.text, answer.citations, case.relevant, case.expected
            )
            values["metadata right"] = float(right)
        statements = " ".join(statement.text for statement in answer.statements)
        values["answer points"] = measures.points_covered(case.points, statements)
        values["evidence recall"] = measures.evidence_recall(
            case.evidence, answer.citations, self._texts
        )
        values["evidence precision"] = measures.evidence_precision(
            case.evidence, answer.citations, self._texts
        )
        left_out = measures.unquoted_points(len(case.points), case.evidence, self._texts)
        values["points without quotes"] = float(left_out)
        return values

    def _seen(self, case: Case, answer: Answer) -> dict[str, Any]:
        titles = {hit.paper.id: hit.paper.title for hit in answer.hits}
        expected = [
            {"title": titles.get(paper) or self._texts[paper].partition("\n")[0], "grade": grade}
            for paper, grade in sorted(case.relevant.items(), key=lambda item: -item[1])
        ]
        return {
            "question": answer.standalone_question,
            "answer": answer.text,
            "made_by": answer.made_by,
            "citations": [citation_row(citation) for citation in answer.citations],
            "expected": {"papers": expected, "points": list(case.points)},
            "found": [hit.paper.title for hit in answer.hits[:10]],
        }


def _unanswerable(answer: Answer) -> dict[str, float | None]:
    return {"answered wrongly": float(answer.refusal is None)}
