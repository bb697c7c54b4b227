"""The `rag` command line. Heavy libraries are imported inside the commands that need them."""

from rag.cli import ask_commands, eval_commands, library_commands, serve_commands
from rag.cli.commands import app
from rag.cli.commands import run as main

__all__ = ["app", "ask_commands", "eval_commands", "library_commands", "main", "serve_commands"]
