"""`rag ...`: the command line. Heavy libraries are imported inside the commands that need them."""

from rag.cli import asking, library, measuring, serving
from rag.cli.app import app
from rag.cli.app import run as main

__all__ = ["app", "asking", "library", "main", "measuring", "serving"]
