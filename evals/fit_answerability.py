"""Fit how a language model's yes or no is joined with the calibrated answerability, and write the weights.

    rag eval daily-papers demo --profile local --out RUN
    python -m evals.fit_answerability --name qwen2.5-coder-1.5b RUN [RUN ...]

The runs hold both signs of each question that the model was asked; a model that was not fitted before must have an
entry first, with any weights, or it is not asked. The weights go to the entry of that name in
rag/_data/model_answerability.json (--out), with their data and cross-validated figures. A served model gets the entry
whose name is a part of its own.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evals import runs
from evals.figures import column
from evals.measures import auroc
from rag.answer.generated.model_answerability import ANSWERABILITY_FEATURES, logit
from rag.answer.relevance import Logistic
from rag.errors import RagError
from rag.resources import shipped

SEED = 0
_FOLDS = 5
_DECLINED = 0.05  # of the answerable questions: what the threshold may decline wrongly


@dataclass(frozen=True, slots=True)
class Heard:
    """The signs of one question, and whether it has relevant papers."""

    answerability: float
    yes: float
    answerable: bool


def main(arguments: Sequence[str]) -> None:
    """Read, fit and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--name", required=True, help="a part of the served model's name")
    parser.add_argument(
        "--out", type=Path, default=shipped("sample.jsonl").with_name("model_answerability.json")
    )
    options = parser.parse_args(arguments)
    entry = fitted([one for folder in options.runs for one in heard(folder)])
    known = (
        json.loads(options.out.read_text(encoding="utf-8"))
        if options.out.exists()
        else {"models": {}}
    )
    known["features"] = list(ANSWERABILITY_FEATURES)
    known["models"][options.name] = entry
    options.out.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(entry, indent=1))  # noqa: T201


def heard(folder: Path) -> Iterator[Heard]:
    """Yield the signs of the questions of a run that a language model was asked. Raises InputError."""
    rows = runs.read(folder).rows
    for suite in dict.fromkeys(row.suite for row in rows):
        own = [row for row in rows if row.suite == suite]
        answerability, yes, answerable = (
            column(own, name) for name in ("calibrated answerability", "model yes", "answerable")
        )
        # In the order of the run: the folds are drawn by it, and a set of names has another order in each process.
        for case in [one for one in answerability if one in yes and one in answerable]:
            yield Heard(answerability[case], yes[case], answerable[case] > 0.5)


def fitted(questions: Sequence[Heard]) -> dict[str, object]:
    """Fit the weights over all questions, with the figures of cross-validation over five folds."""
    features = np.array([[logit(one.answerability), one.yes] for one in questions])
    labels = np.array([one.answerable for one in questions])
    fold = np.random.default_rng(SEED).permutation(len(questions)) % _FOLDS
    joined = np.zeros(len(questions))
    for number in range(_FOLDS):
        joined[fold == number] = _logistic(features[fold != number], labels[fold != number])(
            features[fold == number]
        )
    weights = _logistic(features, labels)
    threshold = float(np.quantile(joined[labels], _DECLINED))

    def apart(scores: NDArray[np.float64]) -> float:
        return round(auroc(scores[labels].tolist(), scores[~labels].tolist()), 4)

    return {
        "weights": [round(one, 4) for one in weights.weights],
        "bias": round(weights.bias, 4),
        "threshold": round(threshold, 4),
        "seed": SEED,
        "questions": {"answerable": int(labels.sum()), "unanswerable": int((~labels).sum())},
        "cross-validated": {
            "AUROC": apart(joined),
            "declined wrongly": round(float((joined[labels] < threshold).mean()), 4),
            "declined rightly": round(float((joined[~labels] < threshold).mean()), 4),
        },
        "AUROC of each alone": {
            name: apart(features[:, n]) for n, name in enumerate(ANSWERABILITY_FEATURES)
        },
    }


def _logistic(features: NDArray[np.float64], labels: NDArray[np.bool_]) -> Logistic:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=10.0).fit(features, labels)
    return Logistic(tuple(map(float, model.coef_[0])), float(model.intercept_[0]))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except RagError as problem:
        sys.exit(f"fit_answerability: {problem}")
