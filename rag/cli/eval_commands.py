"""Commands that evaluate the answers and export feedback."""

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
        "--data",
        metavar="FOLDER",
        help="The folder of the data sets (default: ../shared/datasets).",
    ),
]


@evaluation.command("run")
def eval_run(
    suites: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SUITE...", help="Names of suites, or folders with a suite (default: demo)."
        ),
    ] = None,
    data: DataFolder = None,
    questions: Annotated[
        Path | None,
        typer.Option(
            "--questions",
            metavar="FILE",
            help="Questions to use instead of the suite's; with one suite only.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FOLDER", help="The run's folder (default: a new one in runs/)."
        ),
    ] = None,
    quotes: Quotes = False,
    home: Home = None,
    profile: Profile = None,
) -> None:
    """Run suites; print scores with intervals and write a report.

    The word "run" may be omitted: rag eval demo.
    """
    import evals
    from evals import tables

    result = evals.run(
        suites or ["demo"],
        home=home,
        profile=profile,
        data=data,
        questions=questions,
        out=out,
        quotes=quotes,
        say=say,
    )
    tables.print_figures(result)
    typer.echo(f"report: {result.folder / 'report.html'}")


@evaluation.command("compare")
def eval_compare(
    a: Annotated[Path, typer.Argument(metavar="RUN")],
    b: Annotated[Path, typer.Argument(metavar="RUN")],
) -> None:
    """Compare two runs case by case: which is better, by how much, and if it may be chance."""
    import evals
    from evals import tables

    tables.print_comparisons(evals.compare(evals.read(a), evals.read(b)))


@evaluation.command("gate")
def eval_gate(
    run: Annotated[Path, typer.Argument(metavar="RUN")],
    gates: Annotated[Path, typer.Argument(metavar="GATES")],
) -> None:
    """Check a run against a file of gates; status 1 if a figure misses its gate."""
    import evals
    from evals.comparing import check_gates

    checked = check_gates(evals.read(run), gates)
    for gate in checked:
        typer.echo(f"{'passed' if gate.kept else 'FAILED':<7}{gate}")
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
            help="Also write answers with the profile's language model; for one suite.",
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
    """Run other systems on the same papers and questions, each in its own environment."""
    from evals import peer_answers, peers, tables

    names = suites or ["demo"]
    if (answers and len(names) > 1) or (questions and not answers):
        raise InputError("--answers needs exactly one suite, and --questions needs --answers")
    if answers:
        results = peer_answers.run(
            names[0], only, questions=questions, home=home, profile=profile, data=data, say=say
        )
    else:
        results = peers.run(names, only, home=home, profile=profile, data=data, say=say)
    for result in results:
        tables.print_figures(result)
        typer.echo(f"{result.folder}\n")


@feedback.command("export")
def feedback_export(
    target: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A new folder, or a new .jsonl file.")
    ],
    home: Home = None,
    profile: Profile = None,
) -> None:
    """Write the feedback as a suite: rag eval FOLDER asks the same questions again."""
    from evals.feedback import write_suite
    from rag.conversations.journal import Journal

    with opened(home, profile) as assistant:
        judged = Journal(assistant.config.folder).feedback()
        cases, unused = write_suite(assistant.papers(), judged, target)
    typer.echo(
        f"{cases} judged questions, and {unused} "
        f"that do not say which papers are right, in {target}"
    )
