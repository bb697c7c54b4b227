"""Weights for a model's yes or no, fitted on runs made up here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from evals import fit_answerability
from evals.fit_answerability import Signals, fit_weights, read_signals
from evals.outcomes import Outcome
from evals.runs import Recorder
from rag.answer.generated.model_answerability import ANSWERABILITY_FEATURES, Answerability
from rag.answer.relevance import Logistic
from rag.errors import InputError

NAMES = ("calibrated answerability", "model yes", "answerable")
EACH = 40
OTHER = {"weights": [1.0, 2.0], "bias": 0.5, "threshold": 0.4}


def separable() -> list[Signals]:
    """Answerable questions have both signs above those of the others."""
    chance = np.random.default_rng(1)
    made = []
    for answerable in (True, False):
        for _ in range(EACH):
            answerability, yes = chance.uniform(0.6, 0.95), chance.uniform(1.0, 5.0)
            made.append(
                Signals(
                    answerability if answerable else 1 - answerability,
                    yes if answerable else -yes,
                    answerable,
                )
            )
    return made


def record(folder: Path, questions: list[Signals]) -> Path:
    """Write a run with these signals, and one case that the model was not asked."""
    recorder = Recorder(folder, {"suites": {"made": {"data": "x"}}})
    for number, question in enumerate(questions):
        values = dict(
            zip(
                NAMES,
                (question.answerability, question.yes, float(question.answerable)),
                strict=True,
            )
        )
        recorder.add("made", f"q{number}", "fact", Outcome(values, {}))
    recorder.add("made", "unasked", "fact", Outcome({NAMES[0]: 0.5, NAMES[2]: 1.0}, {}))
    return folder


def test_signs_that_separate_the_questions_give_a_threshold_between_them() -> None:
    questions = separable()
    entry = fit_weights(questions)
    figures = entry["cross-validated"]
    # A twentieth of the 40 answerable questions is below the threshold, by its choice.
    assert figures == {"AUROC": 1.0, "declined wrongly": 2 / EACH, "declined rightly": 1.0}
    assert entry["AUROC of each alone"] == dict.fromkeys(ANSWERABILITY_FEATURES, 1.0)
    assert entry["questions"] == {"answerable": EACH, "unanswerable": EACH}
    model = Answerability(Logistic(tuple(entry["weights"]), entry["bias"]), entry["threshold"])
    said = [
        (question.answerable, model.probability(question.answerability, question.yes))
        for question in questions
    ]
    worst = max(probability for answerable, probability in said if not answerable)
    assert (
        worst
        < model.threshold
        < np.median([probability for answerable, probability in said if answerable])
    )


def test_signs_that_say_nothing_give_figures_of_chance() -> None:
    """Every pair of signs is there once with each answer, so that all scores are tied."""
    questions = [
        Signals(question.answerability, question.yes, answer)
        for question in separable()
        for answer in (True, False)
    ]
    weights = fit_weights(questions)
    assert weights["AUROC of each alone"] == dict.fromkeys(ANSWERABILITY_FEATURES, 0.5)


def test_the_signs_of_a_run_are_read_in_its_order_without_what_the_model_was_not_asked(
    tmp_path,
) -> None:
    questions = separable()
    assert list(read_signals(record(tmp_path / "run", questions))) == questions


def test_the_entry_is_written_next_to_those_of_other_models(tmp_path, capsys) -> None:
    out = tmp_path / "model_answerability.json"
    out.write_text(json.dumps({"models": {"other": OTHER, "mine": OTHER}}), encoding="utf-8")
    run = record(tmp_path / "run", separable())
    fit_answerability.main([str(run), "--name", "mine", "--out", str(out)])
    written = json.loads(out.read_text(encoding="utf-8"))
    assert written["models"] == {"other": OTHER, "mine": fit_weights(separable())}
    assert json.loads(capsys.readouterr().out) == written["models"]["mine"]


def test_signs_from_several_runs_are_fitted_together(tmp_path, capsys) -> None:
    questions = separable()
    parts = [record(tmp_path / "a", questions[::2]), record(tmp_path / "b", questions[1::2])]
    out = tmp_path / "new.json"
    fit_answerability.main([*map(str, parts), "--name", "mine", "--out", str(out)])
    entry = json.loads(out.read_text(encoding="utf-8"))["models"]["mine"]
    assert entry["questions"] == {"answerable": EACH, "unanswerable": EACH}


def test_a_folder_that_is_no_run_is_named(tmp_path) -> None:
    with pytest.raises(InputError, match="is not an evaluation run"):
        fit_answerability.main(
            [str(tmp_path), "--name", "mine", "--out", str(tmp_path / "new.json")]
        )
