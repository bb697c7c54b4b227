"""`rag ...`: the command line. Heavy libraries are imported inside the commands that need them."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from rag.errors import InputError, RagError

if TYPE_CHECKING:
    from rag.assistant import Assistant
    from rag.records import Answer, Event, Scope, Turn

app = typer.Typer(
    help="Questions over scientific papers, answered with the exact sentences that support each claim.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
models = typer.Typer(help="The embedder's files.", no_args_is_help=True)
app.add_typer(models, name="models")
llm = typer.Typer(help="The language model's server.", no_args_is_help=True)
app.add_typer(llm, name="llm")


class _RunByDefault(TyperGroup):
    """`rag eval daily-papers` means `rag eval run daily-papers`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put in the command where none is named."""
        if not args or (args[0] not in self.commands and args[0] != "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


evaluation = typer.Typer(help="Measure how good the answers are.", cls=_RunByDefault)
app.add_typer(evaluation, name="eval")
feedback = typer.Typer(help="What readers think of the answers.", no_args_is_help=True)
app.add_typer(feedback, name="feedback")

Home = Annotated[
    str | None, typer.Option("--home", metavar="FOLDER", help="The library's folder (RAG_HOME; by default the user's).")
]
Profile = Annotated[
    str | None, typer.Option("--profile", metavar="NAME", help="A profile in configs/, or a .toml file (RAG_PROFILE).")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Question = Annotated[str, typer.Argument(metavar="QUESTION", show_default=False)]

_DEMO_QUESTION = "which papers study density ratios in RL?"
_FAILED, _WRONG, _INTERRUPTED = 1, 2, 130


@app.command()
def ingest(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files, or folders of them.")],
    page_year: Annotated[
        int | None, typer.Option("--page-year", metavar="YEAR", help="The year of dates printed without one.")
    ] = None,
    home: Home = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Read papers into the library: saved Daily Papers pages (.txt), JSON Lines (.jsonl, .jsonl.gz)."""
    from rag.printing import failure_line
    from rag.wire import ledger_row

    with _assistant(home, profile) as assistant, _file_progress(quiet=as_json) as progress:
        report = assistant.ingest(paths, page_year, progress)
    counts = {str(outcome): number for outcome, number in report.counts.items()}
    if as_json:
        ledger = [ledger_row(entry) for entry in report.entries]
        _print_json({"counts": counts, "embedded": report.embedded, "seconds": report.seconds, "ledger": ledger})
    else:
        said = ", ".join(f"{number} {outcome}" for outcome, number in counts.items()) or "nothing read"
        typer.echo(f"{said}; {report.embedded} texts embedded in {report.seconds:.1f} s")
    for entry in report.failures:
        typer.echo(f"rag: {failure_line(entry)}", err=True)
    if report.failures:
        raise typer.Exit(_FAILED)


