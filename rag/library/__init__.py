"""The stored library: the catalog (SQLite, the source of truth) and two indexes built from it."""

from rag.library.catalog import Catalog
from rag.library.lookup import PaperFacts, PaperParts
from rag.library.store import Library

__all__ = ["Catalog", "Library", "PaperFacts", "PaperParts"]
