"""Parse a question and its history into one query; this module defines the order of the steps."""

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
    asks_about_whole_paper,
    asks_for_number,
    asks_for_papers,
    asks_to_compare,
    asks_which,
    intent_of,
    without_courtesy,
)
from rag.query.language import foreign
from rag.query.metadata.lexicon import Lexicon, language_of_papers, lexicon_of
from rag.query.metadata.parse import parse, parse_follow_up
from rag.query.metadata.rules import Known
from rag.query.named_papers import by_external_id, compared_papers, named, without_names
from rag.query.phrases import occurs
from rag.query.spelling import misspelt
from rag.records import (
    NAMED_PAPERS,
    ByAuthor,
    Intent,
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
    """Parses questions by rules, and by a language model if there is one."""

    library: Library
    embedder: Embedder
    config: Config
    model: Reader | None = None

    def read(
        self, question: str, history: Sequence[Turn], scope: Scope, *, filters: bool = True
    ) -> Query:
        """Parse a question; notices in the query report every change to the question.

        Without `filters` the question restricts no papers, and all its words are searched for.
        Raises LLMError if the model fails and the configuration does not allow rules instead.
        """
        removed = current_ids(scope.without)  # programs may still name filters by their words
        asked, notices = _without_instructions(question)
        asked = without_courtesy(asked)
        standalone, new_notices = self._standalone(asked, history, scope)
        notices += new_notices
        standalone = self._with_named_papers(standalone, scope)
        if not filters or NAMED_PAPERS in removed:
            standalone = standalone.unrestricted()
        language = self._language(asked)
        if language is None:
            standalone, new_notices = self._spelt(standalone)
            notices += new_notices
        metadata = MetadataQuery(standalone.search_text)
        if filters:
            metadata, new_notices = self._metadata(standalone, lexicon_of(language))
            notices += [*new_notices, *_of_authors(metadata)]
        topic = metadata.topic if metadata else standalone.search_text
        about_whole_paper = asks_about_whole_paper(standalone.search_text)
        intent = intent_of(asked, metadata)
        if about_whole_paper and len(standalone.papers or scope.papers) == 1 and not metadata:
            intent = Intent.SUMMARY
        return Query(
            text=question,
            shown=standalone.shown,
            question=standalone.question,
            search_text=standalone.search_text,
            intent=intent,
            metadata=metadata.without(removed),
            papers=standalone.papers,
            papers_in_words=standalone.papers_in_words,
            # If the question names no papers, it is about the papers that the reader has chosen.
            pointed=bool(standalone.papers or (scope.papers and not metadata.topic)),
            papers_wanted=asks_for_papers(standalone.search_text),
            quantity=asks_for_number(topic),
            whole_paper=about_whole_paper,
            compared=standalone.compared,
            missing=standalone.missing,
            language=language if self.config.embedder.english_only else None,
            notices=tuple(notices),
        )

    def _language(self, question: str) -> str | None:
        """Return a question's language code, or None if it is English or the rules read it.

        A short question may be in a language that only its word for papers gives away.
        """
        if parse(question):
            return None
        return language_of_papers(question) or foreign(self.library, question)

    def _standalone(
        self, question: str, history: Sequence[Turn], scope: Scope
    ) -> tuple[Standalone, list[str]]:
        """Rewrite a follow-up, by a language model if rules find no paper that it refers to."""
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
            return by_rules, [
                "The language model's output was cut off; the question was read by rules."
            ]
        return Standalone.unchanged(meant), []

    def _by_rules_instead(self, error: LLMError) -> list[str]:
        """Return the notice that rules replace the model. Raises the error if so configured."""
        if self.config.answer.on_llm_failure == "error":
            raise error
        log.warning("%s", error)
        return [f"The language model failed: {error}. The question was read by rules."]

    def _with_named_papers(self, standalone: Standalone, scope: Scope) -> Standalone:
        """Restrict a question to the papers that it compares, or names by an arXiv id or a DOI."""
        by_id = by_external_id(self.library, standalone.question)
        papers = tuple(NamedPaper(paper_id, name) for name, paper_id in by_id if paper_id)
        if papers:
            text = without_names(standalone.own_text, (paper.name for paper in papers))
            return self._restricted(replace(standalone, own_text=text), papers)
        if by_id:
            return replace(standalone, missing=by_id[0][0])
        text = standalone.search_text
        comparing = asks_to_compare(text) or asks_which(text)
        if standalone.papers and comparing:
            papers = self._with_compared(standalone)
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
        shown = [names[paper_id] for paper_id in dict.fromkeys(paper.paper_id for paper in papers)]
        words = f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else shown[0]
        return replace(standalone, papers=papers, papers_in_words=f"only {words}")

    def _with_compared(self, standalone: Standalone) -> tuple[NamedPaper, ...]:
        """Return the paper meant by "it" and those compared with it: "how is it like GLOW?"."""
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
        """Correct misspelt words; return the question and a notice for each word."""
        notices = []
        for word, meant in misspelt(self.library, self.embedder, standalone.search_text):
            standalone = standalone.corrected(word, meant)
            notices.append(f"“{word}” is in no paper and was read as “{meant}”.")
        return standalone, notices

    def _metadata(self, standalone: Standalone, words: Lexicon) -> tuple[MetadataQuery, list[str]]:
        """Parse what a question asks about the papers' metadata."""
        catalog = self.library.catalog
        known = Known(catalog.organisations, catalog.authors, self._is_phrase)
        # The names of compared papers select the papers; they are not part of what is asked.
        text = without_names(standalone.own_text, (paper.name for paper in standalone.papers))
        query = parse_follow_up(standalone.earlier, text, known, words)
        if query or self.model is None:
            # The accuracy of the rules is measured, so the model only gets what they can't read.
            return query, []
        try:
            return self.model.query(standalone.question, catalog.organisations), []
        except LLMError as error:
            return query, self._by_rules_instead(error)

    def _is_phrase(self, words: str) -> bool:
        """Check whether papers of the library use this phrase."""
        return occurs(self.library, words)


def checked_question(question: str, longest: int) -> str:
    """Strip white space from the question. Raises InputError if it is empty or too long."""
    asked = question.strip()
    if not asked:
        raise InputError(
            "the question is empty; ask something such as: which papers study density ratios in RL?"
        )
    if len(asked) > longest:
        raise InputError(
            f"the question has {len(asked):,} characters; shorten it to at most {longest:,}"
        )
    # A lone surrogate can be neither embedded nor printed.
    return asked.encode("utf-8", "replace").decode("utf-8")


def _without_instructions(question: str) -> tuple[str, list[str]]:
    """Remove instructions to the assistant; return the question and notices."""
    rest, instructions = without_instructions(question)
    if not instructions:
        return rest, []
    quoted = " ".join(instructions)
    return rest, [f"Instructions in the question were not followed: “{quoted}”."]


def _of_authors(metadata: MetadataQuery) -> list[str]:
    """Return a notice for each name that may mean several people."""
    return [
        f"“{condition.name}” may be {' or '.join(condition.known)}."
        for condition in metadata.conditions
        if isinstance(condition, ByAuthor) and len(condition.known) > 1
    ]
