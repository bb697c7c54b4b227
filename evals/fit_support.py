"""Fit the model of rag/answer/support.py and write rag/_data/support.json.

    python -m evals.fit_support EXAMPLES

EXAMPLES is SciFact's examples_train.jsonl as the suite attribution reads it, never the suite's own pairs. Needs
scikit-learn. The file it writes names its data, its embedder, its seed and its cross-validated AUROC.
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
    """Fit and write."""
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
    """A row a pair; those of one claim belong together."""
    compared = [
        (pair, seen) for pair in pairs if (seen := scorer.compare(pair.claim, pair.evidence))
    ]
    claims = {pair.claim: number for number, pair in enumerate(pairs)}
    return Sample(
        np.stack([seen.features for _, seen in compared]),
        np.array([pair.supported for pair, _ in compared]),
        np.array([claims[pair.claim] for pair, _ in compared]),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
