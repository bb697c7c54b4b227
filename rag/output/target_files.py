"""Check the files that answers are written to, before a long answer is made."""

from __future__ import annotations

import os
from pathlib import Path

from rag.errors import InputError


def writable(path: Path) -> Path:
    """Return the path if a file can be written there. Raises InputError with the reason if not."""
    try:
        reason = _obstacle(path)
    except OSError as error:  # such as a name that is too long
        reason = error.strerror
    if reason:
        raise InputError(f"can't write to {path}: {reason}")
    return path


def _obstacle(path: Path) -> str | None:
    if path.is_dir():
        return "it is a folder"
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}"
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        return "you have no permission to write there"
    return None
