"""Counting tokens and keeping to a budget of them. The only door to tiktoken.

The vocabulary is the copy that llama-index ships, so counting works without a network. It is an estimate for
models other than OpenAI's.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import ModelError

if TYPE_CHECKING:
    import tiktoken


@cache
def _encoding() -> tiktoken.Encoding:
    import tiktoken

    package = importlib.util.find_spec("llama_index.core")
    if package is None or not package.submodule_search_locations:
        raise ModelError("counting tokens needs llama-index-core: pip install llama-index-core")
    # An own TIKTOKEN_CACHE_DIR of the user's stays in force.
    bundled = Path(package.submodule_search_locations[0]) / "_static" / "tiktoken_cache"
    os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(bundled))
    return tiktoken.get_encoding("o200k_base")


def count(text: str) -> int:
    """The number of tokens of a text; words that look like control tokens count as plain text."""
    return len(_encoding().encode(text, disallowed_special=()))


def fitting(texts: Sequence[str], budget: int) -> int:
    """How many of the texts, taken from the front, fit a budget of tokens together."""
    used = 0
    for number, text in enumerate(texts):
        used += count(text)
        if used > budget:
            return number
    return len(texts)
