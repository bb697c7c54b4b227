"""What a tab hands to the application: how its content is read anew when it is opened."""

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
"""For events that are answered at once, by several users side by side."""


@dataclass(frozen=True, slots=True)
class Page:
    """A tab's content: `refresh(*inputs)` gives `outputs` anew.

    Inputs need a value from the start: a tab is selected before its components are there, and they then count as None.
    """

    refresh: Callable[..., Any]
    inputs: Sequence[Component]
    outputs: Sequence[Component]

    def opened_by(self, tab: gr.Tab) -> None:
        """Read the content each time that the tab is opened, never before."""
        tab.select(self.refresh, list(self.inputs), list(self.outputs), **QUIET)
