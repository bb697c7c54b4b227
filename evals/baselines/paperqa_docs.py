"""The papers of a request as PaperQA's Docs, for the baselines that retrieve and that answer with them.

Every paper is a text file given to Docs.aadd, so PaperQA's own reader, chunker and checks work on it, with a
sentence-transformers model ("st-") as the embedding. Citation and name are given and the look-up of metadata is off:
those two are what aadd asks a language model and the network for.
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

# Python puts a program's folder first on the path, where the file paperqa.py would shadow the package.
sys.path.remove(str(Path(__file__).parent))
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = (
    "True"  # else the import asks the network for a price list
)

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
    """Stands where PaperQA would put its language model; it has no methods, so any use of it fails."""


def settings_of(request: Request, **others: Any) -> Settings:
    """Settings with the request's embedding model, and others as given."""
    parsing = ParsingSettings(use_doc_details=False, multimodal=MultimodalOptions.OFF)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PQA_HOME"] = folder  # Settings makes a folder there
        return Settings(embedding=f"st-{request.model}", parsing=parsing, **others)


def docs_of(request: Request, settings: Settings, embedder: Any) -> tuple[Docs, asyncio.Runner]:
    """Add every paper to a Docs; gives the loop too, in which all further calls are to run."""
    # One loop for all calls: PaperQA embeds in a thread of its loop, and torch is slow to warm up in every new thread.
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
            raise ValueError(f"PaperQA did not take paper {paper.id}")

    async def add_all(folder: Path) -> None:
        for place, paper in enumerate(request.papers):
            await add(paper, folder / f"{place}.txt")

    with tempfile.TemporaryDirectory() as folder:
        runner.run(add_all(Path(folder)))
    return docs, runner
