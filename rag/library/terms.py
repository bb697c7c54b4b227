"""The lexical index: BM25 over the words and the letters of titles and abstracts. The only door to tantivy.

Queries are built from analysed terms and never parsed, so nothing that a user types can be an operator.
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
_FORMAT = 2  # of the schema; an index of another one is missing, and so made anew
_MOST_TERMS = 64
_WRITER_BYTES = 64_000_000


class TermIndex:
    """Papers that share words with a question, scored by BM25 (Robertson et al. 1994), words stemmed.

    An index lives in a folder of its own below `root`, named by its token and its format. Who reads says how far it has
    followed the catalog (`seen`): what is open is read again only when that has changed.
    """

    name = "terms"

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open_index: tuple[str, tantivy.Index] | None = None
        self._searched: tuple[str, int] | None = None  # the state that was last searched

    def exists(self, token: str) -> bool:
        """Whether the folder of this token is there."""
        return self._folder(token).is_dir()

    def create(self, token: str) -> None:
        """Make an empty index. Raises IndexBroken where tantivy can't."""
        import tantivy

        with self._errors(token):
            self._folder(token).mkdir(parents=True)
            self._register(tantivy.Index(_schema(), str(self._folder(token))))

    def update(
        self, token: str, gone: Sequence[str], papers: Sequence[tuple[str, str, str]]
    ) -> None:
        """Take papers out, then put (id, title, abstract) in; what is in both is replaced."""
        import tantivy

        with self._errors(token):
            writer = self._index(token).writer(_WRITER_BYTES, 1)
            for identity in {*gone, *(paper[0] for paper in papers)}:
                writer.delete_documents_by_term("id", identity)
            for identity, title, abstract in papers:
                text = f"{title}\n{title}\n{abstract}"
                letters = " ".join(_fours(analyse(text)))
                writer.add_document(tantivy.Document(id=identity, text=text, letters=letters))
            writer.commit()
            writer.wait_merging_threads()

    def count(self, token: str) -> int:
        """The number of papers."""
        with self._errors(token):
            return int(self._newest(token).num_docs)

    def matching(self, token: str, seen: int, question: str, k: int) -> list[tuple[str, float]]:
        """The `k` best papers for the question's words: ids and BM25 scores, best first."""
        with self._errors(token):
            words = [self._term(token, "text", term) for term in _terms_of(question)]
            return self._search(self._searcher(token, seen), words, k)

    def scores(
        self, token: str, seen: int, question: str, papers: Collection[str]
    ) -> tuple[dict[str, float], dict[str, float]]:
        """How well these papers match the question: BM25 over its words, and over their letters.

        A paper that shares none of them is left out. Letters are taken by fours (McNamee and Mayfield 2004) and find
        what stemming keeps apart, as "Pif1" and "ScPif1p". Most fours stand in most papers, so each counts by its
        inverse document frequency once more, as in the question's vector of Salton and Buckley (1988).
        """
        import tantivy

        with self._errors(token):
            schema, terms = self._index(token).schema, _terms_of(question)
            searcher = self._searcher(token, seen)
            inside = None
            if len(papers) < searcher.num_docs:
                inside = tantivy.Query.const_score_query(
                    tantivy.Query.term_set_query(schema, "id", list(papers)), 0.0
                )
            words = [self._term(token, "text", term) for term in terms]
            letters = []
            for four in dict.fromkeys(_fours(terms)):
                rarity = _rarity(searcher.doc_freq("letters", four), searcher.num_docs)
                letters.append(
                    tantivy.Query.boost_query(self._term(token, "letters", four), rarity)
                )
            by_words, by_letters = (
                self._search(searcher, one, len(papers), inside) for one in (words, letters)
            )
            return dict(by_words), dict(by_letters)

    def similar(self, token: str, seen: int, term: str, distance: int, k: int) -> list[str]:
        """At most `k` papers with a term within this edit distance of an analysed one; a swap counts as one edit."""
        import tantivy

        with self._errors(token):
            searcher = self._searcher(token, seen)
            fuzzy = tantivy.Query.fuzzy_term_query(
                self._index(token).schema, "text", term, distance=distance
            )
            found = searcher.search(fuzzy, limit=k, count=False).hits
            return [searcher.doc(address)["id"][0] for _, address in found]

    def frequencies(self, token: str, seen: int, terms: Sequence[str]) -> dict[str, int]:
        """In how many papers each analysed term stands."""
        with self._errors(token):
            searcher = self._searcher(token, seen)
            return {term: searcher.doc_freq("text", term) for term in terms}

    def discard_others(self, token: str) -> None:
        """Delete the folders of all other tokens."""
        for folder in self._root.glob("*"):
            if folder != self._folder(token):
                shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Let go of the open index."""
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
        inside: tantivy.Query | None = None,
    ) -> list[tuple[str, float]]:
        """Papers with any of the terms (and `inside`), at most `k`: ids and summed scores, best first."""
        import tantivy

        if not terms or not k:
            return []
        query = tantivy.Query.boolean_query([(tantivy.Occur.Should, term) for term in terms])
        if inside is not None:
            query = tantivy.Query.boolean_query(
                [(tantivy.Occur.Must, query), (tantivy.Occur.Must, inside)]
            )
        found = searcher.search(query, limit=k, count=False).hits
        return [(searcher.doc(address)["id"][0], float(score)) for score, address in found]

    def _searcher(self, token: str, seen: int) -> tantivy.Searcher:
        """What the index held when it had seen this much, or a little more."""
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
    return list(dict.fromkeys(analyse(question)))[:_MOST_TERMS]


def _fours(terms: Sequence[str]) -> list[str]:
    """Every four neighbouring letters of each term, whose two ends count as letters."""
    return [f"_{term}_"[at : at + 4] for term in terms for at in range(max(1, len(term) - 1))]


def _rarity(having: int, papers: int) -> float:
    """BM25's inverse document frequency as a share of the greatest there is."""
    return math.log1p((papers - having + 0.5) / (having + 0.5)) / math.log1p((papers + 0.5) / 0.5)
