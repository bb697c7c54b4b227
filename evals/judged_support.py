"""Find out whether a language model's yes or no betters the support score.

    python -m evals.judged_support ROWS.jsonl --profile local --train 150 --each 200

Puts pairs of the suite attribution to the profile's language model, and asks for a yes or a no; how sure it is comes
from the probabilities of its first token. The pairs are drawn with a fixed seed: `--train` of SciFact's training claims
join the two scores by a logistic model, and `--each` of each set measure it. ROWS.jsonl keeps what was asked, so that a
run that was broken off goes on. Needs scikit-learn.
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

_SENTENCES = 6  # of the evidence that come nearest to the claim: a model of 1.5 billion weights reads them in 5 s
_TRAIN = "train"


def main(arguments: Sequence[str]) -> None:
    """Ask, join and print."""
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
        asked = _asked(given.rows)
        with given.rows.open("a", encoding="utf-8") as file:
            scorer = SupportScorer(embedder := open_embedder(config.embedder))
            llm = LLM(config.llm, endpoint)
            for kind, pair in _drawn(context, given.train, given.each):
                if (kind, pair.id) not in asked:
                    asked[kind, pair.id] = row = _row(kind, pair, scorer, embedder, llm)
                    file.write(json.dumps(row) + "\n")
                    file.flush()
    finally:
        if isinstance(endpoint, LocalServer):
            endpoint.close()
    sys.stdout.write(report(list(asked.values())))


def report(rows: Sequence[dict[str, Any]]) -> str:
    """The AUROC of the built-in score, of the model and of both joined, for each set of pairs."""
    from sklearn.linear_model import LogisticRegression

    by_kind: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_kind[row["kind"]].append(row)
    train = by_kind.pop(_TRAIN)
    joined = LogisticRegression().fit(_features(train), [row["supported"] for row in train])
    lines = [
        f"weights {joined.coef_[0].round(3).tolist()}, bias {joined.intercept_[0]:.3f}, {len(train)} pairs"
    ]
    for kind, own in by_kind.items():
        both = joined.predict_proba(_features(own))[:, 1]
        scores = {
            "built in": [row["support"] for row in own],
            "model": [row["yes"] for row in own],
            "joined": both,
        }
        said = ", ".join(f"{name} {_auroc(own, values):.3f}" for name, values in scores.items())
        lines.append(f"{kind}: {len(own)} pairs, AUROC {said}")
    return "\n".join(lines) + "\n"


def _features(rows: Sequence[dict[str, Any]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([[logit(row["support"]), row["yes"]] for row in rows])


def _auroc(rows: Sequence[dict[str, Any]], scores: Sequence[float]) -> float:
    labelled = list(zip((row["supported"] for row in rows), scores, strict=True))
    return auroc(
        [score for is_so, score in labelled if is_so],
        [score for is_so, score in labelled if not is_so],
    )


def _row(
    kind: str, pair: Pair, scorer: SupportScorer, embedder: Embedder, llm: LLM
) -> dict[str, Any]:
    asked = fill("supported", evidence=_nearest(pair, embedder), claim=pair.claim)
    yes = yes_over_no(llm, [Message("user", asked)])
    if yes is None:
        sys.exit("the server of the language model gives no probabilities of tokens (logprobs)")
    support = scorer.score(pair.claim, pair.evidence).score
    return {
        "kind": kind,
        "id": pair.id,
        "supported": pair.supported,
        "support": support,
        "yes": yes,
    }


def _nearest(pair: Pair, embedder: Embedder) -> str:
    """The sentences of the evidence that come nearest to the claim, in their order."""
    sentences = [" ".join(one.split()[:80]) for text in pair.evidence for one in split(text)]
    claim, *others = embedder.embed([" ".join(pair.claim.split()[:80]), *sentences])
    order = np.argsort([-float(claim @ one) for one in others], kind="stable")[:_SENTENCES]
    return " ".join(sentences[row] for row in sorted(order))


def _drawn(context: Context, train: int, each: int) -> Iterator[tuple[str, Pair]]:
    draw = random.Random(SEED)
    path = context.needed("attribution", "scifact_attribution", "examples_train.jsonl")
    by_kind = {_TRAIN: (list(scifact_pairs(path)), train)}
    for pair in pairs_of(context):
        by_kind.setdefault(pair.type, ([], each))[0].append(pair)
    for kind, (pairs, most) in by_kind.items():
        yield from ((kind, pair) for pair in draw.sample(pairs, min(most, len(pairs))))


def _asked(path: Path) -> dict[tuple[str, str], dict[str, Any]]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {(row["kind"], row["id"]): row for row in map(json.loads, lines)}


if __name__ == "__main__":
    main(sys.argv[1:])
