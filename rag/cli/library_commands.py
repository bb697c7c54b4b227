"""Commands on the papers of the library."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from rag.cli.commands import FAILED, AsJson, Home, Profile, app, models
from rag.cli.terminal import file_progress, model_progress, opened, print_blocks, print_json, say
from rag.errors import InputError


@app.command()
def ingest(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Files, or folders of them.")
    ],
    page_year: Annotated[
        int | None,
        typer.Option("--page-year", metavar="YEAR", help="The year of dates printed without one."),
    ] = None,
    home: Home = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Read papers into the library: saved Daily Papers pages (.txt), JSON Lines (.jsonl, .jsonl.gz)."""
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
        said = (
            ", ".join(f"{number} {outcome}" for outcome, number in counts.items()) or "nothing read"
        )
        typer.echo(f"{said}; {report.embedded} texts embedded in {report.seconds:.1f} s")
    for entry in report.failures:
        typer.echo(f"rag: {failure_line(entry)}", err=True)
    if report.failures:
        raise typer.Exit(FAILED)


@app.command()
def papers(home: Home = None, profile: Profile = None, as_json: AsJson = False) -> None:
    """List the library's papers; with --json one object a line."""
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
    identity: Annotated[str, typer.Argument(metavar="ID", help="A paper's id, arXiv id or DOI.")],
    home: Home = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Show one paper with its abstract and where it was seen."""
    from rag.output.plain_text import paper_lines
    from rag.records.json_format import paper_row

    with opened(home, profile) as assistant:
        paper = assistant.paper(identity)
    if as_json:
        print_json({**paper_row(paper), "abstract": paper.abstract, "text": paper.text})
    else:
        print_blocks([list(paper_lines(paper))])


@app.command()
def remove(
    identities: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of papers.")],
    home: Home = None,
    profile: Profile = None,
) -> None:
    """Take papers out of the library; the files they came from stay."""
    with opened(home, profile) as assistant:
        for identity in identities:
            typer.echo(f"removed {assistant.remove(identity).title}")


@app.command()
def status(
    home: Home = None,
    profile: Profile = None,
    ledger: Annotated[
        bool, typer.Option("--ledger", help="Also every entry of the last ingest.")
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
            source: {str(one): n for one, n in counts.items()}
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
        said = ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
        typer.echo(f"{'read':<10} {source}: {said}")
    for entry in entries:
        typer.echo(
            f"{entry.outcome:<10} {entry.source}, line {entry.line}: {entry.title or entry.reason}"
        )
    for entry in now.failures:
        if entry not in entries:
            typer.echo(f"failed     {failure_line(entry)}")


@app.command()
def rebuild(
    embed: Annotated[bool, typer.Option("--embed", help="Also embed all papers anew.")] = False,
    home: Home = None,
    profile: Profile = None,
) -> None:
    """Make the indexes anew from the catalog."""
    with opened(home, profile) as assistant:
        assistant.rebuild(embed=embed)
        typer.echo(f"rebuilt the indexes of {assistant.status().papers} papers")


@models.command()
def pull(
    llm: Annotated[
        bool,
        typer.Option("--llm", help="Fetch a language model that writes answers without a GPU."),
    ] = False,
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Which language model; see rag models list."),
    ] = None,
    profile: Profile = None,
) -> None:
    """Fetch the embedder's files, and make its graph, if they are not here yet; with --llm a language model."""
    if name and not llm:
        raise InputError(f"{name} names a language model: rag models pull --llm {name}")
    if llm:
        _pull_llm(name, profile)
        return
    with opened(None, profile) as assistant:
        identity = assistant.embedder.identity
    typer.echo(f"{identity} is ready")


def _pull_llm(name: str | None, profile: str | None) -> None:
    from rag.config import load_config
    from rag.llm import local_models as table

    cache = load_config(profile).llm.cache_folder
    model = table.named(name) if name else table.default(say)
    if not model.path(cache).is_file():
        say(f"{model.name}: {model.size / 1e9:.1f} GB ({model.licence}), kept in {cache}")
    with model_progress() as progress:
        path = table.pull(model, cache, progress)
    typer.echo(f"{model.name} is ready: {path}")


@models.command("list")
def list_models(profile: Profile = None) -> None:
    """Show the language models that run without a GPU: their sizes and licences, which are here, and which writes."""
    from rag.config import load_config
    from rag.llm import local_models as table

    config = table.settled(load_config(profile))
    cache = config.llm.cache_folder
    for model in table.MODELS:
        here = "here" if model.path(cache).is_file() else "-"
        writes = (
            config.writes and config.llm.engine == "llama.cpp" and config.llm.model == model.name
        )
        line = f"{model.name:<24}{model.size / 1e9:>4.1f} GB  {model.licence:<12}{here:<6}"
        typer.echo((line + ("writes the answers" if writes else "")).rstrip())
    typer.echo(f"kept in {cache}; fetch one with rag models pull --llm NAME")
