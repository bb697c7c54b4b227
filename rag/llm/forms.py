"""The form that constrains a completion, in the two notations that servers accept.

One is a grammar in EBNF. Both xgrammar (vLLM) and llama.cpp parse its syntax, so rule names have
no underscores. The other is a JSON schema, for servers that support only `response_format`.
`Form.parts` converts that JSON into the texts that the grammar produces, so that a reader of
completions need not know which notation was used (rag/llm/filters.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_WORDS = 45
"""Maximum number of words of a sentence; at this length the grammar ends it, not the model."""
_SENTENCES = 12  # of an answer
_MARKS = 3  # citation markers of a sentence
_REASON = 160  # characters
_QUESTION = 160  # characters
_TEXT = 400  # characters of a sentence in a JSON schema, which can't count words

# A full stop ends a sentence, unless it is part of a number or of one of these abbreviations.
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
_ABBREVIATION = " | ".join(f'"{text}"' for text in _ABBREVIATIONS)
# Control characters and line breaks would spoil the display; brackets look like citation markers.
_CONTROL = "\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029"
# The character class is repeated in place: as a separate rule it costs xgrammar 14 times as much
# per token.
_STOPS = ".!?。！？"
_CH = f"[^ {_STOPS}\\[\\]{_CONTROL}]"
_UNSPACED = "[\\u0e00-\\u0eff\\u3040-\\u30ff\\u3400-\\u9fff]"  # Thai, Lao, kana and Han
_SENTENCE = (
    # At least three words: "Found." is not a sentence. Scripts without spaces between words need
    # a rule of their own.
    f'sentence ::= (first (" " word){{2,{MOST_WORDS - 1}}}'
    f' | {_UNSPACED} {_CH}* (" " word){{0,{MOST_WORDS - 1}}})'
    f' [{_STOPS}] " "\n'
    # A sentence does not start with a lower-case letter, which would continue the sentence before.
    # Names such as t-SNE and mT5 may.
    f"first ::= [^a-z {_STOPS}\\[\\]{_CONTROL}] {_CH}* decimals | [a-z] [A-Z0-9-] {_CH}* decimals\n"
    f'word ::= {_CH} {_CH}* decimals | "." [0-9] {_CH}* decimals | abbreviation\n'
    f'decimals ::= ("." [0-9] {_CH}*)*\n'
    f"abbreviation ::= {_ABBREVIATION}\n"
)
_LINE = f"first ::= [^\\[\\] {_CONTROL}]\nchar ::= [^\\[\\]{_CONTROL}]\n"
_JSON_CHARACTER = f'[^"\\\\{_CONTROL}]'


@dataclass(frozen=True, slots=True)
class Form:
    """A constraint on a completion.

    `grammar` is EBNF and `schema` a JSON schema. `hint` describes the JSON to the model when the
    schema is used. `parts` converts a parsed JSON value into texts; joined by `separator` they are
    what the grammar would have produced. It is None if the completion itself is JSON.
    """

    grammar: str
    schema: Mapping[str, Any]
    hint: str = ""
    parts: Callable[[Any], Sequence[str]] | None = None
    separator: str = " "


def answer_form(passages: int, refusal: str, sentences: int = _SENTENCES, end: str = "") -> Form:
    """Return the form of an answer: sentences, each followed by citation markers [1] to [passages].

    The answer may be `refusal` instead, word for word, unless that is "". Small models tend to stop
    after the first sentence; if `end` is given, they must write it to stop there.

    A sentence has 3 to `MOST_WORDS` words (fewer in scripts without spaces), a full stop, question
    or exclamation mark only at its end, and one to three citation markers.
    """
    marks = " | ".join(f'"{number}"' for number in range(1, passages + 1))
    refused = f'"{refusal}" | ' if refusal else ""
    more = f'(" " cited){{0,{sentences - 1}}}'
    if end and sentences > 1:
        more = f'" " ("{end}" | cited (" " cited){{0,{sentences - 2}}})'
    grammar = (
        f"root ::= {refused}cited {more}\n"
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
    hint = (
        'Write JSON: {"sentences": [{"text": "...", "marks": [1]}]};'
        ' if they do not answer it: {"sentences": []}'
    )

    def parts(value: Any) -> Sequence[str]:
        rows = value.get("sentences") if isinstance(value, dict) else None
        if rows is None:
            return ()
        return [_marked(row, passages) for row in rows if isinstance(row, dict)] or [refusal]

    return Form(grammar, _object({"sentences": rows}), hint, parts)


def list_form(passages: int) -> Form:
    """Return the form of a list: one line for each passage, a sentence and the passage's marker."""
    lines = ' "\\n" '.join(f'entry "[{number}]"' for number in range(1, passages + 1))
    grammar = f'root ::= {lines}\nentry ::= "- " sentence\n{_SENTENCE}'
    rows = {"type": "array", "items": _string(_TEXT), "minItems": passages, "maxItems": passages}
    hint = 'Write JSON: {"lines": ["...", "..."]}, one sentence for each number, in their order'

    def parts(value: Any) -> Sequence[str]:
        return [
            f"- {text} [{number}]" for number, text in enumerate(_texts(value, "lines"), start=1)
        ]

    return Form(grammar, _object({"lines": rows}), hint, parts, separator="\n")


