"""Fit the two logistic models of rag/answer/relevance.py and write a calibration.

    python -m evals.fit --set HOME QUESTIONS PAPERS --answerability HOME QUESTIONS "" --out FILE

Both --set and --answerability may be repeated. By default --out is the shipped calibration.
Each --set names a library (HOME), questions over its papers in the format of docs/evaluation.md,
and the file that maps the keys of papers to titles, or "". Both models, relevance and
answerability, are fitted on it. Metadata questions are left out, and the questions of
evals/off_topic.txt, which no paper answers, are added.

Each --answerability names a set in the same way. Only the answerability model is fitted on it, and
no off-topic questions are added. Use it for the questions of evals/answerability/: many of them are
near misses, and their relevance judgements are not complete.

The file states its data, its seed and its cross-validated figures. To use it, name it in the
setting answer.calibration.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.cases import Names, read_cases, read_keys
from evals.outcomes import Case
from rag.answer.relevance import (
    ABSTENTION_FEATURES,
    RELEVANCE_FEATURES,
    abstention_features,
    read_question,
    relevance_features,
)
from rag.assistant import Assistant
from rag.errors import InputError, RagError
from rag.query.metadata.parse import parse
from rag.resources import shipped
from rag.search import search

SEED = 0
# The folder of questions for the answerability model alone: one file per suite.
ANSWERABILITY = Path(__file__).with_name("answerability")
OFF_TOPIC = "off-topic"
_FOLDS = 5
_HITS = 30  # hits per question that the relevance model is fitted on


@dataclass(frozen=True, slots=True)
class Sample:
    """Features (n, d), labels (n,) and the question each row belongs to (n,)."""

    features: NDArray[np.float64]
    labels: NDArray[np.bool_]
    groups: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Observed:
    """The features of one question for the two models, and the labels that they should predict.

    `hits` are the `RELEVANCE_FEATURES` of its hits, shape (n, 4). `relevant` says which of the hits
    have grade 1 or more, shape (n,). `search` are the `ABSTENTION_FEATURES` of the whole search,
    shape (1, 6). `answerable` says whether the question has relevant papers.
    """

    id: str
    type: str
    hits: NDArray[np.float64]
    relevant: NDArray[np.bool_]
    search: NDArray[np.float64]
    answerable: bool


def main(arguments: Sequence[str]) -> None:
    """Fit both models, and write the calibration."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    three: dict[str, Any] = {
        "nargs": 3,
        "action": "append",
        "metavar": ("HOME", "QUESTIONS", "PAPERS"),
    }
    parser.add_argument("--set", required=True, **three)
    parser.add_argument("--answerability", default=[], **three)
    parser.add_argument(
        "--out", type=Path, default=shipped("sample.jsonl").with_name("calibration.json")
    )
    options = parser.parse_args(arguments)
    observed: list[Observed] = []
    sets = [(observe, *arguments) for arguments in options.set] + [
        (observe_answerability, *arguments) for arguments in options.answerability
    ]
    for observe_set, home, file, papers in sets:
        with Assistant.open(home=home, quotes=True) as assistant:
            names = Names(assistant.papers(), read_keys(Path(papers)) if papers else None)
            observed += observe_set(assistant, read_cases(Path(file), names))
    files = [Path(file) for _, _, file, _ in sets]
    questions = {path.name: sha256(path.read_bytes()).hexdigest()[:16] for path in files}
    write(options.out, calibrate(observed, questions))
    sys.stdout.write(options.out.read_text(encoding="utf-8"))


def observe(assistant: Assistant, cases: Sequence[Case]) -> list[Observed]:
    """Compute the features of the cases and of the off-topic questions.

    Metadata questions are left out.
    """
    # The labelled questions contain none that are clearly off-topic. Without such questions the
    # answerability model would not learn to decline them.
    lines = Path(__file__).with_name("off_topic.txt").read_text(encoding="utf-8").splitlines()
    off_topic = [Case(f"off-{number}", OFF_TOPIC, line) for number, line in enumerate(lines)]
    return [_observe(assistant, case) for case in [*cases, *off_topic] if not parse(case.question)]


def observe_answerability(assistant: Assistant, cases: Iterable[Case]) -> list[Observed]:
    """Compute the features of the cases for the answerability model alone, without any hits."""
    observed = (_observe(assistant, case) for case in cases if not parse(case.question))
    return [
        replace(question, hits=question.hits[:0], relevant=question.relevant[:0])
        for question in observed
    ]


def _observe(assistant: Assistant, case: Case) -> Observed:
    question = " ".join([*case.turns, case.question])
    result = search(assistant.library, assistant.embedder, question, assistant.config.search, _HITS)
    parsed = read_question(assistant.library, question)
    relevant = np.array([hit.paper.id in case.relevant for hit in result.hits], dtype=bool)
    return Observed(
        case.id,
        case.type,
        relevance_features(result, parsed),
        relevant,
        abstention_features(result, parsed),
        case.answerable,
    )


def calibrate(observed: Sequence[Observed], questions: Mapping[str, str]) -> dict[str, Any]:
    """Fit a calibration on these questions; `questions` maps their files to fingerprints."""
    numbers = np.arange(len(observed))
    # Relevance has one row per hit, answerability one row per question.
    by_hit = Sample(
        np.concatenate([question.hits for question in observed]),
        np.concatenate([question.relevant for question in observed]),
        np.repeat(numbers, [len(question.hits) for question in observed]),
    )
    by_question = Sample(
        np.concatenate([question.search for question in observed]),
        np.array([question.answerable for question in observed]),
        numbers,
    )
    off_topic = {question.id for question in observed if question.type == OFF_TOPIC}
    return {
        "data": {"questions": dict(questions), "off_topic": len(off_topic), "seed": SEED},
        "relevance": {"features": RELEVANCE_FEATURES, **fit(by_hit)},
        "answerability": {"features": ABSTENTION_FEATURES, **fit(by_question)},
    }


def write(path: Path, calibration: Mapping[str, Any]) -> None:
    """Write a calibration as JSON. Raises InputError if the file can't be written."""
    try:
        path.write_text(json.dumps(calibration, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write the calibration {path}: {error.strerror}") from None


def fit(sample: Sample) -> dict[str, Any]:
    """Fit a logistic model; return weights, bias, and the AUROC of a grouped cross-validation.

    All rows of a question are in the same fold.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import GroupKFold, cross_val_predict

    model = LogisticRegression(C=100.0, max_iter=5000)
    folds = GroupKFold(_FOLDS, shuffle=True, random_state=SEED)
    held_out = cross_val_predict(
        model,
        sample.features,
        sample.labels,
        groups=sample.groups,
        cv=folds,
        method="predict_proba",
    )[:, 1]
    model.fit(sample.features, sample.labels)
    return {
        "weights": [round(float(weight), 4) for weight in model.coef_[0]],
        "bias": round(float(model.intercept_[0]), 4),
        "rows": len(sample.labels),
        "positive": int(sample.labels.sum()),
        "auroc_cross_validated": round(float(roc_auc_score(sample.labels, held_out)), 4),
    }


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except RagError as error:
        sys.exit(f"evals.fit: {error}")
