"""Suite scifact: the retrieval task of SciFact as in BEIR, 300 test claims over 5,183 abstracts.

See Wadden et al. (2020) and Thakur et al. (2021). Do not tune on these claims; use the training
claims.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evals import measures
from evals.outcomes import Case, Outcome
from evals.suites.suite import Context, Loaded, fingerprint
from rag.assistant import Assistant
from rag.records import paper_id

_DEPTH = 100


def load(context: Context) -> Loaded:
    """Load the suite. Raises InputError if its data is missing."""
    folder = context.needed("scifact", "scifact")
    corpus = _rows(folder / "corpus.jsonl")
    papers = _as_papers(corpus, context.config.folder / "evals")
    assistant = context.library("scifact", [papers])
    # In a library, abstracts with the same title are the same paper.
    names = {row["id"]: paper_id(row["title"]) for row in corpus}
    cases = _cases(folder, names)
    data = fingerprint(folder / "corpus.jsonl", folder / "queries.jsonl", folder / "qrels.tsv")
    return Loaded(
        "scifact", cases, _evaluator(assistant), data, assistant.status().papers, assistant.close
    )


def _evaluator(assistant: Assistant) -> Any:
    def evaluate(case: Case) -> Outcome:
        hits = assistant.search(case.question, _DEPTH)
        ranked = [hit.paper.id for hit in hits]
        values = measures.retrieval(ranked, case.relevant, deep=True)
        return Outcome(
            values, {"question": case.question, "found": [hit.paper.title for hit in hits[:10]]}
        )

    return evaluate


def _cases(folder: Path, names: Mapping[str, str]) -> list[Case]:
    judged: dict[str, dict[str, int]] = {}
    with (folder / "qrels.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            # BEIR has only one grade, 1.
            judged.setdefault(row["query-id"], {})[names[row["corpus-id"]]] = 1
    queries = _rows(folder / "queries.jsonl")
    return [
        Case(row["id"], "claim", row["text"], relevant=judged[row["id"]])
        for row in queries
        if row["id"] in judged
    ]


def _as_papers(corpus: list[dict[str, Any]], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "scifact.jsonl"
    rows = (
        json.dumps({"title": row["title"], "abstract": row["text"]}, ensure_ascii=False)
        for row in corpus
    )
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def _rows(path: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()
    ]
