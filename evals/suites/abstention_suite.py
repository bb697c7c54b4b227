"""Suite abstention: whether the assistant declines the questions that its papers do not answer.

Type `unanswerable`: the questions of daily-papers that have no answer. Type `off-corpus`: the
unanswerable questions of QASA (Lee et al. 2023), which are about other papers. They are reported
separately, never pooled with the first type, and have no gate.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from evals.outcomes import Case, Outcome
from evals.suites import daily_questions
from evals.suites.suite import Context, Item, Loaded, fingerprint


def load(context: Context) -> Loaded:
    """Load the suite. Raises InputError if its data is missing."""
    path = context.needed("abstention", "qasa_unanswerable", "questions.jsonl")
    daily_papers = daily_questions.load(context)
    own = [case for case in daily_papers.cases if case.type == "unanswerable"]
    rows = [
        json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()
    ]
    foreign = [
        Case(f"qasa-{number}", "off-corpus", _question(row))
        for number, row in enumerate(rows, start=1)
    ]

    def evaluate(case: Item) -> Outcome:
        outcome = daily_papers.evaluate(case)
        kept = {
            key: outcome.values[key]
            for key in ("answered wrongly", "answerability")
            if key in outcome.values
        }
        return Outcome(kept, outcome.seen)

    return replace(
        daily_papers,
        name="abstention",
        cases=[*own, *foreign],
        evaluate=evaluate,
        data=daily_papers.data + fingerprint(path),
    )


def _question(row: dict[str, Any]) -> str:
    return str(row["question"])
