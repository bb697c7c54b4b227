"""Fit the two logistic models of rag/answer/relevance.py and write rag/_data/calibration.json.

    python -m evals.fit --set HOME QUESTIONS PAPERS --set HOME QUESTIONS ""

A set is a library, questions in the format of docs/evaluation.md over its papers, and the file that explains their
keys, or "". Questions for the catalog are left out; evals/off_topic.txt adds some that no paper answers to every set.
Needs scikit-learn. The file it writes names its data, its seed and its cross-validated figures.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.cases import Names, read_cases, read_keys
from evals.records import Case
from rag.answer.relevance import (
    RELEVANCE_FEATURES,
    TOLD_FEATURES,
    read_question,
    relevance_features,
    told_features,
)
from rag.assistant import Assistant
from rag.data import shipped
from rag.search import search, understand

SEED = 0
_FOLDS = 5
_HITS = 30  # hits a question that the relevance model learns from


@dataclass(frozen=True, slots=True)
class Sample:
    """Features (n, d), labels (n,) and the question each row belongs to (n,)."""

    features: NDArray[np.float64]
    labels: NDArray[np.bool_]
    groups: NDArray[np.int64]


def main(arguments: Sequence[str]) -> None:
    """Fit and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", nargs=3, action="append", required=True, metavar=("HOME", "QUESTIONS", "PAPERS"))
    sets = parser.parse_args(arguments).set
    # The labelled questions hold no plainly foreign ones; without them "told" would learn nothing of those.
    off_topic = Path(__file__).with_name("off_topic.txt").read_text(encoding="utf-8").splitlines()
    relevance, told = _Rows(), _Rows()
    for home, questions, papers in sets:
        with Assistant.open(home=home) as assistant:
            names = Names(assistant.papers(), read_keys(Path(papers)) if papers else None)
            cases = read_cases(Path(questions), names)
            cases += [Case(f"off-{n}", "off-topic", line) for n, line in enumerate(off_topic)]
            collect(assistant, cases, relevance, told)
    fitted = {
        "data": {
            "questions": {Path(one[1]).name: sha256(Path(one[1]).read_bytes()).hexdigest()[:16] for one in sets},
            "off_topic": len(off_topic),
            "seed": SEED,
        },
        "relevance": {"features": RELEVANCE_FEATURES, **fit(relevance.sample())},
        "told": {"features": TOLD_FEATURES, **fit(told.sample())},
    }
    text = json.dumps(fitted, indent=2)
    shipped("sample.jsonl").with_name("calibration.json").write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(text + "\n")


class _Rows:
    """A sample that grows."""

    def __init__(self) -> None:
        self._features: list[NDArray[np.float64]] = []
        self._labels: list[bool] = []
        self._groups: list[int] = []
        self._count = 0

    def add(self, features: NDArray[np.float64], labels: Sequence[bool]) -> None:
        """The rows of one question."""
        self._features.append(features)
        self._labels += labels
        self._groups += [self._count] * len(labels)
        self._count += 1

    def sample(self) -> Sample:
        """All of them."""
        return Sample(np.concatenate(self._features), np.array(self._labels), np.array(self._groups))


def collect(assistant: Assistant, cases: Sequence[Case], relevance: _Rows, told: _Rows) -> None:
    """Add rows for relevance (a hit has grade 1 or more) and for told (the question has relevant papers)."""
    library, config = assistant.library, assistant.config.search
    for case in cases:
        if understand(case.question):
            continue
        question = " ".join([*case.turns, case.question])
        result = search(library, assistant.embedder, question, config, _HITS)
        asked = read_question(library, question)
        grades = [hit.paper.id in case.relevant for hit in result.hits]
        relevance.add(relevance_features(result, asked), grades)
        told.add(told_features(result, asked), [case.answerable])


def fit(sample: Sample) -> dict[str, Any]:
    """Weights and bias, and the AUROC over folds that keep a question's rows together."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import GroupKFold, cross_val_predict

    model = LogisticRegression(C=100.0, max_iter=5000)
    folds = GroupKFold(_FOLDS, shuffle=True, random_state=SEED)
    held_out = cross_val_predict(
        model, sample.features, sample.labels, groups=sample.groups, cv=folds, method="predict_proba"
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
    main(sys.argv[1:])
