"""A question becomes hits."""

from rag.search.engine import Evidence, SearchResult, search
from rag.search.instructions import without_instructions
from rag.search.language import foreign
from rag.search.likeness import similar
from rag.search.naming import called, named, side_by_side, unmentioned
from rag.search.reranking import Searcher
from rag.search.scoping import within
from rag.search.selecting import first, meeting
from rag.search.spelling import correct, misspelt
from rag.search.understanding import understand, understand_after

__all__ = [
    "Evidence",
    "SearchResult",
    "Searcher",
    "called",
    "correct",
    "first",
    "foreign",
    "meeting",
    "misspelt",
    "named",
    "search",
    "side_by_side",
    "similar",
    "understand",
    "understand_after",
    "unmentioned",
    "within",
    "without_instructions",
]
