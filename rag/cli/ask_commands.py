"""Commands that ask questions about the papers: ask, replay, chat, search and demo."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.cli.commands import FAILED, AsJson, Home, Profile, Quotes, app
from rag.cli.samples import ingest_samples, sample_home
from rag.cli.terminal import opened, print_blocks, print_json
from rag.errors import InputError

if TYPE_CHECKING:
    from rag.assistant import Assistant
    from rag.records import Answer, Event, Scope, Turn

_Question = Annotated[str, typer.Argument(metavar="QUESTION", show_default=False)]
_DEMO_QUESTION = "which papers study density ratios in RL?"


# Options of `rag ask`.
_History = Annotated[
    Path | None,
    typer.Option("--history", metavar="FILE", help="Earlier turns: a JSON list of {role, text}."),
]
_NoFilters = Annotated[
    bool,
    typer.Option(
        "--no-filters",
        help="Search for all words; do not filter or order the papers by any of them.",
    ),
]
_FromYear = Annotated[
    int | None,
    typer.Option("--from-year", metavar="YEAR", help="Only papers of this year or later."),
]
_ToYear = Annotated[
    int | None,
    typer.Option("--to-year", metavar="YEAR", help="Only papers of this year or earlier."),
]
_Sources = Annotated[
    list[str] | None,
    typer.Option("--source", metavar="FILE", help="Only papers from this file; may be repeated."),
]
_Organisations = Annotated[
    list[str] | None,
    typer.Option(
        "--organisation",
        metavar="NAME",
        help="Only papers by this organisation; may be repeated.",
    ),
]
_PaperIds = Annotated[
    list[str] | None,
    typer.Option("--paper", metavar="ID", help="Only this paper; may be repeated."),
]
_ExportTo = Annotated[
    Path | None,
    typer.Option(
        "--export", metavar="FILE", help="Also write the answer to a .md, .bib or .json file."
    ),
]
_ShowAll = Annotated[bool, typer.Option("--all", help="Print all papers of a long list.")]
_Save = Annotated[
    Path | None,
    typer.Option(
        "--save",
        metavar="FILE",
        help="Save the answer with its passages, prompts and settings, for rag replay.",
    ),
]


@app.command()
def ask(
    question: _Question,
    history: _History = None,
    no_filters: _NoFilters = False,
    from_year: _FromYear = None,
    to_year: _ToYear = None,
    sources: _Sources = None,
    organisations: _Organisations = None,
    paper_ids: _PaperIds = None,
    export_to: _ExportTo = None,
    show_all: _ShowAll = False,
    save: _Save = None,
    quotes: Quotes = False,
    home: Home = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Answer a question; every sentence of the answer cites the sentences that support it."""
    from rag.output import bundle
    from rag.output.export import export, exportable
    from rag.records import Scope
    from rag.records.json_format import answer_row

    # Check the target files first: an answer can take minutes.
    if export_to:
        exportable(export_to)
    if save and bundle.savable(save) == export_to:
        raise InputError(f"--save and --export both name {save}; give two different files")
    scope = Scope(
        from_year, to_year, tuple(sources or ()), tuple(organisations or ()), tuple(paper_ids or ())
    )
    with opened(home, profile, quotes=quotes) as assistant:
        turns = _read_history(history)
        if as_json:
            answer = assistant.ask(question, turns, filters=not no_filters, scope=scope)
            print_json(answer_row(answer))
        else:
            answer = print_answer(
                assistant, question, turns, filters=not no_filters, scope=scope, show_all=show_all
            )
        if save is not None:
            bundle.save(bundle.pack(answer, turns, assistant.config, filters=not no_filters), save)
    if export_to:
        export(export_to, [answer])


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that rag ask --save wrote.")],
    home: Home = None,
    profile: Profile = None,
) -> None:
    """Ask a saved question again and show the differences; status 1 if the answer differs."""
    from rag.output import bundle
    from rag.records.json_format import turns_from

    before = bundle.load(file)
    # Use the profile that the saved answer was made with, unless the user names another.
    replayed_profile = profile or os.environ.get("RAG_PROFILE") or before.config.get("profile")
    quotes = before.config.get("answer.synthesizer") == "extractive"
    with opened(home, replayed_profile, quotes=quotes) as assistant:
        turns = turns_from(before.history)
        answer = assistant.ask(before.question, turns, filters=before.filters, scope=before.scope)
        after = bundle.pack(answer, turns, assistant.config, filters=before.filters)
    for line in bundle.differences(before, after):
        typer.echo(line)
    if not bundle.same_answer(before, after):
        raise typer.Exit(FAILED)
    typer.echo("the same answer")


