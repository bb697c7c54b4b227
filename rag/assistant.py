"""The public Python API, and the only place where configured parts are wired together."""

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
from rag.ask import Asker, ask, checked_question
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
from rag.query.by_model import Reader
from rag.records import Answer, Event, Hit, LedgerEntry, Outcome, Paper, Scope, Turn
from rag.records.json_format import turns_from
from rag.search import Searcher, similar
from rag.sources import find

T = TypeVar("T")

_EVERYTHING = Scope()
History = Sequence[Turn | Answer | Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Status:
    """A library at a glance: counts, the state of its indexes, its embedder, and what failed when last read.

    `files` counts what became of the entries of each file in the last ingest.
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

    The library is opened at its first use, and made by the first ingest. Methods raise subclasses of
    `rag.errors.RagError`, whose messages say what to do.
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
        """Wire an assistant as configured; `endpoint` and `embedder` take the place of those of the configuration.

        Raises ConfigError for a calibration that can't be used.
        """
        self.config = settled(config, quotes=quotes)
        self._endpoint, self._shared = endpoint, endpoint is not None
        read_calibration(
            config.answer.calibration
        )  # a wrong file is reported before any question is asked
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
        """Read the profile (by default `laptop`) for the library in `home` (by default the user's data folder).

        `quotes` answers with the papers' own sentences, whatever the profile says of a language model.
        """
        return cls(load_config(profile, home), model_progress, quotes=quotes)

    def __enter__(self) -> Assistant:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the library, and end a language model that was started here."""
        if isinstance(self._endpoint, LocalServer) and not self._shared:
            self._endpoint.close()
        if "library" in self.__dict__:
            self.library.close()
            del self.__dict__["library"]

    @cached_property
    def library(self) -> Library:
        """The library; LibraryError where there is none yet."""
        return Library(self.config.folder)

    @cached_property
    def embedder(self) -> Embedder:
        """The embedder that was given, or else the configured one, fetched where it is missing."""
        return self._embedder or open_embedder(self.config.embedder, self._model_progress)

    @cached_property
    def synthesizer(self) -> Synthesizer:
        """The configured writer of answers."""
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
        """Whether a language model that runs here is in memory; None where none writes, or a server elsewhere does."""
        here = self.config.writes and self.config.llm.engine == "llama.cpp"
        if not here or not isinstance(self._endpoint, LocalServer):
            return "off" if here else None
        return self._endpoint.state

    def warm(self) -> None:
        """Begin to load a language model that runs here, and return at once. Raises ModelError where it is missing."""
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

        `page_year` is the year of dates that are printed without one. Raises InputError for a path without papers.
        """
        if page_year is not None and not 1900 <= page_year <= 2200:
            raise InputError(f"the page year {page_year} is no year between 1900 and 2200")
        # Found before the library is made, so that a mistyped path leaves no empty library behind.
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

        What the question asks of the catalog ("from 2023", "the newest") filters and orders the papers and is shown in
        `Answer.filters`; `filters=False` searches for all its words instead. `scope` restricts the papers further.
        """
        self.warm()  # it loads while the papers are searched
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
        """Answer a question as events; the last one is `Finished` and holds the answer. See `ask`."""
        return self._asker(quotes=quotes).stream(
            question, turns_from(history), filters=filters, scope=scope
        )

    def search(self, question: str, k: int | None = None) -> tuple[Hit, ...]:
        """The `k` best papers for a question (by default as many as configured)."""
        if k is not None:
            _at_least_one(k)
        asked = checked_question(question, self.config.answer.max_question_characters)
        return self._asker().searcher.search(asked, k or self.config.search.hits).hits

    def similar(self, identity: str, k: int = 5) -> tuple[Hit, ...]:
        """The `k` papers most like a paper, by their stored vectors. Raises NotFound."""
        return similar(self.library, identity, _at_least_one(k))

    def overview(self) -> Overview:
        """What the library holds, and since when."""
        return overview(self.library.catalog)

    def suggestions(self, k: int = 6) -> tuple[str, ...]:
        """At most `k` good questions on the library, each of which is answered; found once for each state of it."""
        return self._once(f"suggestions {k}", lambda: suggestions(self._asker(), _at_least_one(k)))

    def follow_ups(self, answer: Answer, k: int = 3, *, by_model: bool = True) -> tuple[str, ...]:
        """At most `k` questions that go on from an answer; each is answered with it as the history.

        Without `by_model` rules make them, which takes no request to a language model.
        """
        asker = self._asker() if by_model else replace(self._asker(), reader=None)
        return follow_ups(asker, answer, _at_least_one(k))

    def positions(self) -> dict[str, tuple[float, float]]:
        """A map of the library: each paper's place, between -1 and 1; drawn once for each state of it."""
        return self._once("positions", lambda: positions(self.library.catalog))

    def support(self, sentence: str, evidence: str | Sequence[str]) -> Support:
        """How well texts support a sentence together, 0 to 1; needs no library."""
        return self._scorer.score(sentence, [evidence] if isinstance(evidence, str) else evidence)

    def judged(self, sentence: str, evidence: str | Sequence[str]) -> Verdict | None:
        """What the profile's language model says of it: supported, contradicted or not stated; None for no verdict.

        Needs no library. Raises InputError where no language model writes, LLMError where it fails.
        """
        if not self.config.writes:
            raise InputError(
                f"the profile {self.config.profile} has no language model that could judge"
            )
        judge = Judge(self._llm, self._counters)
        return judge.verdict(sentence, [evidence] if isinstance(evidence, str) else evidence)

    def paper(self, identity: str) -> Paper:
        """A paper by its id, its arXiv id or its DOI. Raises NotFound."""
        return self.library.catalog.paper(identity)

    def papers(self) -> Iterator[Paper]:
        """All papers, by title."""
        ids = self.library.catalog.paper_ids()
        for start in range(0, len(ids), 500):
            yield from self.library.catalog.papers(ids[start : start + 500]).values()

    def remove(self, identity: str) -> Paper:
        """Take a paper out of the library; its files stay. Raises NotFound, LibraryBusy."""
        with self.library.writing("rag remove"):
            return self.library.catalog.remove(identity)

    def rebuild(self, *, embed: bool = False) -> None:
        """Make the indexes anew from the catalog; with `embed` also the vectors, with the configured embedder."""
        with self.library.writing("rag rebuild"):
            if embed:
                embed_anew(self.library, self.embedder)
            self.library.rebuild()

    def status(self) -> Status:
        """The library at a glance."""
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
        """What was made of the library before, unless papers have changed since."""
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
