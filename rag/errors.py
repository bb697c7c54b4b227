"""Everything that can go wrong in words a user can act on.

    RagError
    ├── ConfigError          a profile, a variable or a value is wrong
    ├── InputError           a question, a file or an argument is wrong
    │   └── SourceError      a file can't be read as papers; knows file and line
    ├── NotFound             no such paper, or no such conversation
    ├── LibraryError         the library's folder is unusable
    │   ├── LibraryBusy      another process is writing
    │   ├── LibraryTooNew    written by a newer version
    │   ├── EmbedderMismatch vectors of another embedder
    │   └── IndexBroken      an index that can be rebuilt does not open or answer
    ├── ModelError           a model can't be had or does not fit
    └── LLMError             the server of the language model fails, or its answer broke off

The command line prints the message as one line and exits with status 2; it never prints a traceback.
"""

from __future__ import annotations


class RagError(Exception):
    """Base of all errors that this project raises on purpose; the message says what, where and the mend."""


class ConfigError(RagError):
    """A profile, an environment variable or a value of the configuration is wrong."""


class InputError(RagError):
    """What the user handed over (a question, a path, an option) can't be used."""


class SourceError(InputError):
    """A file, or an entry of it, can't be read as papers."""

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
    """The library's vectors come from another embedder than the configured one."""


class IndexBroken(LibraryError):
    """An index that follows the catalog does not open or answer; it can be rebuilt."""


class ModelError(RagError):
    """A model's files can't be had, are not what they should be, or do not run."""


class LLMError(RagError):
    """The server of the language model can't be reached, answers wrongly, or broke off."""


def panicked(error: BaseException) -> bool:
    """Tell whether Rust code gave up; pyo3 raises that as a BaseException, of a class that can't be imported."""
    return type(error).__name__ == "PanicException"
