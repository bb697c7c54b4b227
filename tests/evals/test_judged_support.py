"""The AUROC of each score on pairs where the right order is known."""

import re

from evals.judged_support import report


def row(
    kind: str, number: int, *, supported: bool, support: float, yes: float
) -> dict[str, object]:
    return {"kind": kind, "id": str(number), "supported": supported, "support": support, "yes": yes}


def test_two_scores_that_each_know_a_half_are_better_together() -> None:
    """Each score alone has 1 of 4 (supported, unsupported) pairs in the wrong order: 0.75."""
    pairs = [(True, 0.9, -0.5), (True, 0.45, 3.0), (False, 0.5, -3.0), (False, 0.1, 0.0)]
    train = [
        row("train", n, supported=a, support=b, yes=c) for n, (a, b, c) in enumerate(pairs * 10)
    ]
    own = [row("scifact", n, supported=a, support=b, yes=c) for n, (a, b, c) in enumerate(pairs)]
    weights, line = report([*train, *own]).splitlines()
    assert weights.endswith("40 pairs")
    assert re.search(r"scifact: 4 pairs, AUROC built in 0\.750, model 0\.750, joined 1\.000", line)
