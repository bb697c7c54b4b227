"""Find sentences, negations, directions ("increases", "impairs") and numbers in a text."""

from __future__ import annotations

import re

# A sentence ends at ".", "!" or "?" before a capital letter or a digit, and at each line end. The
# look-behinds exclude abbreviations ("e.g. X", "et al. Y") and initials ("J. Smith").
_END = re.compile(
    r"(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\bal\.)(?<!\bvs\.)(?<!\bcf\.)(?<!\bFig\.)(?<![\s(][A-Z]\.)"
    r"(?<=[.!?])[\"”’')\]]*\s+(?=[\"“‘'(\[]?[A-Z0-9])|\n+"
)
_WORD = re.compile(r"[a-z][\w'-]*")
# "5", "1,000", ".05", "12.5 %"; not the digits inside a word ("BM25") or a version ("v1.2").
_NUMBER = re.compile(r"(?<![\w.])(\d[\d,]*(?:\.\d+)?|\.\d+)(\s?%| percent\b| per cent\b)?")
_NEGATION = re.compile(
    r"\b(?:not|no|never|without|neither|nor|none|nothing|cannot|unable|unlikely"
    r"|hardly|rarely|little|absen(?:t|ce)"
    r"|fail(?:s|ed|ure)?|lack(?:s|ed|ing)?"
    r"|un(?:affected|changed|related|altered)|independent(?:ly)?"
    r"|non(?=[- ]))\b|n['’]t\b",
    re.IGNORECASE,
)

# Whole words, because stems would confuse "activity" with "activate" and "position" with
# "positive".
_UP = """
    above abundant accelerate accelerated accelerates activate activated activates activating
    activation augment augmented augments best better elevate elevated elevates enhance enhanced
    enhancement enhances enhancing exacerbate exceed exceeds expand expanded faster gain gained
    gains great greater growing growth high higher improve improved improvement improves
    improving increase increased increases increasing increasingly induce induced induces
    inducing larger longer more most over positive positively promote promoted promotes
    promoting raise raised raises rise rises rose stimulate stimulated stimulates stimulating
    strengthen strengthens stronger superior up upregulate upregulated upregulates upregulation
    worsen
    """
_DOWN = """
    abolish abolished abolishes abrogate alleviate alleviates ameliorate attenuate attenuates
    attenuated below block blocked blocking blocks decline declined declines decrease decreased
    decreases decreasing deficiency deficient delay delayed delays deplete depleted depletion
    diminish diminished diminishes down downregulate downregulated downregulates downregulation
    drop dropped drops fall falls fell fewer impair impaired impairment impairs inactivate
    inactivation inferior inhibit inhibited inhibiting inhibition inhibits knockdown least less
    limit limited limits losing loss lost low lower mitigates negative negatively prevent
    prevented prevention prevents protect protected protective protects reduce reduced reduces
    reducing reduction reductions restrict restricted restricts shorter silencing slower smaller
    suppress suppressed suppresses suppression under weaken weakens weaker worse worst
    """
_MORE, _LESS = frozenset(_UP.split()), frozenset(_DOWN.split())


def split(text: str) -> list[str]:
    """Split a text into sentences, approximately; `rag.text.passages` is exact but slow to load."""
    return [part.strip() for part in _END.split(text) if re.search(r"\w", part)]


def negated(text: str) -> bool:
    """Return whether the text contains a negation."""
    return bool(_NEGATION.search(text))


def directions(text: str) -> tuple[int, int]:
    """Count the words of an upward direction ("increases") and of a downward one ("impairs")."""
    words = [_forms(word) for word in _WORD.findall(text.lower())]
    return sum(bool(forms & _MORE) for forms in words), sum(bool(forms & _LESS) for forms in words)


def _forms(word: str) -> set[str]:
    """Return the word without hyphens, and its hyphenated parts ("up-regulated")."""
    return {word.replace("-", ""), *word.split("-")}


def numbers(text: str) -> dict[str, frozenset[float]]:
    """Map each number as printed to its possible values: "5 %" is 5 or 0.05."""
    return {match[0].strip(): _values(match[1], bool(match[2])) for match in _NUMBER.finditer(text)}


def _values(digits: str, percent: bool) -> frozenset[float]:
    # Rounded, so that "5 %" equals a printed 0.05.
    value = float(digits.replace(",", ""))
    return frozenset({value, round(value / 100, 12)} if percent else {value})
