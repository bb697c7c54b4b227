"""Questions that take something false for granted, over the bundled library."""

import json
from pathlib import Path

import pytest

PREMISES = Path(__file__).resolve().parents[3] / "evals" / "demo" / "premises.jsonl"


def noticed(answer) -> bool:
    return any(
        "seems to contradict an assumption of the question" in notice for notice in answer.notices
    )


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("Why does Barlow Twins need large batches?", "works without large batches"),
        ("Why did FuXi-ENS lose to the ECMWF ensemble on CRPS?", "outperforms the ECMWF ensemble"),
        (
            "Why do sequence models beat behavioral cloning on new environments?",
            "behavioral cloning beats sequence",
        ),
    ],
)
def test_a_false_premise_is_met_with_the_sentence_that_denies_it(demo, question, first) -> None:
    answer = demo.ask(question)
    assert noticed(answer)
    assert first in answer.citations[0].evidence[-1].text


def test_a_plain_question_is_not_contradicted(demo) -> None:
    assert not noticed(demo.ask("What batches does Barlow Twins need?"))
    assert not noticed(demo.ask("Is Barlow Twins slower than other methods?"))


def test_no_true_premise_is_denied_and_most_false_ones_are(demo) -> None:
    rows = [json.loads(line) for line in PREMISES.read_text(encoding="utf-8").splitlines()]
    found = {row["id"]: noticed(demo.ask(row["question"])) for row in rows}
    assert not any(found[row["id"]] for row in rows if row["holds"])
    assert sum(found[row["id"]] for row in rows if not row["holds"]) >= 10
