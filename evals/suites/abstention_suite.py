"""Whether the assistant declines what its papers can't tell.

Type `unanswerable`: the daily-papers questions without an answer. Type `off-corpus`: the unanswerable questions of
QASA (Lee et al. 2023), which are about other papers altogether; reported apart, never pooled with the first or gated.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from evals.outcomes import Case, Outcome
from evals.suites import daily_questions
from evals.suites.suite import Context, Item, Loaded, fingerprint


def load(context: Context) -> Loaded:
    """Ready to run. Raises InputError where the data is not here."""
    path = context.needed("abstention", "qasa_unanswerable", "questions.jsonl")
    pages = daily_questions.load(context)
    own = [case for case in pages.cases if case.type == "unanswerable"]
    rows = [
        json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()
    ]
    foreign = [
        Case(f"qasa-{number}", "off-corpus", _question(row))
        for number, row in enumerate(rows, start=1)
    ]

    def evaluate(case: Item) -> Outcome:
        outcome = pages.evaluate(case)
        kept = {
            key: outcome.values[key]
            for key in ("answered wrongly", "answerability")
            if key in outcome.values
        }
        return Outcome(kept, outcome.seen)

    return replace(
        pages,
        name="abstention",
        cases=[*own, *foreign],
        evaluate=evaluate,
        data=pages.data + fingerprint(path),
    )


def _question(row: dict[str, Any]) -> str:
    return str(row["question"])
