"""Shared fixtures, and a network guard: no test reaches outside this machine."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

import rag
from rag.assistant import Assistant
from rag.config import load_config
from rag.llm.local_models import named
from rag.models.graph import BUILDER
from rag.resources import shipped
from tests.fakes import WordEmbedder

SHARED = Path(os.environ.get("PAPERS_SHARED", Path(__file__).resolve().parents[2] / "shared"))
_LLM_CACHE = load_config().llm.cache_folder  # the machine's own, before it is hidden from the tests
_LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")


@pytest.fixture(autouse=True)
def _fence(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and not str(address[0]).startswith(_LOOPBACK):
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def _own_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Hide the machine's variables (except the embedder's cache) and its language models."""
    for name in os.environ:
        if name.startswith("RAG_") and name != "RAG_EMBEDDER__CACHE":
            monkeypatch.delenv(name)
    monkeypatch.setenv("RAG_LLM__CACHE", str(tmp_path_factory.getbasetemp() / "no-language-model"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real corpora and data sets; tests that need it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the data in {SHARED} (set PAPERS_SHARED to where it lies)")
    return SHARED


@pytest.fixture(scope="session")
def pages(shared: Path) -> Path:
    """The folder with the five saved Daily Papers pages."""
    return shared / "corpus" / "daily_papers"


@pytest.fixture(scope="session")
def gold_papers(shared: Path) -> list[dict[str, Any]]:
    """The gold parse of the five pages."""
    return read_rows(shared / "datasets" / "daily_papers_qa" / "papers.jsonl")


@pytest.fixture(scope="session")
def dev_questions(shared: Path) -> list[dict[str, Any]]:
    """115 questions over the five pages, with relevance judgements and evidence."""
    return read_rows(shared / "datasets" / "daily_papers_qa" / "dev.jsonl")


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON Lines file."""
    return [
        json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()
    ]


@pytest.fixture(scope="session")
def model_cache() -> Path:
    """The folder of the built-in embedder; the README's test command fetches its files first."""
    cache = load_config().embedder.cache_folder
    needed = f"all-MiniLM-L6-v2/int8-{BUILDER}.onnx", "bge-small-en-v1.5/model_quantized.onnx"
    if not all((cache / name).is_file() for name in needed):
        pytest.fail("the embedder is not here yet; run: rag models pull")
    return cache


@pytest.fixture(scope="session")
def llm_file() -> Path:
    """A real language model, small enough for tests; its sentences are of no use."""
    path = named("smollm2-135m").path(_LLM_CACHE)
    if not path.is_file():
        pytest.fail("the language model is not here yet; run: rag models pull --llm smollm2-135m")
    return path


@pytest.fixture(scope="session")
def daily_home(pages: Path, model_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of the five pages, made once with the real embedder. Copy it before writing."""
    return made_once("daily", pages, tmp_path_factory)


@pytest.fixture(scope="session")
def demo_home(model_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of the bundled sample, made once with the real embedder. Copy it before writing."""
    return made_once("demo", shipped("sample.jsonl"), tmp_path_factory)


# What makes a library out of papers: if any of it changes, prepared libraries are made again.
_MAKERS = ("ingest.py", "config.py", "sources", "text", "models", "library", "records/papers.py")


def made_once(name: str, papers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that all processes of a run share, copied from one that is kept between runs.

    The first process that needs it makes it. It is kept in the cache folder, under a hash of the
    papers and the code.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    home = folder / name
    with FileLock(folder / f"{name}.lock"):
        if not home.exists():
            shutil.copytree(_prepared(name, papers), folder / f"{name}.draft")
            (folder / f"{name}.draft").rename(home)
    return home


def _prepared(name: str, papers: Path) -> Path:
    """The library in the cache folder; others of this name, of other code, are removed."""
    cache = load_config().embedder.cache_folder.parent / "test-libraries"
    cache.mkdir(parents=True, exist_ok=True)
    kept = cache / f"{name}-{_fingerprint(papers)}"
    with FileLock(cache / f"{name}.lock"):
        if not kept.is_dir():
            for old in cache.glob(f"{name}-*"):
                shutil.rmtree(old)
            draft = cache / f"{name}.draft"
            shutil.rmtree(draft, ignore_errors=True)
            with Assistant.open(home=draft) as assistant:
                assistant.ingest([papers])
            draft.rename(kept)
    return kept


def _fingerprint(papers: Path) -> str:
    package = Path(rag.__file__).parent
    code = [path for maker in _MAKERS for path in _files(package / maker, "*.py")]
    profiles = [shipped("configs", "laptop.toml")]
    digest = hashlib.sha256(BUILDER.encode())
    for path in [*code, *profiles, *_files(papers, "*")]:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _files(path: Path, pattern: str) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(found for found in path.rglob(pattern) if found.is_file())


@pytest.fixture
def daily(daily_home: Path) -> Iterator[Assistant]:
    """An assistant over the five pages."""
    with Assistant.open(home=daily_home) as assistant:
        yield assistant


@pytest.fixture
def demo(demo_home: Path) -> Iterator[Assistant]:
    """An assistant over the bundled sample."""
    with Assistant.open(home=demo_home) as assistant:
        yield assistant


@pytest.fixture
def demo_copy(demo_home: Path, tmp_path: Path) -> Path:
    """A library of the bundled sample that a test may change."""
    # Another process that reads the shared library makes and removes SQLite's two side files,
    # which are empty.
    side_files = shutil.ignore_patterns("*-wal", "*-shm")
    return Path(shutil.copytree(demo_home, tmp_path / "copy", ignore=side_files))


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[Assistant]:
    """An assistant over an empty library of its own, with an embedder that needs no model."""
    with Assistant(load_config(home=tmp_path / "home"), embedder=WordEmbedder()) as assistant:
        yield assistant


@pytest.fixture
def write_papers(tmp_path: Path) -> Callable[..., Path]:
    """Write papers as JSON Lines: `write_papers("name.jsonl", {"title": ...}, ...)`."""

    def write(name: str, *rows: dict[str, Any]) -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return write
