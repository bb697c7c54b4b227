"""Cross-validate the calibration through the whole assistant.

    python -m evals.cross_validate --home FOLDER

The cases of the suites daily-papers and demo are dealt into five folds. Each fold is answered with a calibration that
was fitted on the other four, and on the questions of evals/answerability/, and the suites' measures over all of these
answers stand beside those of the shipped calibration, which was fitted on all cases. FOLDER keeps the suites' libraries
(by default the user's data folder, as for `rag eval`). Below --out there are two runs, shipped and held-out, for
`rag eval compare`, and the calibrations.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from evals import runs
from evals.cases import Names, read_cases
from evals.figures import ALL, figures
from evals.fit import (
    ANSWERABILITY,
    OFF_TOPIC,
    SEED,
    Observed,
    calibrate,
    observe,
    observe_answerability,
    write,
)
from evals.outcomes import Case
from evals.report import shown
from evals.running import describe, run, run_suite
from evals.runs import ROOT, Recorder, Run
from evals.statistics import Estimate
from evals.suites import Context, Loaded, load
from evals.suites.suite import Item, Say, data_folder
from evals.tables import print_rows
from rag.config import Config, load_config
from rag.errors import ConfigError, RagError
from rag.llm.local_models import settled

SUITES = ("daily-papers", "demo")
FOLDS = 5
# (type, measure): what the two models have a hand in.
MEASURES = (
    (ALL, "nDCG@10"),
    ("topical", "cited-paper precision"),
    ("topical", "cited-paper recall"),
    ("fact", "evidence recall"),
    ("metadata", "metadata right"),
    (ALL, "abstention AUROC"),
    (ALL, "answered wrongly"),
    (ALL, "declined wrongly"),
)


@dataclass(frozen=True, slots=True)
class Beside:
    """A figure with the shipped calibration, and over the answers to held-out questions."""

    suite: str
    type: str
    measure: str
    shipped: float
    held_out: float
    cases: int


@dataclass(frozen=True, slots=True)
class Dealt:
    """A suite whose questions are dealt into folds: id -> fold, and what the models see of each.

    `always` is what the model of what the papers tell sees of the questions that teach every fold.
    """

    suite: Loaded
    folds: Mapping[str, int]
    observed: Sequence[Observed]
    always: Sequence[Observed] = ()


def cross_validate(
    suites: Sequence[str],
    out: Path,
    *,
    home: str | Path | None = None,
    data: str | Path | None = None,
    seed: int = SEED,
    say: Say = lambda _: None,
) -> tuple[Run, Run]:
    """The run of the shipped calibration, and that of the held-out folds; both go on where they were broken off.

    Raises InputError where a suite can't be loaded or `out` holds runs of other code, data or configuration, and
    ConfigError where another calibration than the shipped one is configured.
    """
    config = settled(load_config(home=home), quotes=True)
    if config.answer.calibration:
        raise ConfigError(
            "the shipped calibration is cross-validated; leave answer.calibration empty"
        )
    shipped = run(suites, home=home, data=data, out=out / "shipped", quotes=True, say=say)
    context = Context(config, data_folder(data), say=say)
    dealt = [_deal(load(name, context), context, seed) for name in suites]
    info = describe(config, [one.suite for one in dealt])
    info |= {"name": "held out", "fingerprint": f"{info['fingerprint']}-{seed}"}
    recorder = Recorder(out / "held-out", info)
    for fold in range(FOLDS):
        say(f"fold {fold + 1} of {FOLDS}")
        path = out / f"calibration-{fold + 1}.json"
        write(
            path,
            calibrate(training(dealt, fold), {one.suite.name: one.suite.data for one in dealt}),
        )
        other = replace(context, config=_calibrated(config, path))
        for name, one in zip(suites, dealt, strict=True):
            _answer(load(name, other), one.folds, fold, recorder, say)
    recorder.finish()
    return shipped, runs.read(recorder.folder)


def folds(items: Iterable[Item], seed: int = SEED) -> dict[str, int]:
    """Id -> fold, 0 to 4. Each type is dealt out evenly, in an order that the seed and the ids alone decide."""
    order = sorted(items, key=lambda one: (one.type, sha256(f"{seed} {one.id}".encode()).digest()))
    return {one.id: place % FOLDS for place, one in enumerate(order)}


def training(dealt: Iterable[Dealt], fold: int) -> list[Observed]:
    """What a fold's calibration is fitted on: all questions of the other folds, and those that teach every fold."""
    dealt = list(dealt)
    others = [seen for one in dealt for seen in one.observed if one.folds[seen.id] != fold]
    return [*others, *(seen for one in dealt for seen in one.always)]


def beside(shipped: Run, held_out: Run) -> list[Beside]:
    """The figures of both runs that the calibration has a hand in."""
    first, second = (_wanted(one) for one in (shipped, held_out))
    return [
        Beside(*key, value.value, second[key].value, value.n)
        for key, value in first.items()
        if key in second
    ]


def _deal(suite: Loaded, context: Context, seed: int) -> Dealt:
    context.say(f"{suite.name}: searching for what the models see of its questions")
    with context.assistant(suite.name) as assistant:
        observed = observe(assistant, [case for case in suite.cases if isinstance(case, Case)])
        more = ANSWERABILITY / f"{suite.name}.jsonl"  # there is none for a user's own suite
        always = observe_answerability(
            assistant, read_cases(more, Names(assistant.papers())) if more.is_file() else ()
        )
    suite.close()
    off_topic = [one for one in observed if one.type == OFF_TOPIC]
    return Dealt(suite, folds([*suite.cases, *off_topic], seed), observed, always)


def _calibrated(config: Config, path: Path) -> Config:
    answer = config.answer.model_copy(update={"calibration": str(path)})
    return config.model_copy(update={"answer": answer})


def _answer(
    suite: Loaded, folds: Mapping[str, int], fold: int, recorder: Recorder, say: Say
) -> None:
    run_suite(
        replace(suite, cases=[case for case in suite.cases if folds[case.id] == fold]),
        recorder,
        say,
    )
    suite.close()


def _wanted(run: Run) -> dict[tuple[str, str, str], Estimate]:
    made = {(one.suite, one.type, one.measure): one.estimate for one in figures(run.rows)}
    keys = [(suite, *measure) for suite in run.data for measure in MEASURES]
    return {key: made[key] for key in keys if key in made}


def main(arguments: Sequence[str]) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, help="where the suites' libraries are kept")
    parser.add_argument(
        "--data", type=Path, help="the folder of the data sets, by default ../shared/datasets"
    )
    parser.add_argument(
        "--out", type=Path, default=ROOT / "cross-validated", help="where the two runs go"
    )
    parser.add_argument("--seed", type=int, default=SEED, help="another one deals other folds")
    options = vars(parser.parse_args(arguments))
    _print(beside(*cross_validate(SUITES, options.pop("out"), **options, say=_say)))


def _print(figures: Iterable[Beside]) -> None:
    columns = ["suite", "type", "measure", "cases", "shipped", "held out", "difference"]
    print_rows("Cross-validated", columns, map(_cells, figures))


def _cells(one: Beside) -> list[str]:
    numbers = [
        str(one.cases),
        shown(one.shipped),
        shown(one.held_out),
        f"{one.held_out - one.shipped:+.3f}",
    ]
    return [one.suite, one.type, one.measure, *numbers]


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except RagError as error:
        sys.exit(f"evals.cross_validate: {error}")
