"""Prompts and token counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import ConfigError
from rag.prompts import fill
from rag.text import tokens


def test_a_prompt_is_filled() -> None:
    said = fill("not_found", reason="none mentions it")
    assert "none mentions it" in said
    assert "{" not in said


def test_missing_and_unused_variables_are_named() -> None:
    with pytest.raises(
        ConfigError, match=r"missing variables \['reason'\], unused variables \['nearby'\]"
    ):
        fill("not_found", nearby="y")
    with pytest.raises(ConfigError, match="no prompt 'nothing'"):
        fill("nothing")


def test_a_known_count() -> None:
    # Counted with OpenAI's o200k_base; control tokens are plain text.
    assert tokens.count("density ratios in reinforcement learning") == 5
    assert tokens.count("<|endoftext|>") > 1


@given(st.lists(st.text(max_size=30), max_size=8), st.integers(0, 40))
def test_as_many_texts_as_fit(texts, budget) -> None:
    number = tokens.fitting(texts, budget)
    counts = [tokens.count(text) for text in texts]
    assert sum(counts[:number]) <= budget
    assert number == len(texts) or sum(counts[: number + 1]) > budget
