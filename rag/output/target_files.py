"""Files that answers are written to: looked at before a long answer is made, not after it."""

from __future__ import annotations

import os
from pathlib import Path

from rag.errors import InputError


def writable(path: Path) -> Path:
    """The path itself, if a file can be written there. Raises InputError."""
    try:
        why = _hindrance(path)
    except OSError as error:
        why = error.strerror
    if why:
        raise InputError(f"can't write to {path}: {why}")
    return path


def _hindrance(path: Path) -> str | None:
    if path.is_dir():
        return "it is a folder"
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}"
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        return "writing there is not allowed"
    return None
