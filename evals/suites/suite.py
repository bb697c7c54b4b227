"""Interface of suites: a loaded suite has cases, and a function that evaluates a case."""

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
    """The suite needs answers from a language model, and the profile has none."""


class Item(Protocol):
    """A case of any suite."""

    @property
    def id(self) -> str:
        """Unique within the suite."""
        ...

    @property
    def type(self) -> str:
        """The case type, for figures by type."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """The context that suites are loaded in.

    `data` is the folder of the data sets, or None. `questions` is a file that replaces the cases.
    `say` is called with progress messages. `endpoint` is the server of the language model if one
    writes the answers; all suites of a run share it.
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
        """Return a client of the language model, for suites that need no library."""
        return LLM(self.config.llm, self.endpoint)

    @property
    def parallel(self) -> int:
        """The number of questions asked at once: 1 without a language model."""
        return self.config.llm.parallel if self.writes else 1

    def check_server(self) -> None:
        """Raise LLMError if a language model writes the answers and its server does not respond."""
        if self.writes:
            self.llm().check()

    def needed(self, suite: str, *parts: str) -> Path:
        """Return a file or folder of the data sets. Raises InputError if it does not exist."""
        if self.data is None:
            raise InputError(
                f"the suite {suite} needs its data; name the folder of the data sets: --data FOLDER"
            )
        path = self.data.joinpath(*parts)
        if not path.exists():
            raise InputError(f"the suite {suite} needs {path}, which does not exist; see --data")
        return path

    def assistant(self, suite: str) -> Assistant:
        """Open an assistant on the suite's library, without an update of the library."""
        config = self.config.model_copy(update={"home": str(self.config.folder / "evals" / suite)})
        return Assistant(config, endpoint=self.endpoint)

    def library(self, suite: str, sources: Sequence[Path]) -> Assistant:
        """Open an assistant on the suite's library, after an update from the files of its papers.

        The library is separate from the user's, and is kept for later runs. Raises InputError if a
        paper can't be read.
        """
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
    """A suite that is ready to run.

    `data` is a fingerprint of its cases and papers, `papers` the size of its library. Up to
    `parallel` cases may be evaluated at once. `check` raises LLMError if a server that the cases
    need does not respond.
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
    """Compute 16 hex digits over the contents of files."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def data_folder(given: str | Path | None) -> Path | None:
    """Return the folder of the data sets: the given one, or else ../shared/datasets if it exists.

    Raises InputError if the given folder does not exist.
    """
    if given is not None:
        if not Path(given).is_dir():
            raise InputError(f"there is no data folder {given}")
        return Path(given)
    default = Path("..") / "shared" / "datasets"
    return default if default.is_dir() else None
