"""Measure whether a language model's yes or no improves the support score.

    python -m evals.judged_support ROWS.jsonl --profile local --train 150 --each 200

Asks the profile's language model about pairs of the suite attribution: does the evidence support
the claim, yes or no? Its confidence is computed from the probabilities of its first token. The
pairs are sampled with a fixed seed. A logistic model that combines both scores is fitted on
`--train` of SciFact's training claims and tested on `--each` pairs of each set. ROWS.jsonl stores
the results, so that an interrupted run can continue. Needs scikit-learn.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evals.fit import SEED
from evals.measures import auroc
from evals.suites.attribution import Pair, pairs_of, scifact_pairs
from evals.suites.suite import Context, data_folder
from rag.answer.generated.model_answerability import logit, yes_over_no
from rag.answer.support import SupportScorer
from rag.config import load_config
from rag.llm import LLM, Message
from rag.llm.local import LocalServer, open_endpoint
from rag.llm.local_models import settled
from rag.models import Embedder, open_embedder
from rag.prompts import fill
from rag.text.wording import split

# Only so much of the evidence is sent: the sentences that are most similar to the claim. A model
# with 1.5 billion weights reads them in 5 s.
_SENTENCES = 6
_TRAIN = "train"


def main(arguments: Sequence[str]) -> None:
    """Ask the model about each pair, fit the combination, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path)
    parser.add_argument("--profile", default="local")
    parser.add_argument("--train", type=int, default=150)
    parser.add_argument("--each", type=int, default=200)
    parser.add_argument("--data", type=Path, default=None)
    given = parser.parse_args(arguments)
    config = settled(load_config(given.profile))
    context = Context(config, data_folder(given.data))
    endpoint = open_endpoint(config.llm)
    try:
        rows = _stored(given.rows)
        with given.rows.open("a", encoding="utf-8") as file:
            scorer = SupportScorer(embedder := open_embedder(config.embedder))
            llm = LLM(config.llm, endpoint)
            for kind, pair in _sampled(context, given.train, given.each):
                if (kind, pair.id) not in rows:
                    rows[kind, pair.id] = row = _row(kind, pair, scorer, embedder, llm)
                    file.write(json.dumps(row) + "\n")
                    file.flush()
    finally:
        if isinstance(endpoint, LocalServer):
            endpoint.close()
    sys.stdout.write(report(list(rows.values())))


def report(rows: Sequence[dict[str, Any]]) -> str:
    """Format the AUROC of the built-in score, of the model and of both, for each set of pairs.

    Each row has the keys kind (the set, or "train"), id, supported, support and yes.
    """
    from sklearn.linear_model import LogisticRegression

    by_kind: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_kind[row["kind"]].append(row)
    train = by_kind.pop(_TRAIN)
    joined = LogisticRegression().fit(_features(train), [row["supported"] for row in train])
    weights, bias = joined.coef_[0].round(3).tolist(), joined.intercept_[0]
    lines = [f"weights {weights}, bias {bias:.3f}, {len(train)} pairs"]
    for kind, test in by_kind.items():
        scores = {
            "built in": [row["support"] for row in test],
            "model": [row["yes"] for row in test],
            "joined": joined.predict_proba(_features(test))[:, 1],
        }
        text = ", ".join(f"{name} {_auroc(test, values):.3f}" for name, values in scores.items())
        lines.append(f"{kind}: {len(test)} pairs, AUROC {text}")
    return "\n".join(lines) + "\n"


def _features(rows: Sequence[dict[str, Any]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([[logit(row["support"]), row["yes"]] for row in rows])


def _auroc(rows: Sequence[dict[str, Any]], scores: Sequence[float]) -> float:
    labelled = list(zip((row["supported"] for row in rows), scores, strict=True))
    return auroc(
        [score for supported, score in labelled if supported],
        [score for supported, score in labelled if not supported],
    )


def _row(
    kind: str, pair: Pair, scorer: SupportScorer, embedder: Embedder, llm: LLM
) -> dict[str, Any]:
    prompt = fill("supported", evidence=_nearest(pair, embedder), claim=pair.claim)
    yes = yes_over_no(llm, [Message("user", prompt)])
    if yes is None:
        sys.exit(
            "the language model's server returns no token probabilities (logprobs); "
            "use a server that supports them"
        )
    support = scorer.score(pair.claim, pair.evidence).score
    return {
        "kind": kind,
        "id": pair.id,
        "supported": pair.supported,
        "support": support,
        "yes": yes,
    }


def _nearest(pair: Pair, embedder: Embedder) -> str:
    """Return the sentences of the evidence that are most similar to the claim, in text order."""
    sentences = [
        " ".join(sentence.split()[:80]) for text in pair.evidence for sentence in split(text)
    ]
    claim, *vectors = embedder.embed([" ".join(pair.claim.split()[:80]), *sentences])
    order = np.argsort([-float(claim @ vector) for vector in vectors], kind="stable")
    return " ".join(sentences[row] for row in sorted(order[:_SENTENCES]))


def _sampled(context: Context, train: int, each: int) -> Iterator[tuple[str, Pair]]:
    generator = random.Random(SEED)
    path = context.needed("attribution", "scifact_attribution", "examples_train.jsonl")
    by_kind = {_TRAIN: (list(scifact_pairs(path)), train)}
    for pair in pairs_of(context):
        by_kind.setdefault(pair.type, ([], each))[0].append(pair)
    for kind, (pairs, most) in by_kind.items():
        yield from ((kind, pair) for pair in generator.sample(pairs, min(most, len(pairs))))


def _stored(path: Path) -> dict[tuple[str, str], dict[str, Any]]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {(row["kind"], row["id"]): row for row in map(json.loads, lines)}


if __name__ == "__main__":
    main(sys.argv[1:])
