"""A question becomes hits."""

from rag.search.hybrid import Evidence, SearchResult, search
from rag.search.reranking import Searcher
from rag.search.scope import within
from rag.search.similar import similar

__all__ = ["Evidence", "SearchResult", "Searcher", "search", "similar", "within"]
