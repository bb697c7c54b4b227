"""The evaluation page: the runs of `rag eval`, their figures, and the comparison of two runs."""

from __future__ import annotations

import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

import gradio as gr

from evals import peers
from evals.comparing import compare_runs
from evals.report import drawn_figures, shown
from evals.runs import ROOT, Run, finished, read
from rag.errors import RagError
from ui.drawing import draw, problem
from ui.page_layout import QUIET, Page

_LATEST = 20
_DRAWING = threading.Lock()  # matplotlib's settings are shared by all threads


def evaluation_page(folder: Path = ROOT) -> Page:
    """Build the page inside a tab; `folder` is where `rag eval` stores its runs."""
    browser = RunBrowser(folder)
    with gr.Column(elem_classes="eval-page"):
        with gr.Row() as menus:
            run = gr.Dropdown([], value=None, label="Run", filterable=False, min_width=240)
            other = gr.Dropdown(
                [("nothing", "")], value="", label="Compared with", filterable=False, min_width=240
            )
        report = gr.HTML(apply_default_css=False)
    for menu in (run, other):
        menu.input(browser.draw, [run, other], report, **QUIET | {"show_progress": "minimal"})
    return Page(browser.refresh, [run, other], [menus, run, other, report])


class RunBrowser:
    """The page's event handlers.

    Runs are chosen by the names of their folders; only finished runs inside `folder` are read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def refresh(self, run: str | None, other: str) -> tuple[Any, ...]:
        """Return updates of the menus, and the figures of the chosen run (default: the latest)."""
        names = [folder.name for folder in finished(self._folder)[:_LATEST]]
        if not names:
            hidden = gr.update(visible=False)
            return hidden, gr.skip(), gr.skip(), draw("no_runs", {"folder": str(self._folder)})
        run, other = run if run in names else names[0], other if other in names else ""
        others = gr.update(
            choices=[("nothing", ""), *((name, name) for name in names)], value=other
        )
        return (
            gr.update(visible=True),
            gr.update(choices=names, value=run),
            others,
            self.draw(run, other),
        )

    def draw(self, run: str, other: str) -> str:
        """Return the figures of a run as HTML; if `other` is given, its differences come first."""
        try:
            chosen = self._read(run)
            differences = _differences(chosen, self._read(other)) if other and other != run else ""
            with _DRAWING:
                return differences + _figures(chosen.folder, _changed(chosen.folder))
        except RagError as error:
            return problem(str(error))

    def _read(self, name: str) -> Run:
        # The name comes from the browser: search it in the list instead of joining it to a path.
        # A folder that does not exist makes `read` report the error.
        folders = {folder.name: folder for folder in finished(self._folder)}
        return read(folders.get(name, self._folder / "gone"))


def _differences(run: Run, other: Run) -> str:
    return draw(
        "differences",
        {
            "a": run.folder.name,
            "b": other.folder.name,
            "rows": compare_runs(run, other),
            "shown": shown,
        },
    )


@lru_cache(maxsize=_LATEST)
def _figures(folder: Path, changed: float) -> str:
    """Return the figures of a run; cached per time of change, since they take about a second."""
    run = read(folder)
    return draw(
        "run", {"name": folder.name, "figures": drawn_figures(run, peers.matching(run.data))}
    )


def _changed(folder: Path) -> float:
    return (folder / "run.json").stat().st_mtime
