"""Fit the weights that combine a language model's yes or no with the calibrated answerability.

    rag eval daily-papers demo --profile local --out RUN
    python -m evals.fit_answerability --name qwen2.5-coder-1.5b RUN [RUN ...]

The runs contain both signals for each question that the model was asked. A model is asked only if
it has an entry in the file: before the first fit, add an entry with any weights. The weights are
written to the entry of that name in rag/_data/model_answerability.json (--out), with their data and
cross-validated figures. A served model uses the entry whose name is a part of its own name.
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
_DECLINED = 0.05  # the share of answerable questions that the threshold may decline wrongly


@dataclass(frozen=True, slots=True)
class Signals:
    """The two signals for one question, and whether the question has relevant papers.

    `answerability` is the calibrated probability, 0 to 1. `yes` is the model's log odds of yes
    over no, as a natural logarithm.
    """

    answerability: float
    yes: float
    answerable: bool


def main(arguments: Sequence[str]) -> None:
    """Read the runs, fit the weights and write them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--name", required=True, help="a part of the served model's name")
    parser.add_argument(
        "--out", type=Path, default=shipped("sample.jsonl").with_name("model_answerability.json")
    )
    options = parser.parse_args(arguments)
    entry = fit_weights([question for folder in options.runs for question in read_signals(folder)])
    known = (
        json.loads(options.out.read_text(encoding="utf-8"))
        if options.out.exists()
        else {"models": {}}
    )
    known["features"] = list(ANSWERABILITY_FEATURES)
    known["models"][options.name] = entry
    options.out.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(entry, indent=1))  # noqa: T201


def read_signals(folder: Path) -> Iterator[Signals]:
    """Yield the signals for the questions of a run that the language model was asked.

    Raises InputError if the folder is not a run.
    """
    rows = runs.read(folder).rows
    for suite in dict.fromkeys(row.suite for row in rows):
        own = [row for row in rows if row.suite == suite]
        answerability, yes, answerable = (
            column(own, name) for name in ("calibrated answerability", "model yes", "answerable")
        )
        # Keep the order of the run: the folds depend on it, and the order of a set of strings
        # differs between processes.
        for case in [name for name in answerability if name in yes and name in answerable]:
            yield Signals(answerability[case], yes[case], answerable[case] > 0.5)


def fit_weights(questions: Sequence[Signals]) -> dict[str, object]:
    """Fit the weights on all questions, and compute the figures of a five-fold cross-validation."""
    features = np.array([[logit(question.answerability), question.yes] for question in questions])
    labels = np.array([question.answerable for question in questions])
    folds = np.random.default_rng(SEED).permutation(len(questions)) % _FOLDS
    held_out = np.zeros(len(questions))
    for fold in range(_FOLDS):
        train, test = folds != fold, folds == fold
        held_out[test] = _logistic(features[train], labels[train])(features[test])
    model = _logistic(features, labels)
    threshold = float(np.quantile(held_out[labels], _DECLINED))

    def separation(scores: NDArray[np.float64]) -> float:
        return round(auroc(scores[labels].tolist(), scores[~labels].tolist()), 4)

    return {
        "weights": [round(weight, 4) for weight in model.weights],
        "bias": round(model.bias, 4),
        "threshold": round(threshold, 4),
        "seed": SEED,
        "questions": {"answerable": int(labels.sum()), "unanswerable": int((~labels).sum())},
        "cross-validated": {
            "AUROC": separation(held_out),
            "declined wrongly": round(float((held_out[labels] < threshold).mean()), 4),
            "declined rightly": round(float((held_out[~labels] < threshold).mean()), 4),
        },
        "AUROC of each alone": {
            name: separation(features[:, n]) for n, name in enumerate(ANSWERABILITY_FEATURES)
        },
    }


def _logistic(features: NDArray[np.float64], labels: NDArray[np.bool_]) -> Logistic:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=10.0).fit(features, labels)
    return Logistic(tuple(map(float, model.coef_[0])), float(model.intercept_[0]))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except RagError as error:
        sys.exit(f"evals.fit_answerability: {error}")
