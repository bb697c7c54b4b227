"""The form that a completion is bound to: one description, in the two languages that servers read.

A grammar in EBNF, whose wording xgrammar (vLLM) and llama.cpp read alike (so rule names have no underscores), and a
JSON schema for servers that know only `response_format`. `Form.parts` says what that JSON stands for, so that whoever
reads a completion need not know which of the two bound it (rag/llm/filters.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_WORDS = 45
"""The words of a sentence at most. One that reaches the limit was ended by the grammar, not by the model."""
_SENTENCES = 12
_MARKS = 3
_REASON = 160  # characters
_QUESTION = 160  # characters
_TEXT = 400  # characters of a sentence where a JSON schema binds, which can't count words

# A sentence ends at its stop: inside, a stop belongs to a number or to one of these.
_ABBREVIATIONS = (
    "al.",
    "e.g.",
    "i.e.",
    "vs.",
    "cf.",
    "Fig.",
    "Figs.",
    "Eq.",
    "Eqs.",
    "Sec.",
    "Tab.",
    "approx.",
)
_ABBREVIATION = " | ".join(f'"{one}"' for one in _ABBREVIATIONS)
# Control characters and line breaks would break what the reader sees, brackets would look like marks.
_CONTROL = "\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029"
# The class is written out where it repeats: as a rule of its own it costs xgrammar 14 times as much a token.
_STOPS = ".!?。！？"
_CH = f"[^ {_STOPS}\\[\\]{_CONTROL}]"
_UNSPACED = "[\\u0e00-\\u0eff\\u3040-\\u30ff\\u3400-\\u9fff]"  # Thai, Lao, kana and Han
_SENTENCE = (
    # Three words at least, since "Found." is none; scripts that put no spaces between words begin otherwise.
    f'sentence ::= (first (" " word){{2,{MOST_WORDS - 1}}} | {_UNSPACED} {_CH}* (" " word){{0,{MOST_WORDS - 1}}})'
    f' [{_STOPS}] " "\n'
    # A small letter first continues the sentence before, unless it is part of a name: t-SNE, mT5.
    f"first ::= [^a-z {_STOPS}\\[\\]{_CONTROL}] {_CH}* decimals | [a-z] [A-Z0-9-] {_CH}* decimals\n"
    f'word ::= {_CH} {_CH}* decimals | "." [0-9] {_CH}* decimals | abbreviation\n'
    f'decimals ::= ("." [0-9] {_CH}*)*\n'
    f"abbreviation ::= {_ABBREVIATION}\n"
)
_LINE = f"first ::= [^\\[\\] {_CONTROL}]\nchar ::= [^\\[\\]{_CONTROL}]\n"
_JSON_CHARACTER = f'[^"\\\\{_CONTROL}]'


@dataclass(frozen=True, slots=True)
class Form:
    """What a completion must look like.

    `grammar` is EBNF, `schema` a JSON schema, `hint` describes the JSON to the model where a schema binds, and `parts`
    are the texts that a parsed JSON value stands for, which joined by `joint` are what the grammar would have written;
    None where that is JSON itself.
    """

    grammar: str
    schema: Mapping[str, Any]
    hint: str = ""
    parts: Callable[[Any], Sequence[str]] | None = None
    joint: str = " "


def answer_form(passages: int, refusal: str, sentences: int = _SENTENCES, end: str = "") -> Form:
    """Sentences, each with its marks [1]..[passages] behind it; or the refusal, word for word, unless that is "".

    Small models stop after the first part of an answer; `end`, where given, is what they must write to stop there.

    A sentence has its end mark at its end and nowhere else, 3 to `MOST_WORDS` words, and one to three marks.
    """
    marks = " | ".join(f'"{number}"' for number in range(1, passages + 1))
    allowed = f'"{refusal}" | ' if refusal else ""
    more = f'(" " cited){{0,{sentences - 1}}}'
    if end and sentences > 1:
        more = f'" " ("{end}" | cited (" " cited){{0,{sentences - 2}}})'
    grammar = (
        f"root ::= {allowed}cited {more}\n"
        f'cited ::= sentence mark{{1,{_MARKS}}}\n{_SENTENCE}mark ::= "[" ({marks}) "]"\n'
    )
    mark = {
        "type": "integer",
        "minimum": 1,
        "maximum": passages,
        "enum": list(range(1, passages + 1)),
    }
    cited = {
        "text": _string(_TEXT),
        "marks": {"type": "array", "items": mark, "minItems": 1, "maxItems": _MARKS},
    }
    rows = {
        "type": "array",
        "items": _object(cited),
        "minItems": 0 if refusal else 1,
        "maxItems": sentences,
    }
    hint = 'Write JSON: {"sentences": [{"text": "...", "marks": [1]}]}; if they do not answer it: {"sentences": []}'

    def parts(value: Any) -> Sequence[str]:
        rows = value.get("sentences") if isinstance(value, dict) else None
        if rows is None:
            return ()
        return [_marked(row, passages) for row in rows if isinstance(row, dict)] or [refusal]

    return Form(grammar, _object({"sentences": rows}), hint, parts)


def list_form(passages: int) -> Form:
    """A line for each passage, in their order: a sentence and the passage's mark."""
    lines = ' "\\n" '.join(f'entry "[{number}]"' for number in range(1, passages + 1))
    grammar = f'root ::= {lines}\nentry ::= "- " sentence\n{_SENTENCE}'
    rows = {"type": "array", "items": _string(_TEXT), "minItems": passages, "maxItems": passages}
    hint = 'Write JSON: {"lines": ["...", "..."]}, one sentence for each number, in their order'

    def parts(value: Any) -> Sequence[str]:
        return [
            f"- {text} [{number}]" for number, text in enumerate(_texts(value, "lines"), start=1)
        ]

    return Form(grammar, _object({"lines": rows}), hint, parts, joint="\n")


