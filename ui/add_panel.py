"""The collapsible panel of the library page for adding papers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from rag.errors import InputError, RagError
from rag.ingest import IngestReport
from rag.sources import SUFFIXES
from ui.adding import FileProgress, add, keep_upload, results
from ui.drawing import draw, problem

if TYPE_CHECKING:
    from gradio.events import Dependency

    from ui.service import Service

_NOTHING = "Choose files first."
_NOTHING_LOCAL = "Choose files first, or give a folder."


def add_panel(service: Service, *, local: bool) -> Dependency:
    """Build the panel; return the event after which the library may have changed."""
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
                "",
                label="Year for dates without a year",
                placeholder="inferred from the page",
                max_length=4,
            )
        button = gr.Button("Add", variant="primary", size="md", elem_classes="lib-go")
        result = gr.HTML(apply_default_css=False)
    panel = Panel(service, local)
    # No limit: a second click must report immediately that papers are already being added.
    return button.click(
        panel.add,
        [files, folder, year],
        [result, files, button],
        api_visibility="private",
        show_progress="hidden",
        concurrency_limit=None,
    )


class Panel:
    """The panel's event handler.

    `local` means that server and reader share a machine; only then are folders read.
    """

    def __init__(self, service: Service, local: bool) -> None:
        self._service, self._local = service, local

    def add(
        self, uploads: list[str] | None, folder: str, year: str
    ) -> Iterator[tuple[str, Any, Any]]:
        """Add the chosen files; yield the progress, and last the result of each file.

        Each step is the HTML of the message, the value of the file field, and the button's update.
        """
        idle = gr.update(interactive=True)
        try:
            paths = self._chosen(uploads or [], folder)
            if not paths:
                yield problem(_NOTHING_LOCAL if self._local else _NOTHING), gr.skip(), idle
                return
            yield draw("adding", {"progress": None}), gr.skip(), gr.update(interactive=False)
            for step in add(self._service, paths, _year(year)):
                if isinstance(step, FileProgress):
                    yield draw("adding", {"progress": step}), gr.skip(), gr.skip()
                else:
                    yield added(step), None, idle
        except RagError as error:
            yield problem(str(error)), gr.skip(), idle

    def _chosen(self, uploads: list[str], folder: str) -> list[Path]:
        config = self._service.assistant.config
        # The folder field is hidden if the server is not local, but anyone can send a request
        # by hand, so that the value is checked here as well.
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
        raise InputError(
            f"{text} is not a year; enter four digits or leave the field empty"
        ) from None


def added(report: IngestReport) -> str:
    """Return the result of each file as HTML."""
    return draw("added", {"results": results(report), "seconds": report.seconds})
