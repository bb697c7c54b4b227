"""Where the files that ship with the code lie: in `rag/_data` of a wheel, beside the package in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def shipped(*parts: str) -> Path:
    """Path of a shipped file or folder such as `shipped("configs", "laptop.toml")`; it may not exist."""
    packed = _PACKAGE.joinpath("_data", *parts)
    # In a checkout prompts/ and configs/ stand beside the package, and only the wheel holds them in _data.
    return packed if packed.exists() else _PACKAGE.parent.joinpath(*parts)
