"""The form of an answer as a grammar (xgrammar's EBNF), so that the model can write no mark that points nowhere."""

from __future__ import annotations

from collections.abc import Sequence

_SENTENCES = 12
_CHARACTERS = 400
_MARKS = 5


def answer_grammar(passages: int, refusal: str) -> str:
    """1 to 12 sentences, each followed by marks [1]..[passages]; or the refusal, word for word.

    A full stop ends no sentence ("0.891", "et al."): its marks do.
    """
    numbers = " | ".join(f'"{number}"' for number in range(1, passages + 1))
    # Control characters and line breaks would break what the reader sees, brackets would look like marks.
    return (
        f'root ::= "{refusal}" | sentence (" " sentence){{0,{_SENTENCES - 1}}}\n'
        f'sentence ::= first char{{0,{_CHARACTERS - 1}}} " " mark{{1,{_MARKS}}}\n'
        "first ::= [^\\[\\]\\x00-\\x20\\x7f-\\x9f\\u2028\\u2029]\n"
        "char ::= [^\\[\\]\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029]\n"
        f'mark ::= "[" ({numbers}) "]"\n'
    )


def choice_grammar(choices: Sequence[str]) -> str:
    """One of these words and nothing else."""
    return "root ::= " + " | ".join(f'"{choice}"' for choice in choices) + "\n"
