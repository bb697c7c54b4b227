"""Commands that manage the library's papers and the models."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from rag.cli.commands import FAILED, AsJson, Home, Profile, app, models
from rag.cli.terminal import file_progress, model_progress, opened, print_blocks, print_json, say
from rag.errors import InputError


@app.command()
def ingest(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files or folders.")],
    page_year: Annotated[
        int | None,
        typer.Option(
            "--page-year", metavar="YEAR", help="The year of dates that are printed without a year."
        ),
    ] = None,
    home: Home = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Add papers to the library: Daily Papers pages (.txt), JSON Lines (.jsonl, .jsonl.gz)."""
    from rag.output.plain_text import failure_line
    from rag.records.json_format import ledger_row

    with opened(home, profile) as assistant, file_progress(quiet=as_json) as progress:
        report = assistant.ingest(paths, page_year, progress)
    counts = {str(outcome): number for outcome, number in report.counts.items()}
    if as_json:
        ledger = [ledger_row(entry) for entry in report.entries]
        print_json(
            {
                "counts": counts,
                "embedded": report.embedded,
                "seconds": report.seconds,
                "ledger": ledger,
            }
        )
    else:
        summary = ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
        summary = summary or "nothing read"
        typer.echo(f"{summary}; {report.embedded} texts embedded in {report.seconds:.1f} s")
    for entry in report.failures:
        typer.echo(f"rag: {failure_line(entry)}", err=True)
    if report.failures:
        raise typer.Exit(FAILED)


@app.command()
def papers(home: Home = None, profile: Profile = None, as_json: AsJson = False) -> None:
    """List the library's papers; with --json one object per line."""
    from rag.output.plain_text import facts
    from rag.records.json_format import paper_row

    with opened(home, profile) as assistant:
        for paper in assistant.papers():
            if as_json:
                typer.echo(json.dumps(paper_row(paper), ensure_ascii=False))
            else:
                typer.echo(f"{paper.id}  {paper.title} ({facts(paper)})")


@app.command()
def show(
    paper_id: Annotated[str, typer.Argument(metavar="ID", help="A paper's id, arXiv id or DOI.")],
    home: Home = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Show a paper with its abstract and the places where it was found."""
    from rag.output.plain_text import paper_lines
    from rag.records.json_format import paper_row

    with opened(home, profile) as assistant:
        paper = assistant.paper(paper_id)
    if as_json:
        print_json({**paper_row(paper), "abstract": paper.abstract, "text": paper.text})
    else:
        print_blocks([list(paper_lines(paper))])


@app.command()
def remove(
    paper_ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of papers.")],
    home: Home = None,
    profile: Profile = None,
) -> None:
    """Remove papers from the library; the files that they came from are kept."""
    with opened(home, profile) as assistant:
        for paper_id in paper_ids:
            typer.echo(f"removed {assistant.remove(paper_id).title}")


@app.command()
def status(
    home: Home = None,
    profile: Profile = None,
    ledger: Annotated[
        bool, typer.Option("--ledger", help="Also show every entry of the last ingest.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what the library holds, the state of its indexes, and what could not be read."""
    from rag.output.plain_text import failure_line
    from rag.records.json_format import ledger_row

    with opened(home, profile) as assistant:
        now = assistant.status()
        entries = assistant.library.catalog.ledger() if ledger else []
    shown = {
        "home": str(now.folder),
        "papers": now.papers,
        "passages": now.passages,
        "sentences": now.sentences,
        "generation": now.generation,
        "embedder": now.embedder,
        "indexes": dict(now.indexes),
        "files": {
            source: {str(outcome): number for outcome, number in counts.items()}
            for source, counts in now.files.items()
        },
        "failures": [ledger_row(entry) for entry in now.failures],
    }
    if as_json:
        print_json(
            {**shown, **({"ledger": [ledger_row(entry) for entry in entries]} if ledger else {})}
        )
        return
    for key in ("home", "papers", "passages", "sentences", "embedder"):
        typer.echo(f"{key:<10} {shown[key]}")
    typer.echo(
        f"{'indexes':<10} " + ", ".join(f"{name} {state}" for name, state in now.indexes.items())
    )
    for source, counts in now.files.items():
        summary = ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
        typer.echo(f"{'read':<10} {source}: {summary}")
    for entry in entries:
        typer.echo(
            f"{entry.outcome:<10} {entry.source}, line {entry.line}: {entry.title or entry.reason}"
        )
    for entry in now.failures:
        if entry not in entries:
            typer.echo(f"failed     {failure_line(entry)}")


@app.command()
def rebuild(
    embed: Annotated[bool, typer.Option("--embed", help="Also embed all papers again.")] = False,
    home: Home = None,
    profile: Profile = None,
) -> None:
    """Rebuild the indexes from the catalog."""
    with opened(home, profile) as assistant:
        assistant.rebuild(embed=embed)
        number = assistant.status().papers
        typer.echo(f"rebuilt the indexes of {number} paper{'' if number == 1 else 's'}")


@models.command()
def pull(
    llm: Annotated[
        bool,
        typer.Option("--llm", help="Download a language model that writes answers without a GPU."),
    ] = False,
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="The language model; see rag models list."),
    ] = None,
    profile: Profile = None,
) -> None:
    """Download the embedder if it is missing; with --llm a language model."""
    if name and not llm:
        raise InputError(f"{name} is a language model; fetch it with: rag models pull --llm {name}")
    if llm:
        _pull_llm(name, profile)
        return
    with opened(None, profile) as assistant:
        embedder_id = assistant.embedder.identity
    typer.echo(f"{embedder_id} is ready")


def _pull_llm(name: str | None, profile: str | None) -> None:
    from rag.config import load_config
    from rag.llm import local_models

    cache = load_config(profile).llm.cache_folder
    model = local_models.named(name) if name else local_models.default(say)
    if not model.path(cache).is_file():
        say(f"{model.name}: {model.size / 1e9:.1f} GB ({model.licence}), kept in {cache}")
    with model_progress() as progress:
        path = local_models.pull(model, cache, progress)
    typer.echo(f"{model.name} is ready: {path}")


@models.command("list")
def list_models(profile: Profile = None) -> None:
    """List the language models that run without a GPU: size, licence, state."""
    from rag.config import load_config
    from rag.llm import local_models

    config = local_models.settled(load_config(profile))
    cache = config.llm.cache_folder
    for model in local_models.MODELS:
        here = "here" if model.path(cache).is_file() else "-"
        writes = (
            config.writes and config.llm.engine == "llama.cpp" and config.llm.model == model.name
        )
        line = f"{model.name:<24}{model.size / 1e9:>4.1f} GB  {model.licence:<12}{here:<6}"
        typer.echo((line + ("writes the answers" if writes else "")).rstrip())
    typer.echo(f"models are kept in {cache}; fetch one with rag models pull --llm NAME")
