"""The content of a tab, and how it is refreshed when the tab is opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

QUIET: dict[str, Any] = {
    "api_visibility": "private",
    "show_progress": "hidden",
    "concurrency_limit": 8,
}
"""Options of short events that several users can send at the same time."""


@dataclass(frozen=True, slots=True)
class Page:
    """The content of a tab: `refresh(*inputs)` returns the current `outputs`.

    Inputs need an initial value: Gradio selects a tab before it creates its components, and a
    component that does not exist yet has the value None.
    """

    refresh: Callable[..., Any]
    inputs: Sequence[Component]
    outputs: Sequence[Component]

    def opened_by(self, tab: gr.Tab) -> None:
        """Refresh the content each time that the tab is opened, and not before."""
        tab.select(self.refresh, list(self.inputs), list(self.outputs), **QUIET)
