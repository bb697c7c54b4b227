"""Read files as papers: one module for each format, chosen by the file's name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from rag.config import expanded
from rag.errors import InputError, SourceError
from rag.sources import daily_papers, jsonl
from rag.sources.lines import Entry

__all__ = ["SUFFIXES", "Entry", "find", "read"]

Reader = Callable[[Path, int | None], Iterator[Entry]]

_FORMATS: tuple[tuple[tuple[str, ...], Reader], ...] = (
    (daily_papers.SUFFIXES, daily_papers.read),
    (jsonl.SUFFIXES, jsonl.read),
)
SUFFIXES = tuple(suffix for suffixes, _ in _FORMATS for suffix in suffixes)
"""The endings of readable files' names, in lower case."""


def find(paths: Iterable[str | Path]) -> list[Path]:
    """Return the files to read: the given files, and the readable files below the given folders.

    Files of a folder are sorted by path. Raises InputError for a path that does not exist, and for
    a folder without any file of a known type.
    """
    found: dict[Path, None] = {}
    for given in paths:
        path = expanded(given).resolve()
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if _readable(file) and file.is_file())
            if not inside:
                raise InputError(
                    f"{given} contains no papers: no file ends in {', '.join(SUFFIXES)}"
                )
            found.update(dict.fromkeys(inside))
        elif path.is_file():
            found[path] = None
        elif path.exists():
            raise InputError(f"{given} is neither a file nor a folder")
        else:
            raise InputError(f"there is no file or folder {given}")
    return list(found)


def read(path: Path, page_year: int | None = None) -> Iterator[Entry]:
    """Return the entries of a file, read by the reader of its format.

    Raises SourceError for a file of an unknown type, and if the reader refuses the file.
    """
    for suffixes, reader in _FORMATS:
        if path.name.lower().endswith(suffixes):
            return reader(path, page_year)
    raise SourceError(str(path), f"unknown file type; known types: {', '.join(SUFFIXES)}")


def _readable(path: Path) -> bool:
    return not path.name.startswith(".") and path.name.lower().endswith(SUFFIXES)
