"""Output of the commands, and the display of progress."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rag.assistant import Assistant


@contextmanager
def opened(home: str | None, profile: str | None, *, quotes: bool = False) -> Iterator[Assistant]:
    """Open the assistant of a library, and show the progress of downloads."""
    from rag.assistant import Assistant

    with (
        model_progress() as progress,
        Assistant.open(home, profile, progress, quotes=quotes) as assistant,
    ):
        yield assistant


def say(line: str) -> None:
    """Print a message to standard error, separate from the results."""
    typer.echo(line, err=True)


def print_blocks(blocks: Sequence[Sequence[str]]) -> None:
    """Print blocks of lines, each followed by an empty line."""
    for block in blocks:
        typer.echo("\n".join(block) + "\n")


def print_json(value: Any) -> None:
    """Print a result as JSON."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


@contextmanager
def file_progress(*, quiet: bool) -> Iterator[Any]:
    """Yield a callback that shows the current file, or None if no terminal would show it."""
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
def model_progress() -> Iterator[Any]:
    """Yield a callback that announces each download once, and on a terminal shows a bar."""
    bars: dict[str, Any] = {}

    def show(name: str, done: int, total: int) -> None:
        if name not in bars:
            bars[name] = _bar(f"fetching {name} (only once)", total)
        if bars[name] is not None:
            bar, task = bars[name]
            bar.update(task, completed=done)

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
