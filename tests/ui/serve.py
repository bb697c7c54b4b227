"""Serves the library, the map and the evaluation page alone: `python -m tests.ui.serve HOME RUNS PORT`."""

import os
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

import gradio as gr

import ui
from rag.assistant import Assistant
from ui.evaluation import evaluation_page
from ui.library import library_page
from ui.map import map_page

# Stands for the page that asks: it shows which paper was handed to it.
ASKED = """document.addEventListener("ask-paper", (event) => {
  element.querySelector("p").textContent = JSON.stringify(event.detail);
});"""

# Stands for the colours that the application defines.
COLOURS = """:root { --ink: #1c2430; --ink-soft: #566173; --ink-faint: #8a94a3; --paper: #fbfaf8; --card: #fff;
  --line: #e3e1dc; --accent: #2f5bb7; --accent-soft: #e8eefb; --highlight: #fff0b3; --warn: #a8321e; --good: #1f7a4d;
  --radius: 10px; }
.dark { --ink: #e8eaee; --ink-soft: #a9b2c0; --ink-faint: #6e7888; --paper: #12161c; --card: #1a2029; --line: #2d3643;
  --accent: #8fb3ff; --accent-soft: #1e2b45; --highlight: #54470f; --warn: #ff9d8a; --good: #7ed6a5; }"""


def serve(home: Path, runs: Path, port: int) -> None:
    service = SimpleNamespace(assistant=Assistant.open(home=home), adding=threading.Lock())
    with gr.Blocks(analytics_enabled=False) as demo:
        gr.HTML("<p id='asked'></p>", js_on_load=ASKED)
        with gr.Tab("Ask"):
            pass
        with gr.Tab("Library") as tab:
            library_page(service, local=True).opened_by(tab)
        with gr.Tab("Map") as tab:
            map_page(service).opened_by(tab)
        with gr.Tab("Evaluation") as tab:
            evaluation_page(runs).opened_by(tab)
    style = [path.read_text(encoding="utf-8") for path in sorted((Path(ui.__file__).parent / "static").glob("*.css"))]
    theme = gr.themes.Base(font=["system-ui"], font_mono=["monospace"])
    demo.launch(server_name="127.0.0.1", server_port=port, quiet=True, css="\n".join([COLOURS, *style]), theme=theme)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