@app.command()
def ask(
    question: Question,
    history: Annotated[
        Path | None, typer.Option("--history", metavar="FILE", help="Earlier turns: a JSON list of {role, text}.")
    ] = None,
    no_filters: Annotated[
        bool, typer.Option("--no-filters", help="Search for all words; let none of them filter or order the papers.")
    ] = False,
    from_year: Annotated[int | None, typer.Option("--from-year", metavar="YEAR", help="Only papers since.")] = None,
    to_year: Annotated[int | None, typer.Option("--to-year", metavar="YEAR", help="Only papers until.")] = None,
    sources: Annotated[
        list[str] | None, typer.Option("--source", metavar="FILE", help="Only papers of this file; may be repeated.")
    ] = None,
    organisations: Annotated[
        list[str] | None, typer.Option("--organisation", metavar="NAME", help="Only papers by it; may be repeated.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--paper", metavar="ID", help="Only this paper; may be repeated.")
    ] = None,
    export_to: Annotated[
        Path | None, typer.Option("--export", metavar="FILE", help="Also write it to a .md, .bib or .json file.")
    ] = None,
    whole: Annotated[bool, typer.Option("--all", help="Print all papers of a long list.")] = False,
    save: Annotated[
        Path | None, typer.Option("--save", metavar="FILE", help="Keep the answer and all that it came from.")
    ] = None,
    home: Home = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Ask the papers; every sentence of the answer shows the sentences that support it."""
    from rag import bundle
    from rag.exporting import export, exportable
    from rag.records import Scope
    from rag.wire import answer_row

    if export_to:
        exportable(export_to)
    scope = Scope(from_year, to_year, tuple(sources or ()), tuple(organisations or ()), tuple(only or ()))
    with _assistant(home, profile) as assistant:
        turns = _read_history(history)
        if as_json:
            answer = assistant.ask(question, turns, filters=not no_filters, scope=scope)
            _print_json(answer_row(answer))
        else:
            answer = _print_answer(assistant, question, turns, filters=not no_filters, scope=scope, whole=whole)
        if save is not None:
            bundle.save(bundle.pack(answer, turns, assistant.config, filters=not no_filters), save)
    if export_to:
        export(export_to, [answer])


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What rag ask --save wrote.")],
    home: Home = None,
    profile: Profile = None,
) -> None:
    """Ask a saved question again and show what differs; status 1 where the answer does."""
    from rag import bundle
    from rag.wire import turns_from

    before = bundle.load(file)
    known = profile or os.environ.get("RAG_PROFILE") or before.config.get("profile")
    with _assistant(home, known) as assistant:
        turns = turns_from(before.history)
        answer = assistant.ask(before.question, turns, filters=before.filters, scope=before.scope)
        after = bundle.pack(answer, turns, assistant.config, filters=before.filters)
    for line in bundle.differences(before, after):
        typer.echo(line)
    if not bundle.same_answer(before, after):
        raise typer.Exit(_FAILED)
    typer.echo("the same answer")


@app.command()
def chat(home: Home = None, profile: Profile = None) -> None:
    """Ask one question after the other; each may refer to those before. An empty line or Ctrl-D ends it."""
    history: list[Turn] = []
    with _assistant(home, profile) as assistant:
        papers = assistant.status().papers
        typer.echo(f"{papers} papers. Ask away; an empty line ends the chat.")
        while question := _next_question():
            try:
                answer = _print_answer(assistant, question, history)
            except InputError as error:
                typer.echo(f"rag: {error}", err=True)
                continue
            history += _turns(answer)


@app.command()
def search(
    question: Question,
    k: Annotated[int | None, typer.Option("-k", metavar="N", help="How many papers.")] = None,
    budget: Annotated[
        int | None, typer.Option("--budget", metavar="TOKENS", help="Only passages that fit so many tokens together.")
    ] = None,
    home: Home = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Show the papers a question finds, with the stages that found them."""
    from rag.printing import hit_lines
    from rag.wire import hit_row

    with _assistant(home, profile) as assistant:
        hits = assistant.search(question, k)
    if budget is not None:
        from rag.tokens import fitting

        fits = fitting([hit.text for hit in hits], budget)
        if not fits:
            raise InputError(f"not even the first passage fits {budget} tokens")
        hits = hits[:fits]
    if as_json:
        _print_json([hit_row(hit) for hit in hits])
    else:
        _print_blocks([list(hit_lines(hit)) for hit in hits])


@app.command()
def papers(home: Home = None, profile: Profile = None, as_json: AsJson = False) -> None:
    """List the library's papers; with --json one object a line."""
    from rag.printing import facts
    from rag.wire import paper_row

    with _assistant(home, profile) as assistant:
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
    from rag.printing import paper_lines
    from rag.wire import paper_row

    with _assistant(home, profile) as assistant:
        paper = assistant.paper(identity)
    if as_json:
        _print_json({**paper_row(paper), "abstract": paper.abstract, "text": paper.text})
    else:
        _print_blocks([list(paper_lines(paper))])


@app.command()
def remove(
    identities: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of papers.")],
    home: Home = None,
    profile: Profile = None,
) -> None:
    """Take papers out of the library; the files they came from stay."""
    with _assistant(home, profile) as assistant:
        for identity in identities:
            typer.echo(f"removed {assistant.remove(identity).title}")


@app.command()
def status(
    home: Home = None,
    profile: Profile = None,
    ledger: Annotated[bool, typer.Option("--ledger", help="Also every entry of the last ingest.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what the library holds, the state of its indexes, and what could not be read."""
    from rag.printing import failure_line
    from rag.wire import ledger_row

    with _assistant(home, profile) as assistant:
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
        "files": {source: {str(one): n for one, n in counts.items()} for source, counts in now.files.items()},
        "failures": [ledger_row(entry) for entry in now.failures],
    }
    if as_json:
        _print_json({**shown, **({"ledger": [ledger_row(entry) for entry in entries]} if ledger else {})})
        return
    for key in ("home", "papers", "passages", "sentences", "embedder"):
        typer.echo(f"{key:<10} {shown[key]}")
    typer.echo(f"{'indexes':<10} " + ", ".join(f"{name} {state}" for name, state in now.indexes.items()))
    for source, counts in now.files.items():
        said = ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
        typer.echo(f"{'read':<10} {source}: {said}")
    for entry in entries:
        typer.echo(f"{entry.outcome:<10} {entry.source}, line {entry.line}: {entry.title or entry.reason}")
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
    with _assistant(home, profile) as assistant:
        assistant.rebuild(embed=embed)
        typer.echo(f"rebuilt the indexes of {assistant.status().papers} papers")


@models.command()
def pull(profile: Profile = None) -> None:
    """Fetch the embedder's files, and make its graph, if they are not here yet."""
    with _assistant(None, profile) as assistant:
        identity = assistant.embedder.identity
    typer.echo(f"{assistant.config.embedder.model} is ready ({identity.precision}, {identity.dimension} dimensions)")


@llm.callback()
def _llm() -> None:
    """Keeps `serve` a command of its own, though there is no other yet."""


@llm.command()
def serve(
    flags: Annotated[list[str] | None, typer.Argument(metavar="-- FLAG...", help="More flags for vllm serve.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Don't look at the GPUs first.")] = False,
    log: Annotated[Path | None, typer.Option("--log", metavar="FILE", help="Where the server's log goes.")] = None,
    profile: Profile = None,
) -> None:
    """Start vLLM for the profile's model and keep it until Ctrl-C; `--profile gpu` where none is set."""
    import shlex

    import platformdirs

    from rag.config import APP, load_config
    from rag.llm import serving

    config = load_config(profile).llm
    line = serving.command_line(config, flags or ())
    typer.echo(shlex.join(line))
    if not force:
        serving.check_cards(config, serving.cards())
    serving.serve(line, config, log or platformdirs.user_log_path(APP) / "vllm.log", _say)


@app.command()
def demo(
    question: Annotated[str, typer.Argument(metavar="QUESTION")] = _DEMO_QUESTION,
    home: Home = None,
    profile: Profile = None,
) -> None:
    """Ingest the bundled sample library and ask it a question."""
    with _assistant(_sample_home(home, profile), profile) as assistant:
        _ingest_samples(assistant)
        typer.echo(f"\n> {question}\n")
        _print_answer(assistant, question, [])


@app.command()
def ui(
    home: Home = None,
    profile: Profile = None,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="The address to serve at.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65535, help="The port (by default the first free from 7860).")
    ] = None,
    auth: Annotated[
        Path | None, typer.Option("--auth", metavar="FILE", help="Ask for a name and a password; see `rag user`.")
    ] = None,
    share: Annotated[bool, typer.Option("--share", help="Put the page on the internet by Gradio's relay.")] = False,
    browser: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    samples: Annotated[bool, typer.Option("--demo", help="Show the sample library of rag demo.")] = False,
) -> None:
    """Serve the chat, the library and the evaluation as pages in the browser."""
    from ui.server import Address, serve

    address = Address(host, port, auth, share, browser)
    with _assistant(_sample_home(home, profile) if samples else home, profile) as assistant:
        if samples:
            _ingest_samples(assistant)
        serve(assistant, address, typer.echo)


@app.command()
def user(
    file: Annotated[Path, typer.Argument(metavar="FILE")], name: Annotated[str, typer.Argument(metavar="NAME")]
) -> None:
    """Set a user's password in a password file for `rag ui --auth FILE` (htpasswd's bcrypt format)."""
    from ui.users import keep_user

    keep_user(file, name, typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    typer.echo(f"{name} can log in with {file}")


DataFolder = Annotated[
    Path | None,
    typer.Option("--data", metavar="FOLDER", help="Where the data sets lie (by default ../shared/datasets)."),
]


@evaluation.command("run")
def eval_run(
    suites: Annotated[
        list[str] | None, typer.Argument(metavar="SUITE...", help="Suites, or folders that are one (by default demo).")
    ] = None,
    data: DataFolder = None,
    questions: Annotated[
        Path | None, typer.Option("--questions", metavar="FILE", help="Other questions for the one suite named.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="The run's folder (by default a new one in runs/).")
    ] = None,
    home: Home = None,
    profile: Profile = None,
) -> None:
    """Run suites: figures with intervals here, a report in the run's folder. The word run may be left out."""
    import evals
    from evals import terminal

    done = evals.run(suites or ["demo"], home=home, profile=profile, data=data, questions=questions, out=out, say=_say)
    terminal.print_figures(done)
    typer.echo(f"report: {done.folder / 'report.html'}")


@evaluation.command("compare")
def eval_compare(
    a: Annotated[Path, typer.Argument(metavar="RUN")], b: Annotated[Path, typer.Argument(metavar="RUN")]
) -> None:
    """Compare two runs case by case: which is better, by how much, and whether it is chance."""
    import evals
    from evals import terminal

    terminal.print_comparisons(evals.compare(evals.read(a), evals.read(b)))


@evaluation.command("gate")
def eval_gate(
    run: Annotated[Path, typer.Argument(metavar="RUN")], gates: Annotated[Path, typer.Argument(metavar="GATES")]
) -> None:
    """Check a run against a file of gates; status 1 where a figure falls short."""
    import evals
    from evals.comparing import check_gates

    checked = check_gates(evals.read(run), gates)
    for gate in checked:
        typer.echo(f"{'kept' if gate.kept else 'MISSED':<7}{gate}")
    if not all(gate.kept for gate in checked):
        raise typer.Exit(_FAILED)


@evaluation.command("baselines")
def eval_baselines(
    suites: Annotated[list[str] | None, typer.Argument(metavar="SUITE...")] = None,
    only: Annotated[list[str] | None, typer.Option("--only", metavar="NAME", help="Only this baseline.")] = None,
    data: DataFolder = None,
    home: Home = None,
    profile: Profile = None,
) -> None:
    """Run the peers on the same papers and questions, each in an environment of its own."""
    from evals import peers, terminal

    for done in peers.run(suites or ["demo"], only, home=home, profile=profile, data=data, say=_say):
        terminal.print_figures(done)
        typer.echo(f"{done.folder}\n")


@feedback.command("export")
def feedback_export(
    target: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder, or a new .jsonl file.")],
    home: Home = None,
    profile: Profile = None,
) -> None:
    """Write the feedback as a suite: rag eval FOLDER then asks the same questions again."""
    from evals.feedback import write_suite
    from rag.journal import Journal

    with _assistant(home, profile) as assistant:
        judged = Journal(assistant.config.folder).feedback()
        cases, apart = write_suite(assistant.papers(), judged, target)
    typer.echo(f"{cases} judged questions and {apart} apart, without a judgement of papers, in {target}")


def _say(line: str) -> None:
    typer.echo(line, err=True)


def main() -> None:
    """Run the command line; a failure is one line on standard error and a non-zero exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no umlaut is no reason to stop
    logging.basicConfig(level=logging.WARNING, format="rag: %(levelname)s: %(message)s", stream=sys.stderr)
    try:
        code = app(standalone_mode=False)
    except RagError as error:
        _fail(str(error), _WRONG)
    except typer.Abort:
        _fail("interrupted; what was stored before is safe", _INTERRUPTED)
    except KeyboardInterrupt:
        _fail("interrupted; what was stored before is safe", _INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output went away, which is its right.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_FAILED)
    except OSError as error:
        _fail(f"{error.filename or 'the system'}: {error.strerror or error}", _WRONG)
    except typer.TyperException as error:
        _fail(f"{error.format_message()} (rag --help shows the commands)", _WRONG)
    sys.exit(code or 0)


def _fail(message: str, code: int) -> None:
    sys.stderr.write("rag: " + " ".join(message.split()) + "\n")
    sys.exit(code)


@contextmanager
def _assistant(home: str | None, profile: str | None) -> Iterator[Assistant]:
    from rag.assistant import Assistant

    with _model_progress() as progress, Assistant.open(home, profile, progress) as assistant:
        yield assistant


def _sample_home(home: str | None, profile: str | None) -> str:
    """A library of its own, so that the samples never mix with the user's papers."""
    from rag.config import load_config

    return str(load_config(profile, home).folder / "demo")


def _ingest_samples(assistant: Assistant) -> None:
    from rag.data import shipped

    with _file_progress(quiet=False) as progress:
        report = assistant.ingest([shipped("sample.jsonl")], progress=progress)
    number = sum(report.counts.values())
    typer.echo(f"{number} sample papers (summaries in our own words) in {assistant.config.folder}")


def _print_answer(
    assistant: Assistant,
    question: str,
    history: Sequence[Turn],
    *,
    filters: bool = True,
    scope: Scope | None = None,
    whole: bool = False,
) -> Answer:
    """Print an answer as it comes, then its sources; of a long list only its beginning, unless it is wanted whole."""
    from rag import printing
    from rag.records import Finished, Notice, Scope, Statement

    most = None if whole else printing.MOST_LISTED
    listed: list[str] = []
    events = assistant.ask_stream(question, history, filters=filters, scope=scope or Scope())
    for event in _with_stages(events):
        if isinstance(event, Statement):
            listed += [event.title] if event.title and event.title not in listed else []
            if most is None or len(listed) <= most:
                _print_blocks([list(printing.statement_lines(event))])
        elif isinstance(event, Notice):
            _print_blocks([list(printing.notice_lines(event))])
        elif isinstance(event, Finished):
            answer = event.answer
            left = len(listed) - most if most is not None else 0
            blocks = (
                list(printing.refusal_lines(answer)) if answer.refusal else [],
                [printing.rest_line(left)] if left > 0 else [],
                list(printing.source_lines(answer, most)),
                list(printing.perhaps_lines(answer)),
                list(printing.excluded_lines(answer, None if whole else printing.MOST_EXCLUDED)),
                [printing.closing_line(answer)],
            )
            _print_blocks([lines for lines in blocks if lines])
            return answer
    raise AssertionError("the stream ends with Finished")


def _with_stages(events: Iterator[Event]) -> Iterator[Event]:
    """The events; on a terminal what is being done stands on standard error until the next one comes."""
    from rag.records import Stage

    def show(text: str) -> None:
        if sys.stderr.isatty():
            typer.echo(f"\r\x1b[K{text}", err=True, nl=False)

    try:
        for event in events:
            show(event.text if isinstance(event, Stage) else "")
            yield event
    finally:
        show("")


def _turns(answer: Answer) -> list[Turn]:
    from rag.wire import turns_from

    return turns_from([answer])


def _read_history(path: Path | None) -> list[Turn]:
    from rag.wire import turns_from

    if path is None:
        return []
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"the history {path} can't be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"the history {path} is no JSON: {error}") from None
    if not isinstance(rows, list):
        raise InputError(f"the history {path} must be a JSON list of turns")
    return turns_from(rows)


def _next_question() -> str:
    try:
        return input("> " if sys.stdin.isatty() else "").strip()
    except EOFError:
        return ""


def _print_blocks(blocks: Sequence[Sequence[str]]) -> None:
    for block in blocks:
        typer.echo("\n".join(block) + "\n")


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


@contextmanager
def _file_progress(*, quiet: bool) -> Iterator[Any]:
    """A callback that shows the file at hand, or None where nobody looks."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None)
        yield lambda path, read: bar.update(task, description=f"{path.name}: {read} entries")


@contextmanager
def _model_progress() -> Iterator[Any]:
    """A callback that says once what is fetched, and shows a bar on a terminal."""
    bars: dict[str, Any] = {}

    def show(what: str, done: int, total: int) -> None:
        if what not in bars:
            bars[what] = _bar(f"fetching {what}, once", total)
        if bars[what] is not None:
            bars[what][0].update(bars[what][1], completed=done)

    try:
        yield show
    finally:
        for bar in bars.values():
            if bar is not None:
                bar[0].stop()


def _bar(description: str, total: int) -> Any:
    if not sys.stderr.isatty():
        typer.echo(f"rag: {description} ({total / 1e6:.0f} MB)", err=True)
        return None
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    bar.start()
    return bar, bar.add_task(description, total=total)


if __name__ == "__main__":
    main()
