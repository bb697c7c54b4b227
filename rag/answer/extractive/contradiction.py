"""Find a sentence that contradicts an assumption of the question: "Why does X hurt?" if X helps.

These are rules, because similarity can't separate a claim from its opposite. They apply only to
questions that assume something, and only to sentences on the same subject. If a paper states both
the assumption and its opposite, the sentence that shares more with the question decides.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass

from rag.answer.relevance import AskedFor
from rag.text.analysis import analyse

_GRANTED = re.compile(
    r"^\W*(?:and |but |so )?(?:why|how come|what (?:makes|made|caused)|since|given that|because)\b"
    r"|\b(?:right|correct|isn't it|doesn't it|don't they|aren't they)\s*\?",
    re.IGNORECASE,
)
_SAME_SUBJECT = 0.45  # share of the question's term weights that such a sentence has
# Words of _GRANTED, which are not part of the subject.
_GRANTING = "since given because caused makes made right correct"
_NEAR = 5  # words after "without" that it can negate

# Words for more or better, for less or worse, and for a need. A claim about more is contradicted by
# a sentence about less, and the other way round.
_MORE = re.compile(
    r"\b(?:more|better|best|faster|quicker|higher|greater|stronger|larger|bigger|superior|always"
    r"|improv\w*|increas\w*|gain\w*|rais(?:e|es|ed|ing)|ris(?:e|es|en)|rose|grow(?:s|th)?|remain\w*"
    r"|(?:out|over)perform\w*|surpass\w*|beat(?:s|en)?|exceed\w*|help(?:s|ed)?|boost\w*|benefits?"
    r"|wins?|won|ahead|accelerat\w*|speeds?(?: up|ups?)?)\b",
    re.IGNORECASE,
)
_LESS = re.compile(
    r"\b(?:less|worse|worst|slower|lower(?:s|ed)?|fewer|weaker|smaller|poor(?:ly|er)?|inferior"
    r"|hurt\w*|harm(?:s|ed|ful)?|degrad\w*|damag\w*|underperform\w*|decreas\w*|reduc\w*|declin\w*"
    r"|drops?|impair\w*|shrink\w*|vanish\w*|suffer\w*|los(?:e|es|t)|f[ae]ll(?:s|en)?"
    r"|trail(?:s|ed)?|lags?)\b",
    re.IGNORECASE,
)
_NEED = re.compile(
    r"\b(?:need(?:s|ed)?|requir(?:e|es|ed)|depend(?:s|ed)?|rel(?:y|ies|ied)|demand(?:s|ed)?"
    r"|hinges?)\b",
    re.IGNORECASE,
)
_BEATS = re.compile(
    r"\b(?:outperform\w*|surpass\w*|beat(?:s|en)?|exceed\w*"
    r"|(?:better|faster|slower|worse|higher|lower) than)\b",
    re.IGNORECASE,
)
# "Not only" and "with no loss" do not reverse the direction of their sentence.
_NOT = re.compile(
    r"\b(?:not(?! (?:only|just|merely|least))|never|cannot|neither|none|hardly|fails? to)\b"
    r"|n['’]t\b|(?<!with )\bno\b",
    re.IGNORECASE,
)
_WITHOUT = re.compile(
    r"\b(?:not|no|without|never|free of|instead of|rather than|drops?)\b|n['’]t\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class _Claim:
    """An assumption of a question.

    `weights` are the weights of its subject terms, without the words for more, less or a need.
    `direction` is above 0 for more or better, below 0 for less or worse, and 0 for neither.
    `needs` means that the question says that something is needed.
    """

    text: str
    weights: dict[str, float]
    direction: int
    needs: bool

    def shared(self, terms: Set[str]) -> float:
        """Return the share of the term weights whose terms are in `terms`, 0 to 1."""
        total = sum(self.weights.values())
        return (
            sum(weight for term, weight in self.weights.items() if term in terms) / total
            if total
            else 0.0
        )

    def opposed(self, sentence: str) -> bool | None:
        """Check whether a sentence contradicts the claim; None if it does not concern the claim."""
        if self.direction:
            direction = _direction(sentence)
            if not direction:
                return None
            return direction * self.direction < 0 or self._swapped(sentence)
        if not self.needs:
            return None
        denied = self._denied(sentence)
        return denied if denied or _NEED.search(sentence) else None

    def _denied(self, sentence: str) -> bool:
        """Check whether the sentence says "without ..." of something that the claim needs."""
        after = (sentence[match.end() :].split()[:_NEAR] for match in _WITHOUT.finditer(sentence))
        return any(self.weights.keys() & set(analyse(" ".join(words))) for words in after)

    def _swapped(self, sentence: str) -> bool:
        """Check whether the claim is "A beats B" and the sentence says "B beats A"."""
        claimed, stated = _BEATS.search(self.text), _BEATS.search(sentence)
        if not claimed or not stated:
            return False
        a, b = set(analyse(self.text[: claimed.start()])), set(analyse(self.text[claimed.end() :]))
        before = set(analyse(sentence[: stated.start()]))
        after = set(analyse(sentence[stated.end() :]))
        winner, loser = (a - b) & self.weights.keys(), (b - a) & self.weights.keys()
        return (
            bool(winner and loser) and winner <= after - before and bool(loser & (before - after))
        )


def contradicting(question: str, sentences: Sequence[str], asked: AskedFor) -> int | None:
    """Return the index of the sentence that contradicts an assumption of the question, or None."""
    if not _GRANTED.search(question):
        return None
    claim = _claim(question, asked)
    # The best shares so far: of a sentence that contradicts (True) and of one that agrees (False).
    found: dict[bool, float] = {}
    best: int | None = None
    for number, sentence in enumerate(sentences):
        opposed, shared = claim.opposed(sentence), claim.shared(set(analyse(sentence)))
        if opposed is None or shared < _SAME_SUBJECT or shared <= found.get(opposed, 0.0):
            continue
        found[opposed] = shared
        best = number if opposed else best
    return best if found.get(True, 0.0) > found.get(False, 0.0) else None


def _claim(question: str, asked: AskedFor) -> _Claim:
    stance = {
        term
        for rule in (_MORE, _LESS, _NEED)
        for match in rule.finditer(question)
        for term in analyse(match[0])
    }
    weights = {
        term: weight
        for term, weight in asked.weights.items()
        if term not in stance | set(analyse(_GRANTING))
    }
    return _Claim(question, weights, _direction(question), _NEED.search(question) is not None)


def _direction(text: str) -> int:
    """Return above 0 for more or better, below 0 for less or worse; a negation reverses it."""
    sign = len(_MORE.findall(text)) - len(_LESS.findall(text))
    return -sign if _NOT.search(text) else sign
