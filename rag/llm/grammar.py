"""The form of an answer as a grammar (xgrammar's EBNF), so that the model can write no mark that points nowhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_SENTENCES = 12
_CHARACTERS = 400
_MARKS = 5
_ENTRY = 240  # characters of a paper's line in a list
_REASON = 160  # characters
_QUESTION = 160  # characters

# Control characters and line breaks would break what the reader sees, brackets would look like marks.
_TEXT = (
    "first ::= [^\\[\\]\\x00-\\x20\\x7f-\\x9f\\u2028\\u2029]\nchar ::= [^\\[\\]\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029]\n"
)


def answer_grammar(passages: int, refusal: str) -> str:
    """1 to 12 sentences, each followed by marks [1]..[passages]; or the refusal, word for word.

    A full stop ends no sentence ("0.891", "et al."): its marks do.
    """
    numbers = " | ".join(f'"{number}"' for number in range(1, passages + 1))
    return (
        f'root ::= "{refusal}" | sentence (" " sentence){{0,{_SENTENCES - 1}}}\n'
        f'sentence ::= first char{{0,{_CHARACTERS - 1}}} " " mark{{1,{_MARKS}}}\n'
        f'mark ::= "[" ({numbers}) "]"\n'
    ) + _TEXT


def list_grammar(passages: int, refusal: str) -> str:
    """A line for each passage, in their order: a sentence and the passage's mark; or the refusal, word for word."""
    lines = ' "\\n" '.join(f'entry "[{number}]"' for number in range(1, passages + 1))
    return f'root ::= "{refusal}" | {lines}\nentry ::= "- " first char{{0,{_ENTRY - 1}}} " "\n' + _TEXT


def verdict_grammar() -> str:
    """A JSON object with a short reason, and then whether to include; the reason comes first, to be concluded from."""
    return (
        'root ::= "{\\"reason\\": \\"" char{1,' + str(_REASON) + '} "\\", \\"include\\": " ("true" | "false") "}"\n'
        'char ::= [^"\\\\\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029]\n'
    )


def line_grammar(characters: int) -> str:
    """One line of 1 to so many characters."""
    return f"root ::= first char{{0,{characters - 1}}}\n" + _TEXT


def questions_grammar(number: int) -> str:
    """So many questions, one on each line."""
    lines = ' "\\n" '.join(["question"] * number)
    return f'root ::= {lines}\nquestion ::= first char{{3,{_QUESTION - 2}}} "?"\n' + _TEXT


def query_grammar(orders: Iterable[str], fields: Iterable[str]) -> str:
    """A JSON object that holds what a question asks of the catalog; see prompts/read_question.md."""
    ordered, known = (" | ".join(f'"\\"{one}\\""' for one in names) for names in (orders, fields))
    return (
        'root ::= "{\\"topic\\": " text ", \\"from\\": " year ", \\"to\\": " year'
        ' ", \\"organisation\\": " (text | "null") ", \\"order\\": " (order | "null") ", \\"number\\": " [1-9] [0-9]?'
        ' ", \\"asked\\": [" (field (", " field){0,4})? "], \\"counted\\": " ("true" | "false") "}"\n'
        'text ::= "\\"" char{0,160} "\\""\n'
        'char ::= [^"\\\\\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029]\n'
        'year ::= ("19" | "20") [0-9] [0-9] | "null"\n'
        f"order ::= {ordered}\nfield ::= {known}\n"
    )


def choice_grammar(choices: Sequence[str]) -> str:
    """One of these words and nothing else."""
    return "root ::= " + " | ".join(f'"{choice}"' for choice in choices) + "\n"
