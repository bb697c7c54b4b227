"""Cross-validate the calibration through the whole assistant.

    python -m evals.cross_validate --home FOLDER

Splits the cases of the suites daily-papers and demo into five folds. Each fold is answered with a
calibration that was fitted on the other four folds and on the questions of evals/answerability/.
The table compares the suites' measures over these held-out answers with the measures of the
shipped calibration, which was fitted on all cases. FOLDER stores the suites' libraries (by default
the user's data folder, as for `rag eval`). The folder --out gets two runs, shipped and held-out,
for `rag eval compare`, and the five calibrations.
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
# (type, measure) of the figures that the two calibrated models influence.
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
class ComparedFigure:
    """A figure with the shipped calibration, and over the answers to held-out questions."""

    suite: str
    type: str
    measure: str
    shipped: float
    held_out: float
    cases: int


@dataclass(frozen=True, slots=True)
class FoldedSuite:
    """A suite split into folds (id -> fold), with the features of each question.

    `always` are the observations of evals/answerability/, which the answerability model of every
    fold is fitted on.
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
    """Return the run with the shipped calibration, and the run over the held-out folds.

    Interrupted runs in `out` are continued. Raises InputError if a suite can't be loaded, or if
    `out` contains runs of other code, data or configuration. Raises ConfigError if a calibration
    other than the shipped one is configured.
    """
    config = settled(load_config(home=home), quotes=True)
    if config.answer.calibration:
        raise ConfigError(
            "cross-validation compares with the shipped calibration; leave answer.calibration empty"
        )
    shipped = run(suites, home=home, data=data, out=out / "shipped", quotes=True, say=say)
    context = Context(config, data_folder(data), say=say)
    folded = [_split(load(name, context), context, seed) for name in suites]
    info = describe(config, [part.suite for part in folded])
    # Another seed makes other folds, so its answers must not continue this run.
    info |= {"name": "held out", "fingerprint": f"{info['fingerprint']}-{seed}"}
    recorder = Recorder(out / "held-out", info)
    for fold in range(FOLDS):
        say(f"fold {fold + 1} of {FOLDS}")
        path = out / f"calibration-{fold + 1}.json"
        write(
            path,
            calibrate(
                training(folded, fold), {part.suite.name: part.suite.data for part in folded}
            ),
        )
        fold_context = replace(context, config=_calibrated(config, path))
        for name, part in zip(suites, folded, strict=True):
            _answer(load(name, fold_context), part.folds, fold, recorder, say)
    recorder.finish()
    return shipped, runs.read(recorder.folder)


def folds(items: Iterable[Item], seed: int = SEED) -> dict[str, int]:
    """Assign each id to a fold, 0 to 4, with the cases of each type spread evenly.

    The folds depend only on the seed, the ids and the types, not on the order of `items`.
    """
    order = sorted(
        items, key=lambda item: (item.type, sha256(f"{seed} {item.id}".encode()).digest())
    )
    return {item.id: position % FOLDS for position, item in enumerate(order)}


def training(suites: Iterable[FoldedSuite], fold: int) -> list[Observed]:
    """Return the training set of a fold: the questions of the other folds, and all of `always`."""
    suites = list(suites)
    others = [
        observed
        for suite in suites
        for observed in suite.observed
        if suite.folds[observed.id] != fold
    ]
    return [*others, *(observed for suite in suites for observed in suite.always)]


def compare_figures(shipped: Run, held_out: Run) -> list[ComparedFigure]:
    """Compare the figures that the calibration influences and that both runs have."""
    first, second = (_selected(run) for run in (shipped, held_out))
    return [
        ComparedFigure(*key, estimate.value, second[key].value, estimate.n)
        for key, estimate in first.items()
        if key in second
    ]


def _split(suite: Loaded, context: Context, seed: int) -> FoldedSuite:
    context.say(f"{suite.name}: searching, to compute the features of its questions")
    with context.assistant(suite.name) as assistant:
        observed = observe(assistant, [case for case in suite.cases if isinstance(case, Case)])
        more = ANSWERABILITY / f"{suite.name}.jsonl"  # missing for a user's own suite
        always = observe_answerability(
            assistant, read_cases(more, Names(assistant.papers())) if more.is_file() else ()
        )
    suite.close()
    off_topic = [question for question in observed if question.type == OFF_TOPIC]
    return FoldedSuite(suite, folds([*suite.cases, *off_topic], seed), observed, always)


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


def _selected(run: Run) -> dict[tuple[str, str, str], Estimate]:
    estimates = {
        (figure.suite, figure.type, figure.measure): figure.estimate for figure in figures(run.rows)
    }
    keys = [(suite, *measure) for suite in run.data for measure in MEASURES]
    return {key: estimates[key] for key in keys if key in estimates}


def main(arguments: Sequence[str]) -> None:
    """Cross-validate, and print the comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, help="the folder of the suites' libraries")
    parser.add_argument(
        "--data", type=Path, help="the folder of the data sets, by default ../shared/datasets"
    )
    parser.add_argument(
        "--out", type=Path, default=ROOT / "cross-validated", help="the folder of the two runs"
    )
    parser.add_argument("--seed", type=int, default=SEED, help="the random seed of the folds")
    options = vars(parser.parse_args(arguments))
    _print(compare_figures(*cross_validate(SUITES, options.pop("out"), **options, say=_say)))


def _print(figures: Iterable[ComparedFigure]) -> None:
    columns = ["suite", "type", "measure", "cases", "shipped", "held out", "difference"]
    print_rows("Cross-validated", columns, map(_cells, figures))


def _cells(figure: ComparedFigure) -> list[str]:
    numbers = [
        str(figure.cases),
        shown(figure.shipped),
        shown(figure.held_out),
        f"{figure.held_out - figure.shipped:+.3f}",
    ]
    return [figure.suite, figure.type, figure.measure, *numbers]


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except RagError as error:
        sys.exit(f"evals.cross_validate: {error}")
