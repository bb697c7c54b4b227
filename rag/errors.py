"""All exceptions of this project; their messages say how to fix the problem.

    RagError
    ├── ConfigError          a profile, a variable or a value is wrong
    ├── InputError           a question, a file or an argument is wrong
    │   └── SourceError      a file can't be read as papers; knows file and line
    ├── NotFound             no such paper, or no such conversation
    ├── LibraryError         the library's folder can't be used
    │   ├── LibraryBusy      another process is writing
    │   ├── LibraryTooNew    written by a newer version
    │   ├── EmbedderMismatch vectors of another embedder
    │   └── IndexBroken      an index that can be rebuilt does not open or answer
    ├── ModelError           a model is not available or does not fit
    └── LLMError             the server of the language model fails, or its answer is cut off

The command line prints the message as one line and exits with status 2; it prints no traceback.
"""

from __future__ import annotations


class RagError(Exception):
    """Base of all errors that this project raises on purpose.

    The message says what went wrong, where, and how to fix it.
    """


class ConfigError(RagError):
    """A profile, an environment variable or a value of the configuration is wrong."""


class InputError(RagError):
    """An input of the user (a question, a path, an option) can't be used."""


class SourceError(InputError):
    """A file, or one of its entries, can't be read as papers."""

    def __init__(self, source: str, reason: str, line: int | None = None) -> None:
        self.source, self.reason, self.line = source, reason, line
        where = source if line is None else f"{source}, line {line}"
        super().__init__(f"{where}: {reason}")


class NotFound(RagError):
    """There is no such paper in the library, or no such conversation of this user."""


class LibraryError(RagError):
    """The library's folder can't be used as it is."""


class LibraryBusy(LibraryError):
    """Another process is writing to the library."""


class LibraryTooNew(LibraryError):
    """The library was written by a newer version of this program."""


class EmbedderMismatch(LibraryError):
    """The library's vectors were made by another embedder than the configured one."""


class IndexBroken(LibraryError):
    """An index that follows the catalog does not open or answer; it can be rebuilt."""


class ModelError(RagError):
    """A model's files are not available, are not the expected ones, or do not run."""


class LLMError(RagError):
    """The language model's server can't be reached, sends a wrong answer, or stops too early."""


def panicked(error: BaseException) -> bool:
    """Return whether the error is a panic of Rust code."""
    # pyo3 raises a BaseException of a class that can't be imported, so compare its name.
    return type(error).__name__ == "PanicException"
