"""Where the files that ship with the code lie: in `rag/_data` of a wheel, beside the package in a checkout."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).resolve().parent


def shipped(*parts: str) -> Path:
    """Path of a shipped file or folder such as `shipped("configs", "laptop.toml")`; it may not exist."""
    packed = _PACKAGE.joinpath("_data", *parts)
    # In a checkout prompts/ and configs/ stand beside the package, and only the wheel holds them in _data.
    return packed if packed.exists() else _PACKAGE.parent.joinpath(*parts)


@cache
def renamed(kind: str) -> Mapping[str, str]:
    """Return the names that programs and profiles may still use, each with the one that took its place.

    `kind` is "answer" for fields of an answer, or "settings" for keys of a profile.
    """
    names: dict[str, Any] = json.loads(shipped("renamed.json").read_text(encoding="utf-8"))
    return dict(names[kind])
