"""The papers of a request as PaperQA's Docs, shared by the baselines paperqa and paperqa_answers.

Every paper becomes a text file for Docs.aadd, so that PaperQA's own reader, chunker and checks
process it. The embedder is a sentence-transformers model ("st-"). Without a citation and a name,
aadd would ask a language model for them, and it would look up metadata on the network. Therefore
both are passed, and the metadata look-up is off.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from contract import Paper, Request

# Python puts the program's folder first on the path, so the file paperqa.py would hide the package.
sys.path.remove(str(Path(__file__).parent))
# Otherwise the import of litellm downloads a list of prices.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

from paperqa import Docs, Settings
from paperqa.settings import MultimodalOptions, ParsingSettings

PACKAGES = (
    "paper-qa",
    "fhlmi",
    "litellm",
    "tiktoken",
    "sentence-transformers",
    "transformers",
    "torch",
)


class NoLanguageModel:
    """A placeholder for PaperQA's language model. It has no methods, so any use of it fails."""


def settings_of(request: Request, **others: Any) -> Settings:
    """Make settings with the request's embedding model; `others` are passed to Settings."""
    parsing = ParsingSettings(use_doc_details=False, multimodal=MultimodalOptions.OFF)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PQA_HOME"] = folder  # Settings creates a folder in it
        return Settings(embedding=f"st-{request.model}", parsing=parsing, **others)


def docs_of(request: Request, settings: Settings, embedder: Any) -> tuple[Docs, asyncio.Runner]:
    """Add every paper to a Docs; return it with the event loop that all further calls must use.

    Raises ValueError if PaperQA rejects a paper.
    """
    # PaperQA embeds in a thread of its event loop, and torch is slow at first in each new thread.
    # Therefore all calls share the same loop.
    runner = asyncio.Runner()
    atexit.register(runner.close)
    docs = Docs()

    async def add(paper: Paper, path: Path) -> None:
        path.write_text(f"{paper.title}\n\n{paper.abstract}", encoding="utf-8")
        name = await docs.aadd(
            path,
            citation=paper.title,
            docname=paper.id,
            dockey=paper.id,
            settings=settings,
            llm_model=NoLanguageModel(),
            embedding_model=embedder,
        )
        if name is None:
            raise ValueError(f"PaperQA rejected the paper {paper.id}")

    async def add_all(folder: Path) -> None:
        for place, paper in enumerate(request.papers):
            await add(paper, folder / f"{place}.txt")

    with tempfile.TemporaryDirectory() as folder:
        runner.run(add_all(Path(folder)))
    return docs, runner
