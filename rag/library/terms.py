"""The lexical index: BM25 over titles and abstracts in tantivy. The only door to tantivy.

Queries are built from analysed terms and never parsed, so nothing that a user types can be an operator.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import IndexBroken
from rag.library.rust import panicked

if TYPE_CHECKING:
    import tantivy

_ANALYZER = "papers"
_MOST_TERMS = 64
_WRITER_BYTES = 64_000_000


class TermIndex:
    """Papers that share words with a question, scored by BM25 (Robertson et al. 1994), words stemmed.

    An index lives in a folder of its own below `root`, named by its token, like `VectorIndex`.
    """

    name = "terms"

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open_index: tuple[str, tantivy.Index] | None = None

    def exists(self, token: str) -> bool:
        """Whether the folder of this token is there."""
        return (self._root / token).is_dir()

    def create(self, token: str) -> None:
        """Make an empty index. Raises IndexBroken where tantivy can't."""
        import tantivy

        with self._errors(token):
            (self._root / token).mkdir(parents=True)
            self._register(tantivy.Index(_schema(), str(self._root / token)))

    def update(self, token: str, gone: Sequence[str], papers: Sequence[tuple[str, str, str]]) -> None:
        """Take papers out, then put (id, title, abstract) in; what is in both is replaced."""
        import tantivy

        with self._errors(token):
            writer = self._index(token).writer(_WRITER_BYTES, 1)
            for identity in {*gone, *(paper[0] for paper in papers)}:
                writer.delete_documents_by_term("id", identity)
            for identity, title, abstract in papers:
                writer.add_document(tantivy.Document(id=identity, text=f"{title}\n{title}\n{abstract}"))
            writer.commit()
            writer.wait_merging_threads()

    def count(self, token: str) -> int:
        """The number of papers."""
        with self._errors(token):
            return int(self._searcher(token).num_docs)

    def matching(self, token: str, question: str, k: int) -> list[tuple[str, float]]:
        """The `k` best papers for the question's words: ids and BM25 scores, best first."""
        import tantivy

        with self._errors(token):
            searcher = self._searcher(token)
            schema = self._index(token).schema
            clauses = []
            for term in list(dict.fromkeys(analyse(question)))[:_MOST_TERMS]:
                clauses.append((tantivy.Occur.Should, tantivy.Query.term_query(schema, "text", term)))
            found = searcher.search(tantivy.Query.boolean_query(clauses), limit=k, count=False).hits if clauses else []
            return [(searcher.doc(address)["id"][0], float(score)) for score, address in found]

    def similar(self, token: str, term: str, distance: int, k: int) -> list[str]:
        """At most `k` papers with a term within this edit distance of an analysed one; a swap counts as one edit."""
        import tantivy

        with self._errors(token):
            searcher = self._searcher(token)
            fuzzy = tantivy.Query.fuzzy_term_query(self._index(token).schema, "text", term, distance=distance)
            found = searcher.search(fuzzy, limit=k, count=False).hits
            return [searcher.doc(address)["id"][0] for _, address in found]

    def frequencies(self, token: str, terms: Sequence[str]) -> dict[str, int]:
        """In how many papers each analysed term stands."""
        with self._errors(token):
            searcher = self._searcher(token)
            return {term: searcher.doc_freq("text", term) for term in terms}

    def discard_others(self, token: str) -> None:
        """Delete the folders of all other tokens."""
        for folder in self._root.glob("*"):
            if folder.name != token:
                shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Let go of the open index."""
        self._open_index = None

    def _searcher(self, token: str) -> tantivy.Searcher:
        index = self._index(token)
        index.reload()
        return index.searcher()

    def _index(self, token: str) -> tantivy.Index:
        import tantivy

        if self._open_index is None or self._open_index[0] != token:
            index = tantivy.Index.open(str(self._root / token))
            self._register(index)
            self._open_index = (token, index)
        return self._open_index[1]

    def _register(self, index: tantivy.Index) -> None:
        index.register_tokenizer(_ANALYZER, _analyzer())

    @contextmanager
    def _errors(self, token: str) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            if not (isinstance(error, ValueError | OSError) or panicked(error)):
                raise
            self._open_index = None
            raise IndexBroken(f"the lexical index in {self._root / token} fails: {error}") from None


def _schema() -> tantivy.Schema:
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("text", tokenizer_name=_ANALYZER)
    return builder.build()


def analyse(text: str) -> list[str]:
    """The text's terms as the index knows them: lower case, without accents, stop words and endings."""
    return list(_terms(text))


# The same sentences are weighed for question after question.
@lru_cache(maxsize=8192)
def _terms(text: str) -> tuple[str, ...]:
    return tuple(_analyzer().analyze(text))


@cache
def _analyzer() -> tantivy.TextAnalyzer:
    from tantivy import Filter, TextAnalyzerBuilder, Tokenizer

    builder = TextAnalyzerBuilder(Tokenizer.simple())
    for step in (Filter.remove_long(60), Filter.lowercase(), Filter.ascii_fold(), Filter.stopword("english")):
        builder = builder.filter(step)
    return builder.filter(Filter.stemmer("english")).build()
