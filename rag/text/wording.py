"""What a text says word by word: its sentences, negations, directions ("increases", "impairs") and numbers."""

from __future__ import annotations

import re

# A sentence ends at its full stop before a capital or a number, and at each line's end.
_END = re.compile(
    r"(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\bal\.)(?<!\bvs\.)(?<!\bcf\.)(?<!\bFig\.)(?<![\s(][A-Z]\.)"
    r"(?<=[.!?])[\"”’')\]]*\s+(?=[\"“‘'(\[]?[A-Z0-9])|\n+"
)
_WORD = re.compile(r"[a-z][\w'-]*")
_NUMBER = re.compile(r"(?<![\w.])(\d[\d,]*(?:\.\d+)?|\.\d+)(\s?%| percent\b| per cent\b)?")
_NEGATION = re.compile(
    r"\b(?:not|no|never|without|neither|nor|none|nothing|cannot|unable|unlikely|hardly|rarely|little|absen(?:t|ce)"
    r"|fail(?:s|ed|ure)?|lack(?:s|ed|ing)?|un(?:affected|changed|related|altered)|independent(?:ly)?"
    r"|non(?=[- ]))\b|n['’]t\b",
    re.IGNORECASE,
)

# Whole words: stems would take "activity" for "activate" and "position" for "positive".
_UP = """
    above abundant accelerate accelerated accelerates activate activated activates activating activation augment
    augmented augments best better elevate elevated elevates enhance enhanced enhancement enhances enhancing exacerbate
    exceed exceeds expand expanded faster gain gained gains great greater growing growth high higher improve improved
    improvement improves improving increase increased increases increasing increasingly induce induced induces inducing
    larger longer more most over positive positively promote promoted promotes promoting raise raised raises rise rises
    rose stimulate stimulated stimulates stimulating strengthen strengthens stronger superior up upregulate upregulated
    upregulates upregulation worsen
    """
_DOWN = """
    abolish abolished abolishes abrogate alleviate alleviates ameliorate attenuate attenuates attenuated below block
    blocked blocking blocks decline declined declines decrease decreased decreases decreasing deficiency deficient
    delay delayed delays deplete depleted depletion diminish diminished diminishes down downregulate downregulated
    downregulates downregulation drop dropped drops fall falls fell fewer impair impaired impairment impairs
    inactivate inactivation inferior inhibit inhibited inhibiting inhibition inhibits knockdown least less limit
    limited limits losing loss lost low lower mitigates negative negatively prevent prevented prevention prevents
    protect protected protective protects reduce reduced reduces reducing reduction reductions restrict restricted
    restricts shorter silencing slower smaller suppress suppressed suppresses suppression under weaken weakens weaker
    worse worst
    """
_MORE, _LESS = frozenset(_UP.split()), frozenset(_DOWN.split())


def split(text: str) -> list[str]:
    """Split into sentences, roughly; `rag.text.passages` is exact, but slow to load."""
    return [part.strip() for part in _END.split(text) if re.search(r"\w", part)]


def negated(text: str) -> bool:
    """Whether something is negated."""
    return bool(_NEGATION.search(text))


def directions(text: str) -> tuple[int, int]:
    """How many words say more, and how many say less."""
    said = [_forms(word) for word in _WORD.findall(text.lower())]
    return sum(bool(forms & _MORE) for forms in said), sum(bool(forms & _LESS) for forms in said)


def _forms(word: str) -> set[str]:
    return {word.replace("-", ""), *word.split("-")}


def numbers(text: str) -> dict[str, frozenset[float]]:
    """Each number as printed, with the values it may stand for: 5 % is 5 as well as 0.05."""
    return {found[0].strip(): _values(found[1], bool(found[2])) for found in _NUMBER.finditer(text)}


def _values(digits: str, percent: bool) -> frozenset[float]:
    value = float(digits.replace(",", ""))
    return frozenset({value, round(value / 100, 12)} if percent else {value})
