"""The groups of commands, the options that they share, and how a failure is reported."""

from __future__ import annotations

import logging
import os
import sys
from io import TextIOWrapper
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from rag.errors import RagError

app = typer.Typer(
    help="Answer questions over scientific papers, citing the sentences that support each claim.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
models = typer.Typer(help="Download and list models.", no_args_is_help=True)
app.add_typer(models, name="models")
llm = typer.Typer(help="Serve the language model.", no_args_is_help=True)
app.add_typer(llm, name="llm")


class _RunByDefault(TyperGroup):
    """A group in which `rag eval daily-papers` means `rag eval run daily-papers`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Insert the command `run` if no command is named."""
        if not args or (args[0] not in self.commands and args[0] != "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


evaluation = typer.Typer(help="Measure the quality of the answers.", cls=_RunByDefault)
app.add_typer(evaluation, name="eval")
feedback = typer.Typer(help="Export what readers think of the answers.", no_args_is_help=True)
app.add_typer(feedback, name="feedback")

Home = Annotated[
    str | None,
    typer.Option(
        "--home",
        metavar="FOLDER",
        help="The library's folder (or RAG_HOME; default: the user's data folder).",
    ),
]
Profile = Annotated[
    str | None,
    typer.Option(
        "--profile", metavar="NAME", help="A profile in configs/, or a .toml file (or RAG_PROFILE)."
    ),
]
Quotes = Annotated[
    bool,
    typer.Option("--quotes", help="Quote the papers' own sentences; use no language model."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]

# Exit statuses. 130 is what shells report for a process that Ctrl-C ended (128 + SIGINT).
FAILED, WRONG_USE, INTERRUPTED = 1, 2, 130


def run() -> None:
    """Run the command line; report a failure as one line on standard error and a status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal that cannot print a character gets "?" instead of a traceback.
            stream.reconfigure(errors="replace")
    logging.basicConfig(
        level=logging.WARNING, format="rag: %(levelname)s: %(message)s", stream=sys.stderr
    )
    try:
        code = app(standalone_mode=False)
    except RagError as error:
        _fail(str(error), WRONG_USE)
    except typer.Abort:
        _fail("interrupted; everything stored before is safe", INTERRUPTED)
    except KeyboardInterrupt:
        _fail("interrupted; everything stored before is safe", INTERRUPTED)
    except BrokenPipeError:
        # The reader of the output closed it (rag papers | head -1). Redirect the rest, or Python
        # would report the same error when it flushes standard output at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except OSError as error:
        _fail(f"{error.filename or 'the system'}: {error.strerror or error}", WRONG_USE)
    except typer.TyperException as error:
        _fail(f"{error.format_message()} (rag --help shows the commands)", WRONG_USE)
    sys.exit(code or 0)


def _fail(message: str, code: int) -> None:
    sys.stderr.write("rag: " + " ".join(message.split()) + "\n")
    sys.exit(code)
