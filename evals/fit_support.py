"""Fit the model of rag/answer/support.py and write rag/_data/support.json.

    python -m evals.fit_support EXAMPLES

EXAMPLES is SciFact's examples_train.jsonl, in the format of the suite attribution. Never fit on the
suite's own pairs, which are for testing. Needs scikit-learn. The file states its data, its
embedder, its seed and its cross-validated AUROC.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evals.fit import SEED, Sample, fit
from evals.suites.attribution import Pair, scifact_pairs
from evals.suites.suite import fingerprint
from rag.answer.support import SUPPORT_FEATURES, SupportScorer
from rag.config import load_config
from rag.models import open_embedder
from rag.resources import shipped


def main(arguments: Sequence[str]) -> None:
    """Fit the model, and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("examples", type=Path)
    path = parser.parse_args(arguments).examples
    embedder = open_embedder(load_config().embedder)
    fitted = {
        "data": {path.name: fingerprint(path), "embedder": str(embedder.identity), "seed": SEED},
        "features": SUPPORT_FEATURES,
        **fit(sample(SupportScorer(embedder), list(scifact_pairs(path)))),
    }
    text = json.dumps(fitted, indent=2) + "\n"
    shipped("sample.jsonl").with_name("support.json").write_text(text, encoding="utf-8")
    sys.stdout.write(text)


def sample(scorer: SupportScorer, pairs: Sequence[Pair]) -> Sample:
    """Make a sample with one row per pair; the pairs of the same claim form a group.

    Pairs that the scorer cannot compare are left out.
    """
    compared = [
        (pair, comparison)
        for pair in pairs
        if (comparison := scorer.compare(pair.claim, pair.evidence))
    ]
    claims = {pair.claim: number for number, pair in enumerate(pairs)}
    return Sample(
        np.stack([comparison.features for _, comparison in compared]),
        np.array([pair.supported for pair, _ in compared]),
        np.array([claims[pair.claim] for pair, _ in compared]),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
