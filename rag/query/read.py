"""Read a question and its history once, into one query: the order of the steps, in one place."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.config import Config
from rag.errors import InputError, LLMError
from rag.library import Library
from rag.models import Embedder
from rag.query.by_model import Reader
from rag.query.follow_up import Standalone, rewrite
from rag.query.injection import without_instructions
from rag.query.intent import (
    asks_for_number,
    asks_for_papers,
    asks_for_the_whole,
    asks_to_compare,
    asks_which,
    intent_of,
    without_courtesy,
)
from rag.query.language import foreign
from rag.query.metadata.lexicon import Lexicon, lexicon_of
from rag.query.metadata.parse import parse, parse_follow_up
from rag.query.metadata.rules import Known
from rag.query.named_papers import by_external_id, compared_papers, named, without_names
from rag.query.phrases import occurs
from rag.query.spelling import misspelt
from rag.records import (
    NAMED_PAPERS,
    ByAuthor,
    MetadataQuery,
    NamedPaper,
    Query,
    Scope,
    Turn,
)
from rag.records.legacy import current_ids

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class QuestionReader:
    """Reads questions by rules over a library's own values, and by a language model if there is one."""

    library: Library
    embedder: Embedder
    config: Config
    model: Reader | None = None

    def read(
        self, question: str, history: Sequence[Turn], scope: Scope, *, filters: bool = True
    ) -> Query:
        """Read a question, and say in notices what was done to it.

        Without `filters` it narrows no papers, and all its words are searched for. Raises LLMError where the model
        fails and the configuration lets no rules take over.
        """
        without = current_ids(scope.without)  # programs may still name filters by their words
        asked, notices = _without_instructions(question)
        asked = without_courtesy(asked)
        standalone, said = self._standalone(asked, history, scope)
        notices += said
        standalone = self._with_named_papers(standalone, scope)
        if not filters or NAMED_PAPERS in without:
            standalone = standalone.unrestricted()
        language = self._language(asked)
        if language is None:
            standalone, said = self._spelt(standalone)
            notices += said
        metadata = MetadataQuery(standalone.search_text)
        if filters:
            metadata, said = self._metadata(standalone, lexicon_of(language))
            notices += [*said, *_of_authors(metadata)]
        topic = metadata.topic if metadata else standalone.search_text
        return Query(
            text=question,
            shown=standalone.shown,
            question=standalone.question,
            search_text=standalone.search_text,
            intent=intent_of(asked, metadata),
            metadata=metadata.less(without),
            papers=standalone.papers,
            papers_in_words=standalone.papers_in_words,
            # A scope of chosen papers says which are meant where the question names none.
            pointed=bool(standalone.papers or (scope.papers and not metadata.topic)),
            papers_wanted=asks_for_papers(standalone.search_text),
            quantity=asks_for_number(topic),
            whole=asks_for_the_whole(standalone.search_text),
            compared=standalone.compared,
            language=language if self.config.embedder.english_only else None,
            notices=tuple(notices),
        )

    def _language(self, question: str) -> str | None:
        """Return the code of a question's language where it is not English; None where the rules read English."""
        return None if parse(question) else foreign(self.library, question)

    def _standalone(
        self, question: str, history: Sequence[Turn], scope: Scope
    ) -> tuple[Standalone, list[str]]:
        """Rewrite a follow-up; a language model does so where rules find no paper that it points at."""
        longest = self.config.answer.max_question_characters
        by_rules = rewrite(question, history, longest, chosen=bool(scope.papers))
        has_history = any(turn.role == "user" for turn in history)
        if self.model is None or by_rules.papers or not has_history or scope.papers:
            return by_rules, []
        try:
            meant = self.model.standalone(question, history)
        except LLMError as error:
            return by_rules, self._by_rules_instead(error)
        if not meant:
            return by_rules, ["The language model came to no end; the question was read by rules."]
        return Standalone.itself(meant), []

    def _by_rules_instead(self, error: LLMError) -> list[str]:
        """Say that rules take over from a language model. Raises the error where the configuration says so."""
        if self.config.answer.on_llm_failure == "error":
            raise error
        log.warning("%s", error)
        return [f"The language model failed: {error}. The question was read by rules."]

    def _with_named_papers(self, standalone: Standalone, scope: Scope) -> Standalone:
        """Restrict a question to the papers that it names by an arXiv id or a DOI, or that it compares."""
        by_id = by_external_id(self.library, standalone.question)
        papers = tuple(NamedPaper(paper_id, name) for name, paper_id in by_id if paper_id)
        if papers:
            text = without_names(standalone.search_text, (paper.name for paper in papers))
            return self._restricted(replace(standalone, search_text=text), papers)
        for name, _ in by_id:
            raise InputError(f"no paper of this library has the id {name}; rag papers lists them")
        text = standalone.search_text
        comparing = asks_to_compare(text) or asks_which(text)
        if standalone.papers and comparing:
            papers = self._next_to_the_one_meant(standalone)
        elif not standalone.papers and not asks_for_papers(text):
            papers = compared_papers(self.library, text, comparing=comparing)
        return (
            self._restricted(replace(standalone, compared=True), papers) if papers else standalone
        )

    def _restricted(self, standalone: Standalone, papers: tuple[NamedPaper, ...]) -> Standalone:
        # Of several names of one paper the shortest is shown.
        names: dict[str, str] = {}
        for paper in sorted(papers, key=lambda paper: len(paper.name), reverse=True):
            names[paper.paper_id] = paper.name
        shown = [names[paper_id] for paper_id in dict.fromkeys(p.paper_id for p in papers)]
        words = f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else shown[0]
        return replace(standalone, papers=papers, papers_in_words=f"only {words}")

    def _next_to_the_one_meant(self, standalone: Standalone) -> tuple[NamedPaper, ...]:
        """Return the paper that is pointed at and those compared with it: "how does it differ from GLOW?"."""
        if len(standalone.papers) > 1:
            return ()
        [meant] = standalone.papers
        others = tuple(
            paper
            for paper in named(self.library, standalone.search_text)
            if paper.paper_id != meant.paper_id
        )
        return (meant, *others) if others else ()

    def _spelt(self, standalone: Standalone) -> tuple[Standalone, list[str]]:
        """Correct misspelt words, and say which."""
        notices = []
        for word, meant in misspelt(self.library, self.embedder, standalone.search_text):
            standalone = standalone.corrected(word, meant)
            notices.append(f"“{word}” is in no paper and was read as “{meant}”.")
        return standalone, notices

    def _metadata(self, standalone: Standalone, words: Lexicon) -> tuple[MetadataQuery, list[str]]:
        """Read what a question asks of the papers' metadata."""
        catalog = self.library.catalog
        known = Known(catalog.organisations, catalog.authors, self._is_phrase)
        # The names of papers that are compared say which are meant, not what is asked of them.
        text = without_names(
            self._own_text(standalone), (paper.name for paper in standalone.papers)
        )
        query = parse_follow_up(standalone.earlier, text, known, words)
        if query or self.model is None:
            return query, []  # the rules are measured; the model reads what none of them knows
        try:
            return self.model.query(standalone.question, catalog.organisations), []
        except LLMError as error:
            return query, self._by_rules_instead(error)

    def _own_text(self, standalone: Standalone) -> str:
        """Return the words of a question without those of earlier ones."""
        if not standalone.earlier:
            return standalone.search_text
        return standalone.question.partition(": ")[2] or standalone.question

    def _is_phrase(self, words: str) -> bool:
        """Tell whether papers of the library use these very words."""
        return occurs(self.library, words)


def checked_question(question: str, longest: int) -> str:
    """Return the question without white space around it. Raises InputError for an empty or an overlong one."""
    asked = question.strip()
    if not asked:
        raise InputError(
            "the question is empty; ask something such as: which papers study density ratios in RL?"
        )
    if len(asked) > longest:
        raise InputError(
            f"the question has {len(asked):,} characters; at most {longest:,} are read, so shorten it"
        )
    # A lone surrogate can be neither embedded nor printed.
    return asked.encode("utf-8", "replace").decode("utf-8")


def _without_instructions(question: str) -> tuple[str, list[str]]:
    """Take instructions to the assistant out of a question, and say so."""
    left, instructions = without_instructions(question)
    if not instructions:
        return left, []
    quoted = " ".join(instructions)
    return left, [f"Instructions in the question were not followed: “{quoted}”."]


def _of_authors(metadata: MetadataQuery) -> list[str]:
    """Say that a name may mean several people."""
    names = (one for one in metadata.conditions if isinstance(one, ByAuthor) and len(one.known) > 1)
    return [f"“{name.name}” may be {' or '.join(name.known)}." for name in names]
