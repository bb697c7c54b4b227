"""The public Python API, and the only module that connects the configured parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from rag.answer import Extractive, Generated, Synthesizer
from rag.answer.generated.judging import Judge, Verdict
from rag.answer.relevance import read_calibration
from rag.answer.support import Support, SupportScorer
from rag.ask import Asker, ask
from rag.config import Config, load_config
from rag.errors import InputError
from rag.explore.overview import Overview, overview
from rag.explore.projection import positions
from rag.explore.suggestions import follow_ups, suggestions
from rag.ingest import IngestReport, check_embedder, embed_anew, ingest
from rag.ingest import Progress as IngestProgress
from rag.library import Library
from rag.llm import LLM, Counters
from rag.llm.endpoint import Endpoint
from rag.llm.local import LocalServer, State, open_endpoint
from rag.llm.local_models import settled
from rag.models import Embedder, Reranker, open_cross_encoder, open_embedder, open_reranker
from rag.models.weights import Progress as ModelProgress
from rag.query import Reader, checked_question
from rag.records import Answer, Event, Hit, LedgerEntry, Outcome, Paper, Scope, Turn
from rag.records.json_format import turns_from
from rag.search import Searcher, similar
from rag.sources import find

T = TypeVar("T")

_EVERYTHING = Scope()
History = Sequence[Turn | Answer | Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Status:
    """Summary of a library: counts, state of the indexes, embedder, and the latest failures.

    `generation` grows when papers are added, removed or embedded again, or when a text changes.
    `indexes` maps each index to its state, `files` maps each file of the last ingest to the number
    of its entries by outcome.
    """

    folder: Path
    papers: int
    passages: int
    sentences: int
    generation: int
    indexes: Mapping[str, str]
    embedder: str
    files: Mapping[str, Mapping[Outcome, int]]
    failures: tuple[LedgerEntry, ...]


class Assistant:
    """Answers questions over the papers of one library.

    >>> assistant = Assistant.open(home="papers")
    >>> assistant.ingest(["saved_pages/"])
    >>> print(assistant.ask("which papers study density ratios in RL?").text)

    The library is opened at its first use, and created by the first ingest. Methods raise
    subclasses of `rag.errors.RagError`, whose messages say how to fix the problem.
    """

    def __init__(
        self,
        config: Config,
        model_progress: ModelProgress | None = None,
        *,
        quotes: bool = False,
        endpoint: Endpoint | None = None,
        embedder: Embedder | None = None,
    ) -> None:
        """Set up an assistant from a configuration.

        `endpoint` and `embedder`, if given, replace the configured ones; `close` leaves a given
        endpoint open. `quotes` answers with quotations only. Raises ConfigError if the calibration
        can't be used.
        """
        self.config = settled(config, quotes=quotes)
        self._endpoint, self._shared = endpoint, endpoint is not None
        # Read the file only to report an invalid one now, not at the first question.
        read_calibration(config.answer.calibration)
        self._model_progress = model_progress
        self._embedder = embedder
        self._made: dict[str, tuple[int, Any]] = {}

    @classmethod
    def open(
        cls,
        home: str | Path | None = None,
        profile: str | None = None,
        model_progress: ModelProgress | None = None,
        *,
        quotes: bool = False,
    ) -> Assistant:
        """Make an assistant for the library in `home`, as the profile says.

        `home` defaults to the configured folder, else the user's data folder; `profile` defaults to
        RAG_PROFILE, else `laptop`. `quotes` answers with the papers' own sentences, even if the
        profile has a language model. Raises ConfigError.
        """
        return cls(load_config(profile, home), model_progress, quotes=quotes)

    def __enter__(self) -> Assistant:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the library, and stop the language model if this assistant started it."""
        if isinstance(self._endpoint, LocalServer) and not self._shared:
            self._endpoint.close()
        if "library" in self.__dict__:
            self.library.close()
            del self.__dict__["library"]

    @cached_property
    def library(self) -> Library:
        """The library. Raises LibraryError if there is none yet."""
        return Library(self.config.folder)

    @cached_property
    def embedder(self) -> Embedder:
        """The given embedder, or else the configured one, which is downloaded if it is missing."""
        return self._embedder or open_embedder(self.config.embedder, self._model_progress)

    @cached_property
    def synthesizer(self) -> Synthesizer:
        """The configured synthesizer, which writes the answers."""
        extractive = Extractive(self.config.answer)
        if not self.config.writes:
            return extractive
        return Generated(self._llm, self._counters, self._scorer, extractive, self.config.answer)

    @cached_property
    def _llm(self) -> LLM:
        self._endpoint = self._endpoint or open_endpoint(self.config.llm)
        return LLM(self.config.llm, self._endpoint)

    @cached_property
    def _counters(self) -> Counters:
        return Counters(self.config.llm, self._llm.endpoint)

    @property
    def model_state(self) -> State | None:
        """State of the language model's local process.

        None if no language model writes answers, or if an external server runs it.
        """
        here = self.config.writes and self.config.llm.engine == "llama.cpp"
        if not here or not isinstance(self._endpoint, LocalServer):
            return "off" if here else None
        return self._endpoint.state

    def warm(self) -> None:
        """Start to load a local language model, and return immediately.

        Does nothing if no local model writes the answers. Raises ModelError if its file is missing.
        """
        if self.config.writes and isinstance(server := self._llm.endpoint, LocalServer):
            server.warm()

    @cached_property
    def _reranker(self) -> Reranker | None:
        return open_reranker(self.config.rerank)

    @cached_property
    def _scorer(self) -> SupportScorer:
        return SupportScorer(self.embedder, open_cross_encoder(self.config.support))

    def ingest(
        self,
        paths: str | Path | Iterable[str | Path],
        page_year: int | None = None,
        progress: IngestProgress | None = None,
    ) -> IngestReport:
        """Read files and folders into the library; see `rag.ingest.ingest` and `rag.sources.find`.

        `page_year` is the year of dates that are printed without a year. Raises InputError for a
        path without papers.
        """
        if page_year is not None and not 1900 <= page_year <= 2200:
            raise InputError(f"the page year {page_year} is no year between 1900 and 2200")
        # Look for the files first, so that a mistyped path does not create an empty library.
        files = find([paths] if isinstance(paths, str | Path) else paths)
        if "library" not in self.__dict__:
            self.__dict__["library"] = Library(self.config.folder, create=True)
        return ingest(self.library, lambda: self.embedder, files, page_year, progress)

    def ask(
        self,
        question: str,
        history: History = (),
        *,
        filters: bool = True,
        scope: Scope = _EVERYTHING,
        quotes: bool = False,
    ) -> Answer:
        """Answer a question; `history` holds earlier turns, or earlier answers.

        Conditions on metadata in the question ("from 2023", "the newest") filter and order the
        papers, and are listed in `Answer.filters`. `filters=False` searches for all words of the
        question instead. `scope` restricts the papers further. `quotes` answers with quotations.
        """
        self.warm()  # the language model loads while the papers are searched
        return ask(
            self._asker(quotes=quotes), question, turns_from(history), filters=filters, scope=scope
        )

    def ask_stream(
        self,
        question: str,
        history: History = (),
        *,
        filters: bool = True,
        scope: Scope = _EVERYTHING,
        quotes: bool = False,
    ) -> Iterator[Event]:
        """Answer a question as events. The last event is `Finished`, with the answer. See `ask`."""
        return self._asker(quotes=quotes).stream(
            question, turns_from(history), filters=filters, scope=scope
        )

    def search(self, question: str, k: int | None = None) -> tuple[Hit, ...]:
        """Return the `k` best papers for a question (default: `search.hits` of the profile)."""
        if k is not None:
            _at_least_one(k)
        asked = checked_question(question, self.config.answer.max_question_characters)
        return self._asker().searcher.search(asked, k or self.config.search.hits).hits

    def similar(self, identity: str, k: int = 5) -> tuple[Hit, ...]:
        """Return the `k` papers most similar to a paper, by stored vectors. Raises NotFound."""
        return similar(self.library, identity, _at_least_one(k))

    def overview(self) -> Overview:
        """Return a summary of the library: numbers of papers, years, and the newest papers."""
        return overview(self.library.catalog)

    def suggestions(self, k: int = 6) -> tuple[str, ...]:
        """Return at most `k` questions that the library answers; cached per generation."""
        return self._once(f"suggestions {k}", lambda: suggestions(self._asker(), _at_least_one(k)))

    def follow_ups(self, answer: Answer, k: int = 3, *, by_model: bool = True) -> tuple[str, ...]:
        """Return at most `k` follow-up questions, each of which is answered after this answer.

        With `by_model=False` only rules make them, without a request to a language model.
        """
        asker = self._asker() if by_model else replace(self._asker(), reader=None)
        return follow_ups(asker, answer, _at_least_one(k))

    def positions(self) -> dict[str, tuple[float, float]]:
        """Map each paper's id to (x, y) between -1 and 1, by t-SNE; cached per generation."""
        return self._once("positions", lambda: positions(self.library.catalog))

    def support(self, sentence: str, evidence: str | Sequence[str]) -> Support:
        """Score how well texts together support a sentence, 0 to 1. Needs no library."""
        return self._scorer.score(sentence, [evidence] if isinstance(evidence, str) else evidence)

    def judged(self, sentence: str, evidence: str | Sequence[str]) -> Verdict | None:
        """Let the language model judge if texts support, contradict or do not state a sentence.

        Returns None if the model gives no verdict. Needs no library. Raises InputError if the
        profile has no language model, LLMError if the model fails.
        """
        if not self.config.writes:
            raise InputError(
                f"the profile {self.config.profile} has no language model that could judge"
            )
        judge = Judge(self._llm, self._counters)
        return judge.verdict(sentence, [evidence] if isinstance(evidence, str) else evidence)

    def paper(self, identity: str) -> Paper:
        """Return a paper by its id, arXiv id or DOI. Raises NotFound."""
        return self.library.catalog.paper(identity)

    def papers(self) -> Iterator[Paper]:
        """Yield all papers, in the order of their titles."""
        ids = self.library.catalog.paper_ids()
        for start in range(0, len(ids), 500):
            yield from self.library.catalog.papers(ids[start : start + 500]).values()

    def remove(self, identity: str) -> Paper:
        """Remove a paper from the library and return it; its files are kept.

        Raises NotFound, and LibraryBusy if another process is writing.
        """
        with self.library.writing("rag remove"):
            return self.library.catalog.remove(identity)

    def rebuild(self, *, embed: bool = False) -> None:
        """Rebuild the indexes from the catalog; with `embed`, first embed all papers again."""
        with self.library.writing("rag rebuild"):
            if embed:
                embed_anew(self.library, self.embedder)
            self.library.rebuild()

    def status(self) -> Status:
        """Return a summary of the library and of the last ingest."""
        catalog = self.library.catalog
        made_by = catalog.embedder()
        return Status(
            folder=self.library.folder,
            papers=catalog.count("papers"),
            passages=catalog.count("passages"),
            sentences=catalog.count("sentences"),
            generation=catalog.generation(),
            indexes=self.library.indexes(),
            embedder=str(made_by or "none yet"),
            files=_by_file(catalog.ledger()),
            failures=tuple(catalog.failures()),
        )

    def _once(self, name: str, make: Callable[[], T]) -> T:
        """Return the cached result of `make`, or call it if the library has a new generation."""
        generation = self.library.catalog.generation()
        if self._made.get(name, (None,))[0] != generation:
            self._made[name] = (generation, make())
        made: T = self._made[name][1]
        return made

    def _asker(self, *, quotes: bool = False) -> Asker:
        library = self.library
        check_embedder(library, self.embedder)
        searcher = Searcher(library, self.embedder, self.config.search, self._reranker)
        if quotes:
            return Asker(searcher, Extractive(self.config.answer), self.config)
        reads = self.config.writes and self.config.llm.reads
        reader = Reader(self._llm, self._counters) if reads else None
        return Asker(searcher, self.synthesizer, self.config, reader)


def _at_least_one(k: int) -> int:
    if k < 1:
        raise InputError(f"k must be 1 or more, not {k}")
    return k


def _by_file(ledger: Iterable[LedgerEntry]) -> dict[str, Counter[Outcome]]:
    counts: dict[str, Counter[Outcome]] = {}
    for entry in ledger:
        counts.setdefault(entry.source, Counter())[entry.outcome] += 1
    return counts
