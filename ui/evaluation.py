"""The evaluation page: the runs of `rag eval`, their figures as the report draws them, and how two of them differ."""

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
_DRAWING = threading.Lock()  # matplotlib's settings are the process's own


def evaluation_page(folder: Path = ROOT) -> Page:
    """Build the page inside a tab; `folder` is where `rag eval` keeps its runs."""
    bench = Bench(folder)
    with gr.Column(elem_classes="eval-page"):
        with gr.Row() as menus:
            run = gr.Dropdown([], value=None, label="Run", filterable=False, min_width=240)
            other = gr.Dropdown(
                [("nothing", "")], value="", label="Compared with", filterable=False, min_width=240
            )
        said = gr.HTML(apply_default_css=False)
    for menu in (run, other):
        menu.input(bench.draw, [run, other], said, **QUIET | {"show_progress": "minimal"})
    return Page(bench.refresh, [run, other], [menus, run, other, said])


class Bench:
    """What the page's events do. Runs are named by their folders, which must be among the listed ones."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def refresh(self, run: str | None, other: str) -> tuple[Any, ...]:
        """The runs there are, and the figures of the chosen one, or else of the latest."""
        names = [folder.name for folder in finished(self._folder)[:_LATEST]]
        if not names:
            gone = gr.update(visible=False)
            return gone, gr.skip(), gr.skip(), draw("no_runs", {"folder": str(self._folder)})
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
        """The figures of a run, and before them its differences from another one."""
        try:
            chosen = self._read(run)
            differences = _differences(chosen, self._read(other)) if other and other != run else ""
            with _DRAWING:
                return differences + _figures(chosen.folder, _changed(chosen.folder))
        except RagError as error:
            return problem(str(error))

    def _read(self, name: str) -> Run:
        return read(
            next((one for one in finished(self._folder) if one.name == name), self._folder / "gone")
        )


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
    """Drawn once for each state of a run, since intervals and plots take a second."""
    run = read(folder)
    return draw(
        "run", {"name": folder.name, "figures": drawn_figures(run, peers.matching(run.data))}
    )


def _changed(folder: Path) -> float:
    return (folder / "run.json").stat().st_mtime
