"""What the commands print, and how they show that work goes on."""

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
    """The assistant of a library; what it fetches is shown."""
    from rag.assistant import Assistant

    with (
        model_progress() as progress,
        Assistant.open(home, profile, progress, quotes=quotes) as assistant,
    ):
        yield assistant


def say(line: str) -> None:
    """Tell the user something that is no result."""
    typer.echo(line, err=True)


def print_blocks(blocks: Sequence[Sequence[str]]) -> None:
    """Print lines with an empty one after each block."""
    for block in blocks:
        typer.echo("\n".join(block) + "\n")


def print_json(value: Any) -> None:
    """Print a result for programs."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


@contextmanager
def file_progress(*, quiet: bool) -> Iterator[Any]:
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
def model_progress() -> Iterator[Any]:
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
