"""Fit the two logistic models of rag/answer/relevance.py and write a calibration, by default the shipped one.

    python -m evals.fit --set HOME QUESTIONS PAPERS --set HOME QUESTIONS "" --answerability HOME QUESTIONS "" --out FILE

A set is a library, questions in the format of docs/evaluation.md over its papers, and the file that explains their
keys, or "". Questions for the catalog are left out; evals/off_topic.txt adds some that no paper answers to every set.
Of a set after --answerability, only the model of what the papers tell learns: evals/answerability/ has such questions, many of
them near misses, whose relevance judgements are not complete.
The file it writes names its data, its seed and its cross-validated figures; the setting answer.calibration uses it.
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
from rag.query import understand
from rag.resources import shipped
from rag.search import search

SEED = 0
ANSWERABILITY = Path(__file__).with_name(
    "answerability"
)  # questions for the model of what the papers tell, by suite
OFF_TOPIC = "off-topic"
_FOLDS = 5
_HITS = 30  # hits a question that the relevance model learns from


@dataclass(frozen=True, slots=True)
class Sample:
    """Features (n, d), labels (n,) and the question each row belongs to (n,)."""

    features: NDArray[np.float64]
    labels: NDArray[np.bool_]
    groups: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Observed:
    """What the models see of one question, and what they should say.

    `hits` are the `RELEVANCE_FEATURES` of its hits, shape (n, 4), and `relevant` says which of these have grade 1 or
    more, (n,); `whole` are the `ABSTENTION_FEATURES`, shape (1, 6), and `answerability` says whether it has relevant papers at all.
    """

    id: str
    type: str
    hits: NDArray[np.float64]
    relevant: NDArray[np.bool_]
    whole: NDArray[np.float64]
    answerability: bool


def main(arguments: Sequence[str]) -> None:
    """Fit and write."""
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
    sets = [(observe, *one) for one in options.set] + [
        (observe_answerability, *one) for one in options.answerability
    ]
    for see, home, file, papers in sets:
        with Assistant.open(home=home, quotes=True) as assistant:
            names = Names(assistant.papers(), read_keys(Path(papers)) if papers else None)
            observed += see(assistant, read_cases(Path(file), names))
    files = [Path(file) for _, _, file, _ in sets]
    questions = {path.name: sha256(path.read_bytes()).hexdigest()[:16] for path in files}
    write(options.out, calibrate(observed, questions))
    sys.stdout.write(options.out.read_text(encoding="utf-8"))


def observe(assistant: Assistant, cases: Sequence[Case]) -> list[Observed]:
    """What a library shows of the cases, and of the off-topic questions; those for the catalog are left out."""
    # The labelled questions hold no plainly foreign ones; without them "answerability" would learn nothing of those.
    lines = Path(__file__).with_name("off_topic.txt").read_text(encoding="utf-8").splitlines()
    off_topic = [Case(f"off-{number}", OFF_TOPIC, line) for number, line in enumerate(lines)]
    return [
        _observe(assistant, case) for case in [*cases, *off_topic] if not understand(case.question)
    ]


def observe_answerability(assistant: Assistant, cases: Iterable[Case]) -> list[Observed]:
    """What the model of what the papers tell sees of the cases; the one of relevance sees nothing."""
    seen = (_observe(assistant, case) for case in cases if not understand(case.question))
    return [replace(one, hits=one.hits[:0], relevant=one.relevant[:0]) for one in seen]


def _observe(assistant: Assistant, case: Case) -> Observed:
    question = " ".join([*case.turns, case.question])
    result = search(assistant.library, assistant.embedder, question, assistant.config.search, _HITS)
    asked = read_question(assistant.library, question)
    relevant = np.array([hit.paper.id in case.relevant for hit in result.hits], dtype=bool)
    hits, whole = relevance_features(result, asked), abstention_features(result, asked)
    return Observed(case.id, case.type, hits, relevant, whole, case.answerable)


def calibrate(observed: Sequence[Observed], questions: Mapping[str, str]) -> dict[str, Any]:
    """A calibration fitted on these questions; `questions` names their files with fingerprints."""
    numbers = np.arange(len(observed))
    hits, relevant = (
        np.concatenate([getattr(one, name) for one in observed]) for name in ("hits", "relevant")
    )
    whole, answerability = (
        np.concatenate([one.whole for one in observed]),
        np.array([one.answerability for one in observed]),
    )
    by_hit = Sample(hits, relevant, np.repeat(numbers, [len(one.hits) for one in observed]))
    return {
        "data": {
            "questions": dict(questions),
            "off_topic": len({one.id for one in observed if one.type == OFF_TOPIC}),
            "seed": SEED,
        },
        "relevance": {"features": RELEVANCE_FEATURES, **fit(by_hit)},
        "answerability": {
            "features": ABSTENTION_FEATURES,
            **fit(Sample(whole, answerability, numbers)),
        },
    }


def write(path: Path, calibration: Mapping[str, Any]) -> None:
    """Store a calibration. Raises InputError where the file can't be written."""
    try:
        path.write_text(json.dumps(calibration, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"the calibration {path} can't be written: {error.strerror}") from None


def fit(sample: Sample) -> dict[str, Any]:
    """Weights and bias, and the AUROC over folds that keep a question's rows together."""
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
