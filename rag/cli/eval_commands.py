"""Commands that measure the answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rag.cli.commands import FAILED, Home, Profile, Quotes, evaluation, feedback
from rag.cli.terminal import opened, say
from rag.errors import InputError

DataFolder = Annotated[
    Path | None,
    typer.Option(
        "--data", metavar="FOLDER", help="Where the data sets lie (by default ../shared/datasets)."
    ),
]


@evaluation.command("run")
def eval_run(
    suites: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SUITE...", help="Suites, or folders that are one (by default demo)."
        ),
    ] = None,
    data: DataFolder = None,
    questions: Annotated[
        Path | None,
        typer.Option(
            "--questions", metavar="FILE", help="Other questions for the one suite named."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FOLDER", help="The run's folder (by default a new one in runs/)."
        ),
    ] = None,
    quotes: Quotes = False,
    home: Home = None,
    profile: Profile = None,
) -> None:
    """Run suites: figures with intervals here, a report in the run's folder. The word run may be left out."""
    import evals
    from evals import tables

    done = evals.run(
        suites or ["demo"],
        home=home,
        profile=profile,
        data=data,
        questions=questions,
        out=out,
        quotes=quotes,
        say=say,
    )
    tables.print_figures(done)
    typer.echo(f"report: {done.folder / 'report.html'}")


@evaluation.command("compare")
def eval_compare(
    a: Annotated[Path, typer.Argument(metavar="RUN")],
    b: Annotated[Path, typer.Argument(metavar="RUN")],
) -> None:
    """Compare two runs case by case: which is better, by how much, and whether it is chance."""
    import evals
    from evals import tables

    tables.print_comparisons(evals.compare(evals.read(a), evals.read(b)))


@evaluation.command("gate")
def eval_gate(
    run: Annotated[Path, typer.Argument(metavar="RUN")],
    gates: Annotated[Path, typer.Argument(metavar="GATES")],
) -> None:
    """Check a run against a file of gates; status 1 where a figure falls short."""
    import evals
    from evals.comparing import check_gates

    checked = check_gates(evals.read(run), gates)
    for gate in checked:
        typer.echo(f"{'kept' if gate.kept else 'MISSED':<7}{gate}")
    if not all(gate.kept for gate in checked):
        raise typer.Exit(FAILED)


@evaluation.command("baselines")
def eval_baselines(
    suites: Annotated[list[str] | None, typer.Argument(metavar="SUITE...")] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="NAME", help="Only this baseline.")
    ] = None,
    answers: Annotated[
        bool,
        typer.Option(
            "--answers",
            help="Answer one suite by the profile's language model, not only find papers.",
        ),
    ] = False,
    questions: Annotated[
        Path | None,
        typer.Option("--questions", metavar="FILE", help="Other questions, with --answers."),
    ] = None,
    data: DataFolder = None,
    home: Home = None,
    profile: Profile = None,
) -> None:
    """Run the peers on the same papers and questions, each in an environment of its own."""
    from evals import peer_answers, peers, tables

    names = suites or ["demo"]
    if (answers and len(names) > 1) or (questions and not answers):
        raise InputError("--answers goes with one suite, --questions with --answers")
    if answers:
        done_runs = peer_answers.run(
            names[0], only, questions=questions, home=home, profile=profile, data=data, say=say
        )
    else:
        done_runs = peers.run(names, only, home=home, profile=profile, data=data, say=say)
    for done in done_runs:
        tables.print_figures(done)
        typer.echo(f"{done.folder}\n")


@feedback.command("export")
def feedback_export(
    target: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A new folder, or a new .jsonl file.")
    ],
    home: Home = None,
    profile: Profile = None,
) -> None:
    """Write the feedback as a suite: rag eval FOLDER then asks the same questions again."""
    from evals.feedback import write_suite
    from rag.conversations.journal import Journal

    with opened(home, profile) as assistant:
        judged = Journal(assistant.config.folder).feedback()
        cases, apart = write_suite(assistant.papers(), judged, target)
    typer.echo(
        f"{cases} judged questions and {apart} apart, without a judgement of papers, in {target}"
    )
