"""What a suite is: cases, and a way to evaluate one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from evals.outcomes import Outcome
from rag.assistant import Assistant
from rag.config import Config
from rag.errors import InputError
from rag.llm import LLM
from rag.llm.endpoint import Endpoint

Say = Callable[[str], None]


class LacksLLM(InputError):
    """A suite asks for more than the papers' own sentences can say."""


class Item(Protocol):
    """Whatever a suite evaluates: it has an id and a type."""

    @property
    def id(self) -> str:
        """Unique within the suite."""
        ...

    @property
    def type(self) -> str:
        """The kind of case, for figures by type."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """What suites are given: the configuration, where data sets lie (None: nowhere), other questions, a voice.

    `endpoint` is where the language model answers, if one writes: the same for all suites of a run.
    """

    config: Config
    data: Path | None = None
    questions: Path | None = None
    say: Say = lambda _: None
    endpoint: Endpoint | None = None

    @property
    def writes(self) -> bool:
        """Whether a language model writes the answers."""
        return self.config.writes

    def llm(self) -> LLM:
        """The language model itself, for suites that ask it without a library."""
        return LLM(self.config.llm, self.endpoint)

    @property
    def parallel(self) -> int:
        """How many questions are asked at once: as many as the language model's server takes."""
        return self.config.llm.parallel if self.writes else 1

    def check_server(self) -> None:
        """Raises LLMError where answers need a language model and its server answers nothing."""
        if self.writes:
            self.llm().check()

    def needed(self, suite: str, *parts: str) -> Path:
        """A file or folder of the data sets. Raises InputError where it is not here."""
        if self.data is None:
            raise InputError(f"the suite {suite} needs its data; say where it lies: --data FOLDER")
        path = self.data.joinpath(*parts)
        if not path.exists():
            raise InputError(f"the suite {suite} needs {path}, which is not here; see --data")
        return path

    def assistant(self, suite: str) -> Assistant:
        """An assistant over the suite's own library as it is."""
        own = self.config.model_copy(update={"home": str(self.config.folder / "evals" / suite)})
        return Assistant(own, endpoint=self.endpoint)

    def library(self, suite: str, sources: Sequence[Path]) -> Assistant:
        """An assistant over the suite's papers, in a library of its own that is kept and brought up to date."""
        assistant = self.assistant(suite)
        self.say(f"{suite}: reading its papers into {assistant.config.folder}")
        report = assistant.ingest(sources)
        if report.failures:
            first = report.failures[0]
            raise InputError(
                f"the suite {suite}: {first.source}, line {first.line}: {first.reason}"
            )
        return assistant


@dataclass(frozen=True, slots=True)
class Loaded:
    """A suite ready to run. `data` is a fingerprint of its cases and papers.

    `parallel` cases may be evaluated at once. `check` raises LLMError where the server that they need is gone.
    """

    name: str
    cases: Sequence[Item]
    evaluate: Callable[[Item], Outcome]
    data: str
    papers: int
    close: Callable[[], None] = lambda: None
    parallel: int = 1
    check: Callable[[], None] = lambda: None


def fingerprint(*paths: Path) -> str:
    """16 hex digits over the contents of files."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def data_folder(given: str | Path | None) -> Path | None:
    """The folder of the data sets: the one given, else ../shared/datasets where that is. Raises InputError."""
    if given is not None:
        if not Path(given).is_dir():
            raise InputError(f"there is no data folder {given}")
        return Path(given)
    usual = Path("..") / "shared" / "datasets"
    return usual if usual.is_dir() else None
