"""Locate the files that ship with the code.

In a wheel they are in `rag/_data`. In a checkout prompts/ and configs/ are next to the package.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).resolve().parent


def shipped(*parts: str) -> Path:
    """Return the path of a shipped file or folder; it need not exist.

    Example: `shipped("configs", "laptop.toml")`.
    """
    packed = _PACKAGE.joinpath("_data", *parts)
    # Only a wheel has prompts/ and configs/ in _data.
    return packed if packed.exists() else _PACKAGE.parent.joinpath(*parts)


@cache
def renamed(kind: str) -> Mapping[str, str]:
    """Map former names, which programs and profiles may still use, to the present names.

    `kind` is "answer" for fields of an answer, or "settings" for keys of a profile.
    """
    names: dict[str, Any] = json.loads(shipped("renamed.json").read_text(encoding="utf-8"))
    return dict(names[kind])
