"""What is kept: the catalog (SQLite, the authority) and two indexes that follow it."""

from rag.library.catalog import Catalog
from rag.library.lookup import PaperFacts, PaperParts
from rag.library.store import Library

__all__ = ["Catalog", "Library", "PaperFacts", "PaperParts"]
