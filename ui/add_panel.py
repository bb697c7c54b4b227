"""The fold of the library page in which papers are added."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from rag.errors import InputError, RagError
from rag.ingest import IngestReport
from rag.sources import SUFFIXES
from ui.adding import Reading, add, keep_upload, results
from ui.drawing import draw, problem

if TYPE_CHECKING:
    from gradio.events import Dependency

    from ui.service import Service

_NOTHING = "Choose files first."
_NOTHING_LOCAL = "Choose files first, or give a folder."


def add_panel(service: Service, *, local: bool) -> Dependency:
    """Build the fold; returns the event after which other papers may be there."""
    with gr.Accordion("Add papers", open=False, elem_classes="lib-add"):
        gr.HTML(
            draw(
                "add_hint",
                {"suffixes": SUFFIXES, "limit": service.assistant.config.ui.upload_megabytes},
            ),
            apply_default_css=False,
        )
        files = gr.File(
            label="Files",
            file_count="multiple",
            file_types=list(SUFFIXES),
            type="filepath",
            height=150,
        )
        with gr.Row(equal_height=True):
            folder = gr.Textbox(
                "",
                label="or a folder on this machine",
                placeholder="/home/me/papers",
                visible=local,
                scale=3,
            )
            year = gr.Textbox(
                "", label="Year of dates without one", placeholder="as the page tells", max_length=4
            )
        button = gr.Button("Add", variant="primary", size="md", elem_classes="lib-go")
        said = gr.HTML(apply_default_css=False)
    panel = Panel(service, local)
    # Not limited: a second one hears at once that the first one runs.
    return button.click(
        panel.add,
        [files, folder, year],
        [said, files, button],
        api_visibility="private",
        show_progress="hidden",
        concurrency_limit=None,
    )


class Panel:
    """What the fold's event does; folders are read only where server and reader share a machine."""

    def __init__(self, service: Service, local: bool) -> None:
        self._service, self._local = service, local

    def add(
        self, uploads: list[str] | None, folder: str, year: str
    ) -> Iterator[tuple[str, Any, Any]]:
        """Add what was chosen; how far it is, and the ledger's word on each file."""
        idle = gr.update(interactive=True)
        try:
            paths = self._chosen(uploads or [], folder)
            if not paths:
                yield problem(_NOTHING_LOCAL if self._local else _NOTHING), gr.skip(), idle
                return
            yield draw("adding", {"reading": None}), gr.skip(), gr.update(interactive=False)
            for step in add(self._service, paths, _year(year)):
                if isinstance(step, Reading):
                    yield draw("adding", {"reading": step}), gr.skip(), gr.skip()
                else:
                    yield added(step), None, idle
        except RagError as error:
            yield problem(str(error)), gr.skip(), idle

    def _chosen(self, uploads: list[str], folder: str) -> list[Path]:
        config = self._service.assistant.config
        # The box is hidden where paths are the server's own, but a request can be made by hand.
        folders = [Path(folder.strip())] if self._local and folder.strip() else []
        return [
            *(
                keep_upload(Path(upload), config.folder / "uploads", config.ui.upload_megabytes)
                for upload in uploads
            ),
            *folders,
        ]


def _year(text: str) -> int | None:
    if not text.strip():
        return None
    try:
        return int(text)
    except ValueError:
        raise InputError(f"{text} is no year; give four digits, or nothing") from None


def added(report: IngestReport) -> str:
    """The ledger's result of each file, as HTML."""
    return draw("added", {"results": results(report), "seconds": report.seconds})