def verdict_form() -> Form:
    """A JSON object with a short reason, and then whether to include; the reason comes first, to be concluded from."""
    grammar = (
        f'root ::= "{{\\"reason\\": \\"" char{{1,{_REASON}}} "\\", \\"include\\": " ("true" | "false") "}}"\n'
        f"char ::= {_JSON_CHARACTER}\n"
    )
    return _as_json(grammar, {"reason": _string(_REASON), "include": {"type": "boolean"}})


def line_form(characters: int) -> Form:
    """One line of 1 to so many characters."""
    grammar = f"root ::= first char{{0,{characters - 1}}}\n{_LINE}"
    return _one(grammar, "line", _string(characters))


def questions_form(number: int) -> Form:
    """So many questions, one on each line."""
    lines = ' "\\n" '.join(["question"] * number)
    grammar = f'root ::= {lines}\nquestion ::= first char{{3,{_QUESTION - 2}}} "?"\n{_LINE}'
    rows = {"type": "array", "items": _string(_QUESTION), "minItems": number, "maxItems": number}
    hint = 'Write JSON: {"questions": ["...?"]}'
    return Form(
        grammar,
        _object({"questions": rows}),
        hint,
        lambda value: _texts(value, "questions"),
        joint="\n",
    )


def query_form(orders: Collection[str], fields: Collection[str]) -> Form:
    """A JSON object that holds what a question asks of the catalog; see prompts/read_question.md."""
    ordered, known = (" | ".join(f'"\\"{one}\\""' for one in names) for names in (orders, fields))
    grammar = (
        'root ::= "{\\"topic\\": " text ", \\"from\\": " year ", \\"to\\": " year'
        ' ", \\"organisation\\": " (text | "null") ", \\"order\\": " (order | "null") ", \\"number\\": " [1-9] [0-9]?'
        ' ", \\"asked\\": [" (field (", " field){0,4})? "], \\"counted\\": " ("true" | "false") "}"\n'
        f'text ::= "\\"" char{{0,160}} "\\""\nchar ::= {_JSON_CHARACTER}\n'
        'year ::= ("19" | "20") [0-9] [0-9] | "null"\n'
        f"order ::= {ordered}\nfield ::= {known}\n"
    )
    year = {"type": ["integer", "null"]}
    asked = {"type": "array", "items": {"enum": list(fields)}, "maxItems": 5}
    properties = {
        "topic": _string(160),
        "from": year,
        "to": year,
        "organisation": {"type": ["string", "null"]},
        "order": {"enum": [*orders, None]},
        "number": {"type": "integer"},
        "asked": asked,
        "counted": {"type": "boolean"},
    }
    return _as_json(grammar, properties)


def choice_form(choices: Sequence[str]) -> Form:
    """One of these words and nothing else."""
    return _one(
        "root ::= " + " | ".join(f'"{choice}"' for choice in choices) + "\n",
        "choice",
        {"enum": list(choices)},
    )


def _marked(row: Mapping[str, Any], passages: int) -> str:
    marks = [n for n in row.get("marks") or () if isinstance(n, int) and 1 <= n <= passages]
    return f"{' '.join(str(row.get('text', '')).split())} {''.join(f'[{n}]' for n in dict.fromkeys(marks))}".rstrip()


def _as_json(grammar: str, properties: Mapping[str, Any]) -> Form:
    """A form whose plain text is JSON, whichever language bound it; the prompt describes it."""
    return Form(grammar, _object(properties))


def _one(grammar: str, name: str, schema: Mapping[str, Any]) -> Form:
    """A form of a single text."""
    return Form(
        grammar,
        _object({name: schema}),
        f'Write JSON: {{"{name}": "..."}}',
        lambda value: _texts(value, name),
    )


def _texts(value: Any, name: str) -> Sequence[str]:
    """The texts below a name, as far as they have come."""
    found = value.get(name) if isinstance(value, dict) else None
    return (
        [str(one) for one in found]
        if isinstance(found, list)
        else []
        if found is None
        else [str(found)]
    )


def _string(characters: int) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": characters}


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }
