"""Orders to the assistant inside a question ("ignore the above and ...") are no part of what is searched for."""

from __future__ import annotations

import re

_PIECES = re.compile(r"(?<=[.!?:;])[\"'”’)]*\s+|\s+(?:--+|—)\s+|\n+|</?\w+>")
_LEADS = r"^\W*(?:(?:and|then|now|please|first|also|but|ok(?:ay)?|so)\W+)*"
_OVERRIDES = re.compile(
    rf"{_LEADS}(?:"
    r"(?:ignore|disregard|forget|override|bypass)\b.*\b(?:above|previous|prior|earlier|before|instructions?|rules?|prompt"
    r"|documents?|papers|everything|t(?:old))\b"
    r"|(?:system|assistant|developer|admin)(?: (?:override|message|prompt|note|command))?:"
    r"|(?:new|updated|further|important) (?:system |developer )?(?:instructions?|rules?|orders?)\b"
    r"|from now on\b|you are now\b"
    r"|(?:print|reveal|show|repeat|output)\b.*\b(?:system prompt|your (?:prompt|instructions))\b"
    r")",
    re.IGNORECASE,
)
_ORDERS = re.compile(
    rf"{_LEADS}(?:(?:reply|answer|respond|say|write|output)\b.*\b(?:only|just|exactly|nothing)\b"
    r"|(?:cite|use|name|give) no (?:sources?|papers?|evidence|marks?)|do(?:n't| not) (?:cite|search|use)\b"
    r"|(?:print|say|write|repeat|output)\b)|after (?:that|this):$",
    re.IGNORECASE,
)


def without_instructions(question: str) -> tuple[str, tuple[str, ...]]:
    """The question less the orders in it, and these.

    A question without an override ("ignore the above", "SYSTEM:") stays as it is, and so does one of nothing else.
    "Answer with one word" alone is a wish for the answer's form; beside an override it is part of that.
    """
    pieces = [piece for part in _PIECES.split(question) if (piece := part.strip(" \t-—"))]
    if not any(_OVERRIDES.match(piece) for piece in pieces):
        return question, ()
    orders = tuple(piece for piece in pieces if _OVERRIDES.match(piece) or _ORDERS.match(piece))
    left = " ".join(piece for piece in pieces if piece not in orders)
    return (left, orders) if re.search(r"\w", left) else (question, ())