@app.command()
def chat(quotes: Quotes = False, home: Home = None, profile: Profile = None) -> None:
    """Ask several questions in one conversation; each may refer to earlier ones.

    An empty line or Ctrl-D ends the chat.
    """
    from rag.records.json_format import turns_from

    history: list[Turn] = []
    with opened(home, profile, quotes=quotes) as assistant:
        papers = assistant.status().papers
        assistant.warm()
        typer.echo(f"{papers} papers. Type a question; an empty line ends the chat.")
        while question := _next_question():
            try:
                answer = print_answer(assistant, question, history)
            except InputError as error:
                typer.echo(f"rag: {error}", err=True)
                continue
            history += turns_from([answer])


@app.command()
def search(
    question: _Question,
    k: Annotated[int | None, typer.Option("-k", metavar="N", help="The number of papers.")] = None,
    budget: Annotated[
        int | None,
        typer.Option(
            "--budget",
            metavar="TOKENS",
            help="Only the best passages that together fit this number of tokens.",
        ),
    ] = None,
    home: Home = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Show the papers that a question finds, and the search stages that found them."""
    from rag.output.plain_text import hit_lines
    from rag.records.json_format import hit_row

    with opened(home, profile) as assistant:
        hits = assistant.search(question, k)
    if budget is not None:
        from rag.text.tokens import fitting

        fitting_hits = fitting([hit.text for hit in hits], budget)
        if not fitting_hits:
            raise InputError(f"not even the first passage fits {budget} tokens")
        hits = hits[:fitting_hits]
    if as_json:
        print_json([hit_row(hit) for hit in hits])
    else:
        print_blocks([list(hit_lines(hit)) for hit in hits])


@app.command()
def demo(
    question: Annotated[str, typer.Argument(metavar="QUESTION")] = _DEMO_QUESTION,
    quotes: Quotes = False,
    home: Home = None,
    profile: Profile = None,
) -> None:
    """Ingest the bundled sample papers and answer a question about them."""
    with opened(sample_home(home, profile), profile, quotes=quotes) as assistant:
        ingest_samples(assistant)
        typer.echo(f"\n> {question}\n")
        print_answer(assistant, question, [])


def print_answer(
    assistant: Assistant,
    question: str,
    history: Sequence[Turn],
    *,
    filters: bool = True,
    scope: Scope | None = None,
    show_all: bool = False,
) -> Answer:
    """Print an answer while it is produced, then its sources, and return it.

    Of a long list only the first papers are printed, unless `show_all` is set.
    """
    from rag.output import plain_text
    from rag.records import Finished, Notice, Preview, Scope, Statement

    limit = None if show_all else plain_text.MAX_LISTED
    titles: list[str] = []  # of the papers listed so far; several statements may share one
    events = assistant.ask_stream(question, history, filters=filters, scope=scope or Scope())
    for event in _with_stages(events):
        if isinstance(event, Statement):
            titles += [event.title] if event.title and event.title not in titles else []
            if limit is None or len(titles) <= limit:
                print_blocks([list(plain_text.statement_lines(event))])
        elif isinstance(event, Notice):
            print_blocks([list(plain_text.notice_lines(event))])
        elif isinstance(event, Preview):
            print_blocks([list(plain_text.preview_lines(event.statement))])
        elif isinstance(event, Finished):
            answer = event.answer
            not_printed = len(titles) - limit if limit is not None else 0
            blocks = (
                list(plain_text.refusal_lines(answer)) if answer.refusal else [],
                [plain_text.rest_line(not_printed)] if not_printed > 0 else [],
                list(plain_text.source_lines(answer, limit)),
                list(plain_text.near_miss_lines(answer)),
                list(
                    plain_text.excluded_lines(answer, None if show_all else plain_text.MAX_EXCLUDED)
                ),
                [plain_text.closing_line(answer)],
            )
            print_blocks([lines for lines in blocks if lines])
            return answer
    raise AssertionError("the stream ends with Finished")


def _with_stages(events: Iterator[Event]) -> Iterator[Event]:
    """Pass the events on; on a terminal, show the current stage on standard error meanwhile."""
    from rag.records import Stage

    def show(text: str) -> None:
        if sys.stderr.isatty():
            # Return to the start of the line and erase it, so that stages replace each other.
            typer.echo(f"\r\x1b[K{text}", err=True, nl=False)

    try:
        for event in events:
            show(event.text if isinstance(event, Stage) else "")
            yield event
    finally:
        show("")


def _read_history(path: Path | None) -> list[Turn]:
    from rag.records.json_format import read_json, turns_from

    if path is None:
        return []
    rows = read_json(path, "history")
    if not isinstance(rows, list):
        raise InputError(f"the history {path} must be a JSON list of turns")
    return turns_from(rows)


def _next_question() -> str:
    try:
        return input("> " if sys.stdin.isatty() else "").strip()
    except EOFError:
        return ""