def verdict_form() -> Form:
    """Return the form of a JSON object with a short reason, then the decision `include`.

    The reason comes first, so that the model bases its decision on it.
    """
    grammar = (
        f'root ::= "{{\\"reason\\": \\"" char{{1,{_REASON}}} "\\",'
        ' \\"include\\": " ("true" | "false") "}"\n'
        f"char ::= {_JSON_CHARACTER}\n"
    )
    return _as_json(grammar, {"reason": _string(_REASON), "include": {"type": "boolean"}})


def line_form(characters: int) -> Form:
    """Return the form of one line of 1 to `characters` characters."""
    grammar = f"root ::= first char{{0,{characters - 1}}}\n{_LINE}"
    return _single(grammar, "line", _string(characters))


def questions_form(number: int) -> Form:
    """Return the form of `number` questions, one on each line."""
    lines = ' "\\n" '.join(["question"] * number)
    grammar = f'root ::= {lines}\nquestion ::= first char{{3,{_QUESTION - 2}}} "?"\n{_LINE}'
    rows = {"type": "array", "items": _string(_QUESTION), "minItems": number, "maxItems": number}
    hint = 'Write JSON: {"questions": ["...?"]}'
    return Form(
        grammar,
        _object({"questions": rows}),
        hint,
        lambda value: _texts(value, "questions"),
        separator="\n",
    )


def query_form(orders: Collection[str], fields: Collection[str]) -> Form:
    """Return the form of a JSON query of the catalog; see prompts/read_question.md."""
    order_rule, field_rule = (
        " | ".join(f'"\\"{name}\\""' for name in names) for names in (orders, fields)
    )
    grammar = (
        'root ::= "{\\"topic\\": " text ", \\"from\\": " year ", \\"to\\": " year'
        ' ", \\"organisation\\": " (text | "null") ", \\"order\\": " (order | "null")'
        ' ", \\"number\\": " [1-9] [0-9]?'
        ' ", \\"asked\\": [" (field (", " field){0,4})?'
        ' "], \\"counted\\": " ("true" | "false") "}"\n'
        f'text ::= "\\"" char{{0,160}} "\\""\nchar ::= {_JSON_CHARACTER}\n'
        'year ::= ("19" | "20") [0-9] [0-9] | "null"\n'
        f"order ::= {order_rule}\nfield ::= {field_rule}\n"
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
    """Return the form of exactly one of these choices."""
    return _single(
        "root ::= " + " | ".join(f'"{choice}"' for choice in choices) + "\n",
        "choice",
        {"enum": list(choices)},
    )


def _marked(row: Mapping[str, Any], passages: int) -> str:
    """Return the sentence of a row with its valid citation markers, as the grammar writes it."""
    numbers = [n for n in row.get("marks") or () if isinstance(n, int) and 1 <= n <= passages]
    text = " ".join(str(row.get("text", "")).split())
    markers = "".join(f"[{n}]" for n in dict.fromkeys(numbers))
    return f"{text} {markers}".rstrip()


def _as_json(grammar: str, properties: Mapping[str, Any]) -> Form:
    """Return a form whose text is JSON in either notation; the prompt describes the JSON."""
    return Form(grammar, _object(properties))


def _single(grammar: str, name: str, schema: Mapping[str, Any]) -> Form:
    """Return a form of a single text."""
    return Form(
        grammar,
        _object({name: schema}),
        f'Write JSON: {{"{name}": "..."}}',
        lambda value: _texts(value, name),
    )


def _texts(value: Any, name: str) -> Sequence[str]:
    """Return the texts under a key, as far as they have arrived."""
    found = value.get(name) if isinstance(value, dict) else None
    return (
        [str(text) for text in found]
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
