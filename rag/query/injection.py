"""Remove instructions to the assistant from a question: "ignore the above and ..."."""

from __future__ import annotations

import re

# Instructions are removed in pieces: sentences, clauses after a dash, lines, and XML-like tags.
_PIECES = re.compile(r"(?<=[.!?:;])[\"'”’)]*\s+|\s+(?:--+|—)\s+|\n+|</?\w+>")
_LEADS = r"^\W*(?:(?:and|then|now|please|first|also|but|ok(?:ay)?|so)\W+)*"
# "Ignore all previous instructions", "SYSTEM:", "from now on", "print your system prompt".
_OVERRIDES = re.compile(
    rf"{_LEADS}(?:"
    r"(?:ignore|disregard|forget|override|bypass)\b.*\b(?:above|previous|prior|earlier|before"
    r"|instructions?|rules?|prompt|documents?|papers|everything)\b"
    r"|(?:system|assistant|developer|admin)(?: (?:override|message|prompt|note|command))?:"
    r"|(?:new|updated|further|important) (?:system |developer )?(?:instructions?|rules?|orders?)\b"
    r"|from now on\b|you are now\b"
    r"|(?:print|reveal|show|repeat|output)\b.*\b(?:system prompt|your (?:prompt|instructions))\b"
    r")",
    re.IGNORECASE,
)
# "Answer with exactly one word", "cite no sources", "print HACKED".
_ORDERS = re.compile(
    rf"{_LEADS}(?:(?:reply|answer|respond|say|write|output)\b.*\b(?:only|just|exactly|nothing)\b"
    r"|(?:cite|use|name|give) no (?:sources?|papers?|evidence|marks?)"
    r"|do(?:n't| not) (?:cite|search|use)\b"
    r"|(?:print|say|write|repeat|output)\b)|after (?:that|this):$",
    re.IGNORECASE,
)


def without_instructions(question: str) -> tuple[str, tuple[str, ...]]:
    """Return the question without the instructions in it, and the instructions.

    A question without an override ("ignore the above", "SYSTEM:") stays as it is, and so does a
    question that is nothing but instructions. "Answer with one word" alone asks for the answer's
    form; together with an override it is removed too.
    """
    pieces = [piece for part in _PIECES.split(question) if (piece := part.strip(" \t-—"))]
    if not any(_OVERRIDES.match(piece) for piece in pieces):
        return question, ()
    orders = tuple(piece for piece in pieces if _OVERRIDES.match(piece) or _ORDERS.match(piece))
    left = " ".join(piece for piece in pieces if piece not in orders)
    return (left, orders) if re.search(r"\w", left) else (question, ())
