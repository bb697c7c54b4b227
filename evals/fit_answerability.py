"""Fit how a language model's yes or no is joined with the calibrated answerability, and write the weights.

    python -m evals.fit_answerability --profile local --name qwen2.5-coder-1.5b --set HOME QUESTIONS PAPERS --set ...

A set is a library, questions in the format of docs/evaluation.md over its papers, and the file that explains their
keys, or "". Each question is read by the very path that answers it, up to the model's yes or no; questions for the
catalog are left out. The weights go to the entry of that name in rag/_data/model_answerability.json (--out), with their
data and their cross-validated figures. A served model gets the entry whose name is a part of its own.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evals.cases import Names, read_cases, read_keys
from evals.measures import auroc
from evals.records import Case
from rag.answer import Generated
from rag.answer.answerability import ANSWERABILITY_FEATURES, logit
from rag.answer.relevance import Assessment, Logistic
from rag.assistant import Assistant
from rag.data import shipped
from rag.errors import InputError, RagError
from rag.records import Said, Turn
from rag.search import SearchResult

SEED = 0
_FOLDS = 5
_DECLINED = 0.05  # of the answerable questions: what the threshold may decline wrongly


@dataclass(frozen=True, slots=True)
class Heard:
    """What is known of one question: the features, and whether it has relevant papers."""

    id: str
    told: float
    yes: float
    answerable: bool


@dataclass(slots=True)
class Listening:
    """Takes the place of a writer of answers: it notes the signs of answerability, and says nothing."""

    writer: Generated
    least_answerability: float = 0.0
    heard: tuple[float, float] | None = None

    def statements(
        self, question: str, result: SearchResult, assessment: Assessment, whole: str | None = None
    ) -> Iterator[Said]:
        """Note the signs. Raises InputError where the server gives no probabilities."""
        told, yes = self.writer.signs(whole or question, result, assessment)
        if yes is None:
            raise InputError("the language model's server gives no probabilities of tokens (logprobs)")
        self.heard = told, yes
        return iter(())


def main(arguments: Sequence[str]) -> None:
    """Ask, fit and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="local")
    parser.add_argument("--name", required=True, help="a part of the served model's name")
    parser.add_argument(
        "--set", required=True, nargs=3, action="append", metavar=("HOME", "QUESTIONS", "PAPERS"), dest="sets"
    )
    parser.add_argument("--out", type=Path, default=shipped("sample.jsonl").with_name("model_answerability.json"))
    options = parser.parse_args(arguments)
    heard = [one for home, questions, keys in options.sets for one in _heard(options.profile, home, questions, keys)]
    entry = fitted(heard) | {"data": {Path(one[1]).name: _digest(one[1]) for one in options.sets}, "seed": SEED}
    known = json.loads(options.out.read_text(encoding="utf-8")) if options.out.exists() else {"models": {}}
    known["features"], known["models"][options.name] = list(ANSWERABILITY_FEATURES), entry
    options.out.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(entry, indent=1))  # noqa: T201


def fitted(heard: Sequence[Heard]) -> dict[str, object]:
    """Fit the weights over all questions, with the figures of cross-validation over five folds."""
    features = np.array([[logit(one.told), one.yes] for one in heard])
    labels = np.array([one.answerable for one in heard])
    fold = np.random.default_rng(SEED).permutation(len(heard)) % _FOLDS
    joined = np.zeros(len(heard))
    for number in range(_FOLDS):
        weights = _logistic(features[fold != number], labels[fold != number])
        joined[fold == number] = weights(features[fold == number])
    weights = _logistic(features, labels)
    threshold = float(np.quantile(joined[labels], _DECLINED))

    def apart(scores: NDArray[np.float64]) -> float:
        return round(auroc(scores[labels].tolist(), scores[~labels].tolist()), 4)

    return {
        "weights": [round(one, 4) for one in weights.weights],
        "bias": round(weights.bias, 4),
        "threshold": round(threshold, 4),
        "questions": {"answerable": int(labels.sum()), "unanswerable": int((~labels).sum())},
        "cross-validated": {
            "AUROC": apart(joined),
            "declined wrongly": round(float((joined[labels] < threshold).mean()), 4),
            "declined rightly": round(float((joined[~labels] < threshold).mean()), 4),
        },
        "AUROC of each alone": {name: apart(features[:, n]) for n, name in enumerate(ANSWERABILITY_FEATURES)},
    }


def _digest(path: str) -> str:
    return sha256(Path(path).read_bytes()).hexdigest()[:16]


def _logistic(features: NDArray[np.float64], labels: NDArray[np.bool_]) -> Logistic:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=10.0).fit(features, labels)
    return Logistic(tuple(map(float, model.coef_[0])), float(model.intercept_[0]))


def _heard(profile: str, home: str, questions: str, keys: str) -> Iterator[Heard]:
    """Read the questions of one set. Raises InputError where no language model writes."""
    with Assistant.open(home=home, profile=profile) as assistant:
        names = Names(list(assistant.papers()), read_keys(Path(keys)) if keys else None)
        written = assistant.synthesizer
        if not isinstance(written, Generated):
            raise InputError(f"the profile {profile} has no language model; see: rag models pull --llm")
        listening = Listening(written)
        assistant.__dict__["synthesizer"] = listening
        for number, case in enumerate(read_cases(Path(questions), names), start=1):
            if one := _of(assistant, listening, case):
                yield one
            print(f"{Path(questions).name}: {number}", end="\r", file=sys.stderr)  # noqa: T201


def _of(assistant: Assistant, listening: Listening, case: Case) -> Heard | None:
    """What is known of a question; None for one that the catalog answers."""
    listening.heard = None
    assistant.ask(case.question, [Turn("user", turn) for turn in case.turns])
    if listening.heard is None:
        return None
    told, yes = listening.heard
    return Heard(case.id, told, yes, case.answerable)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except RagError as problem:
        sys.exit(f"fit_answerability: {problem}")
