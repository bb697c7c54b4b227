"""The commands' groups, the options that they share, and what becomes of a failure."""

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
    help="Questions over scientific papers, answered with the exact sentences that support each claim.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
models = typer.Typer(help="The models' files.", no_args_is_help=True)
app.add_typer(models, name="models")
llm = typer.Typer(help="The language model's server.", no_args_is_help=True)
app.add_typer(llm, name="llm")


class _RunByDefault(TyperGroup):
    """`rag eval daily-papers` means `rag eval run daily-papers`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put in the command where none is named."""
        if not args or (args[0] not in self.commands and args[0] != "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


evaluation = typer.Typer(help="Measure how good the answers are.", cls=_RunByDefault)
app.add_typer(evaluation, name="eval")
feedback = typer.Typer(help="What readers think of the answers.", no_args_is_help=True)
app.add_typer(feedback, name="feedback")

Home = Annotated[
    str | None,
    typer.Option(
        "--home", metavar="FOLDER", help="The library's folder (RAG_HOME; by default the user's)."
    ),
]
Profile = Annotated[
    str | None,
    typer.Option(
        "--profile", metavar="NAME", help="A profile in configs/, or a .toml file (RAG_PROFILE)."
    ),
]
Quotes = Annotated[
    bool,
    typer.Option("--quotes", help="Quote the papers' own sentences; let no language model write."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]

FAILED, WRONG, INTERRUPTED = 1, 2, 130


def run() -> None:
    """Run the command line; a failure is one line on standard error and a non-zero exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(
                errors="replace"
            )  # a terminal that knows no umlaut is no reason to stop
    logging.basicConfig(
        level=logging.WARNING, format="rag: %(levelname)s: %(message)s", stream=sys.stderr
    )
    try:
        code = app(standalone_mode=False)
    except RagError as error:
        _fail(str(error), WRONG)
    except typer.Abort:
        _fail("interrupted; what was stored before is safe", INTERRUPTED)
    except KeyboardInterrupt:
        _fail("interrupted; what was stored before is safe", INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output went away, which is its right.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except OSError as error:
        _fail(f"{error.filename or 'the system'}: {error.strerror or error}", WRONG)
    except typer.TyperException as error:
        _fail(f"{error.format_message()} (rag --help shows the commands)", WRONG)
    sys.exit(code or 0)


def _fail(message: str, code: int) -> None:
    sys.stderr.write("rag: " + " ".join(message.split()) + "\n")
    sys.exit(code)
