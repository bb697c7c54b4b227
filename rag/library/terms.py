"""The lexical index: BM25 over words and character 4-grams of titles and abstracts.

The only module that imports tantivy, next to rag/text/analysis.py. Queries are built from analysed
terms and never parsed, so nothing that a user types can act as an operator.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import IndexBroken, panicked
from rag.text.analysis import analyse, analyzer

if TYPE_CHECKING:
    import tantivy

_ANALYZER = "papers"
_FORMAT = 2  # part of the folder's name: an index of another format counts as missing
_MAX_TERMS = 64  # analysed terms of a question that are searched
_WRITER_BYTES = 64_000_000


class TermIndex:
    """An index of papers by their stemmed words, scored by BM25 (Robertson et al. 1994).

    Each index has its own folder below `root`, named by its token and its format. Readers pass
    `seen`, the catalog generation that the index has reached: the open index is reloaded only when
    it changed.
    """

    name = "terms"

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open_index: tuple[str, tantivy.Index] | None = None
        self._searched: tuple[str, int] | None = None  # token and generation of the last search

    def exists(self, token: str) -> bool:
        """Return whether there is a folder for this token and format."""
        return self._folder(token).is_dir()

    def create(self, token: str) -> None:
        """Create an empty index. Raises IndexBroken if tantivy fails."""
        import tantivy

        with self._errors(token):
            self._folder(token).mkdir(parents=True)
            self._register(tantivy.Index(_schema(), str(self._folder(token))))

    def update(
        self, token: str, gone: Sequence[str], papers: Sequence[tuple[str, str, str]]
    ) -> None:
        """Delete the papers `gone`, then insert or replace `papers`, each (id, title, abstract)."""
        import tantivy

        with self._errors(token):
            writer = self._index(token).writer(_WRITER_BYTES, 1)
            for paper_id in {*gone, *(paper[0] for paper in papers)}:
                writer.delete_documents_by_term("id", paper_id)
            for paper_id, title, abstract in papers:
                # The title twice: its words count double.
                text = f"{title}\n{title}\n{abstract}"
                letters = " ".join(_four_grams(analyse(text)))
                writer.add_document(tantivy.Document(id=paper_id, text=text, letters=letters))
            writer.commit()
            writer.wait_merging_threads()

    def count(self, token: str) -> int:
        """Return the number of papers."""
        with self._errors(token):
            return int(self._newest(token).num_docs)

    def matching(self, token: str, seen: int, question: str, k: int) -> list[tuple[str, float]]:
        """Return the `k` best papers for the question's words: ids and BM25 scores, best first."""
        with self._errors(token):
            words = [self._term(token, "text", term) for term in _terms_of(question)]
            return self._search(self._searcher(token, seen), words, k)

    def scores(
        self, token: str, seen: int, question: str, papers: Collection[str]
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Score these papers by BM25 over the question's words, and over its character 4-grams.

        Returns two dictionaries from paper id to score; papers without a match are left out.
        Character 4-grams (McNamee and Mayfield 2004) match words that stemming keeps apart, such as
        "Pif1" and "ScPif1p". Most 4-grams occur in most papers, so the query also weights each by
        its inverse document frequency, as in the query vector of Salton and Buckley (1988).
        """
        import tantivy

        with self._errors(token):
            schema, terms = self._index(token).schema, _terms_of(question)
            searcher = self._searcher(token, seen)
            restriction = None
            if len(papers) < searcher.num_docs:
                # A constant score of 0 selects the papers without changing their scores.
                restriction = tantivy.Query.const_score_query(
                    tantivy.Query.term_set_query(schema, "id", list(papers)), 0.0
                )
            words = [self._term(token, "text", term) for term in terms]
            four_grams = []
            for four_gram in dict.fromkeys(_four_grams(terms)):
                rarity = _rarity(searcher.doc_freq("letters", four_gram), searcher.num_docs)
                four_grams.append(
                    tantivy.Query.boost_query(self._term(token, "letters", four_gram), rarity)
                )
            by_words, by_four_grams = (
                self._search(searcher, queries, len(papers), restriction)
                for queries in (words, four_grams)
            )
            return dict(by_words), dict(by_four_grams)

    def similar(self, token: str, seen: int, term: str, distance: int, k: int) -> list[str]:
        """Return at most `k` ids of papers with a term within this edit distance of `term`.

        `term` is analysed; a swap of two neighbouring letters counts as one edit.
        """
        import tantivy

        with self._errors(token):
            searcher = self._searcher(token, seen)
            fuzzy = tantivy.Query.fuzzy_term_query(
                self._index(token).schema, "text", term, distance=distance
            )
            found = searcher.search(fuzzy, limit=k, count=False).hits
            return [searcher.doc(address)["id"][0] for _, address in found]

    def frequencies(self, token: str, seen: int, terms: Sequence[str]) -> dict[str, int]:
        """Return in how many papers each analysed term occurs."""
        with self._errors(token):
            searcher = self._searcher(token, seen)
            return {term: searcher.doc_freq("text", term) for term in terms}

    def discard_others(self, token: str) -> None:
        """Delete the folders of all other tokens."""
        for folder in self._root.glob("*"):
            if folder != self._folder(token):
                shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Close the open index."""
        self._open_index = None

    def _folder(self, token: str) -> Path:
        return self._root / f"{token}-{_FORMAT}"

    def _term(self, token: str, field: str, term: str) -> tantivy.Query:
        import tantivy

        return tantivy.Query.term_query(self._index(token).schema, field, term, index_option="freq")

    def _search(
        self,
        searcher: tantivy.Searcher,
        terms: Sequence[tantivy.Query],
        k: int,
        restriction: tantivy.Query | None = None,
    ) -> list[tuple[str, float]]:
        """Return the `k` best papers that match any term, and `restriction`: ids and scores."""
        import tantivy

        if not terms or not k:
            return []
        query = tantivy.Query.boolean_query([(tantivy.Occur.Should, term) for term in terms])
        if restriction is not None:
            query = tantivy.Query.boolean_query(
                [(tantivy.Occur.Must, query), (tantivy.Occur.Must, restriction)]
            )
        found = searcher.search(query, limit=k, count=False).hits
        return [(searcher.doc(address)["id"][0], float(score)) for score, address in found]

    def _searcher(self, token: str, seen: int) -> tantivy.Searcher:
        """Return a searcher of the index at generation `seen` or a later one."""
        if self._searched == (token, seen) and self._open_index is not None:
            return self._index(token).searcher()
        searcher = self._newest(token)
        self._searched = token, seen
        return searcher

    def _newest(self, token: str) -> tantivy.Searcher:
        index = self._index(token)
        index.reload()
        return index.searcher()

    def _index(self, token: str) -> tantivy.Index:
        import tantivy

        if self._open_index is None or self._open_index[0] != token:
            index = tantivy.Index.open(str(self._folder(token)))
            self._register(index)
            self._open_index = (token, index)
        return self._open_index[1]

    def _register(self, index: tantivy.Index) -> None:
        index.register_tokenizer(_ANALYZER, analyzer())

    @contextmanager
    def _errors(self, token: str) -> Iterator[None]:
        try:
            yield
        # BaseException, because a panic of the Rust code is no Exception; all else is raised again.
        except BaseException as error:
            if not (isinstance(error, ValueError | OSError) or panicked(error)):
                raise
            self._open_index = None
            raise IndexBroken(
                f"the lexical index in {self._folder(token)} fails: {error}"
            ) from None


def _schema() -> tantivy.Schema:
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("text", tokenizer_name=_ANALYZER)
    builder.add_text_field("letters", tokenizer_name="whitespace", index_option="freq")
    return builder.build()


def _terms_of(question: str) -> list[str]:
    return list(dict.fromkeys(analyse(question)))[:_MAX_TERMS]


def _four_grams(terms: Sequence[str]) -> list[str]:
    """Return the character 4-grams of each term; "_" marks the term's start and end."""
    return [f"_{term}_"[at : at + 4] for term in terms for at in range(max(1, len(term) - 1))]


def _rarity(frequency: int, papers: int) -> float:
    """Return BM25's inverse document frequency, relative to that of a term in no paper."""
    return math.log1p((papers - frequency + 0.5) / (frequency + 0.5)) / math.log1p(
        (papers + 0.5) / 0.5
    )
