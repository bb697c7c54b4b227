"""Cross-validation of the calibration: folds, training data, and held-out answers."""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evals.cross_validate import (
    FOLDS,
    FoldedSuite,
    compare_figures,
    cross_validate,
    folds,
    training,
)
from evals.fit import Observed, calibrate
from evals.outcomes import Case
from evals.suites.suite import Loaded
from rag.errors import InputError
from rag.resources import shipped

pytestmark = pytest.mark.slow

CASES = [
    Case(f"{kind}-{n}", kind, "?")
    for kind, count in (("fact", 30), ("unanswerable", 12))
    for n in range(count)
]


def test_folds_cover_all_cases_once_and_each_type_evenly() -> None:
    dealt = folds(CASES)
    assert dealt.keys() == {case.id for case in CASES}
    assert set(dealt.values()) == set(range(FOLDS))
    for kind in ("fact", "unanswerable"):
        sizes = Counter(dealt[case.id] for case in CASES if case.type == kind).values()
        assert max(sizes) - min(sizes) <= 1


def test_folds_are_those_of_the_ids_and_the_seed() -> None:
    assert folds(CASES[::-1]) == folds(CASES)
    assert folds(CASES, seed=1) != folds(CASES)


def observed(case: Case, flip: bool = False) -> Observed:
    """Return signals set by the question's last digit, so that both models can be fitted."""
    rng = np.random.default_rng(sum(case.id.encode()))
    answerability = (int(case.id[-1]) % 2 == 0) != flip
    relevant = rng.random(6) < (0.5 if answerability else 0.1)
    relevant[:2] = answerability, False
    return Observed(
        case.id,
        case.type,
        rng.normal(relevant[:, None], 1, (6, 4)),
        relevant,
        rng.random((1, 4)),
        answerability,
    )


def test_a_fold_is_fitted_on_the_other_folds_only() -> None:
    where = folds(CASES)
    dealt = FoldedSuite(
        Loaded("mine", CASES, lambda _: None, "", 0), where, [observed(case) for case in CASES]
    )
    other = replace(dealt, observed=[observed(case, flip=where[case.id] == 0) for case in CASES])
    before, after = (
        [calibrate(training([deal], fold), {}) for fold in range(FOLDS)] for deal in (dealt, other)
    )
    assert [calibration["answerability"]["rows"] for calibration in before] == [
        len(CASES) - list(where.values()).count(n) for n in range(FOLDS)
    ]
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, *[False] * (FOLDS - 1)]


GLOW = "Harnessing Density Ratios for Online Reinforcement Learning"
ANSWERABLE = [
    "density ratios",
    "How does GLOW explore?",
    "coverage in reinforcement learning",
    "offline data",
    "exploration",
]
NOT_ANSWERABLE = [
    "pizza recipes",
    "a leaking tap",
    "the weather in Rome",
    "how are cows milked?",
    "who won the match?",
]


@pytest.fixture
def suite(tmp_path, model_cache, monkeypatch) -> Path:
    """A suite of ten questions over six papers."""
    folder = tmp_path / "mine"
    (folder / "papers").mkdir(parents=True)
    few = shipped("sample.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)[:6]
    (folder / "papers" / "few.jsonl").write_text("".join(few), encoding="utf-8")
    rows = [
        {"id": f"a{n}", "type": "fact", "question": question, "relevant": {GLOW: 2}}
        for n, question in enumerate(ANSWERABLE)
    ]
    rows += [
        {"id": f"u{n}", "type": "unanswerable", "question": question}
        for n, question in enumerate(NOT_ANSWERABLE)
    ]
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.chdir(tmp_path)
    return folder


def test_every_case_is_answered_once_by_a_calibration_that_has_not_seen_it(suite, tmp_path) -> None:
    usual, held_out = cross_validate([str(suite)], tmp_path / "out", home=tmp_path / "home")
    answerability, before = (
        {row.case: row.value for row in run.rows if row.measure == "answerability"}
        for run in (held_out, usual)
    )
    assert len([row for row in held_out.rows if row.measure == "answerability"]) == len(
        ANSWERABLE + NOT_ANSWERABLE
    )
    assert answerability.keys() == before.keys()
    assert answerability != before
    assert (
        len({path.read_bytes() for path in (tmp_path / "out").glob("calibration-*.json")}) == FOLDS
    )
    assert {figure.measure for figure in compare_figures(usual, held_out)} >= {
        "nDCG@10",
        "abstention AUROC",
        "answered wrongly",
    }
    assert held_out.data == usual.data
    with pytest.raises(InputError, match="give another --out"):
        cross_validate([str(suite)], tmp_path / "out", home=tmp_path / "home", seed=1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["evals.cross_validate", "--data", "nowhere"], "there is no data folder nowhere"),
        (["evals.fit", "--set", "nowhere", "q.jsonl", "", "--out", "o.json"], "nowhere"),
    ],
)
def test_bad_input_is_one_line(arguments, said) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", *arguments], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert said in ran.stderr
    assert ran.stderr.count("\n") == 1, ran.stderr
