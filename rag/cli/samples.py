"""The bundled sample papers, in a separate library."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from rag.cli.terminal import file_progress

if TYPE_CHECKING:
    from rag.assistant import Assistant


def sample_home(home: str | None, profile: str | None) -> str:
    """Return the folder of the sample library, which is separate from the user's papers."""
    from rag.config import load_config

    return str(load_config(profile, home).folder / "demo")


def ingest_samples(assistant: Assistant) -> None:
    """Ingest the sample papers, and print that their summaries are in our own words."""
    from rag.resources import shipped

    with file_progress(quiet=False) as progress:
        report = assistant.ingest([shipped("sample.jsonl")], progress=progress)
    number = sum(report.counts.values())
    typer.echo(f"{number} sample papers (summaries in our own words) in {assistant.config.folder}")
