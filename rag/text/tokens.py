"""Count tokens and fit texts into a token budget. The only module that imports tiktoken.

The vocabulary is the copy that llama-index ships, so counting works offline. For models of other
vendors than OpenAI the count is an estimate.
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
    # A TIKTOKEN_CACHE_DIR that the user has set is respected.
    bundled = Path(package.submodule_search_locations[0]) / "_static" / "tiktoken_cache"
    os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(bundled))
    return tiktoken.get_encoding("o200k_base")


def count(text: str) -> int:
    """Return the number of tokens of a text; control tokens in it count as plain text."""
    return len(_encoding().encode(text, disallowed_special=()))


def fitting(texts: Sequence[str], budget: int) -> int:
    """Return how many of the texts, taken from the front, fit a token budget together."""
    used = 0
    for index, text in enumerate(texts):
        used += count(text)
        if used > budget:
            return index
    return len(texts)
