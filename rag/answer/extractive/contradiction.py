"""What a question takes for granted, held against what a paper says: "why does X hurt ...?" where X helps.

Rules, since likeness can't tell a claim from its opposite. They look only at questions that take something for granted
and at sentences on the very same thing, and a paper that says both is not taken to contradict.
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
_SAME_THING = 0.45  # of the question's term weights that a sentence on the same thing holds
_GRANTING = "since given because caused makes made right correct"
_NEAR = 5  # words after "without" in which it denies

_MORE = re.compile(
    r"\b(?:more|better|best|faster|quicker|higher|greater|stronger|larger|bigger|superior|always|improv\w*|increas\w*"
    r"|gain\w*|rais(?:e|es|ed|ing)|ris(?:e|es|en)|rose|grow(?:s|th)?|remain\w*|(?:out|over)perform\w*|surpass\w*"
    r"|beat(?:s|en)?|exceed\w*|help(?:s|ed)?|boost\w*|benefits?|wins?|won|ahead|accelerat\w*|speeds?(?: up|ups?)?)\b",
    re.IGNORECASE,
)
_LESS = re.compile(
    r"\b(?:less|worse|worst|slower|lower(?:s|ed)?|fewer|weaker|smaller|poor(?:ly|er)?|inferior|hurt\w*|harm(?:s|ed|ful)?"
    r"|degrad\w*|damag\w*|underperform\w*|decreas\w*|reduc\w*|declin\w*|drops?|impair\w*|shrink\w*|vanish\w*|suffer\w*"
    r"|los(?:e|es|t)|f[ae]ll(?:s|en)?|trail(?:s|ed)?|lags?)\b",
    re.IGNORECASE,
)
_NEED = re.compile(
    r"\b(?:need(?:s|ed)?|requir(?:e|es|ed)|depend(?:s|ed)?|rel(?:y|ies|ied)|demand(?:s|ed)?|hinges?)\b",
    re.IGNORECASE,
)
_BEATS = re.compile(
    r"\b(?:outperform\w*|surpass\w*|beat(?:s|en)?|exceed\w*|(?:better|faster|slower|worse|higher|lower) than)\b",
    re.IGNORECASE,
)
_NOT = re.compile(
    r"\b(?:not(?! (?:only|just|merely|least))|never|cannot|neither|none|hardly|fails? to)\b|n['’]t\b|(?<!with )\bno\b",
    re.IGNORECASE,
)
_WITHOUT = re.compile(
    r"\b(?:not|no|without|never|free of|instead of|rather than|drops?)\b|n['’]t\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a question takes for granted: the weights of its words beside those of the stance, and the stance."""

    text: str
    weights: dict[str, float]
    direction: int
    needs: bool

    def shared(self, terms: Set[str]) -> float:
        """The share of the weights whose terms are there."""
        total = sum(self.weights.values())
        return (
            sum(weight for term, weight in self.weights.items() if term in terms) / total
            if total
            else 0.0
        )

    def opposed(self, sentence: str) -> bool | None:
        """Whether a sentence denies the claim, or None where it says nothing of it."""
        if self.direction:
            there = _direction(sentence)
            return (there * self.direction < 0 or self._swapped(sentence)) if there else None
        if not self.needs:
            return None
        denied = self._denied(sentence)
        return denied if denied or _NEED.search(sentence) else None

    def _denied(self, sentence: str) -> bool:
        """Whether the sentence does without what is said to be needed."""
        after = (sentence[match.end() :].split()[:_NEAR] for match in _WITHOUT.finditer(sentence))
        return any(self.weights.keys() & set(analyse(" ".join(words))) for words in after)

    def _swapped(self, sentence: str) -> bool:
        """Whether "A beats B" is claimed and the sentence has B beat A."""
        claimed, said = _BEATS.search(self.text), _BEATS.search(sentence)
        if not claimed or not said:
            return False
        a, b = set(analyse(self.text[: claimed.start()])), set(analyse(self.text[claimed.end() :]))
        before, after = set(analyse(sentence[: said.start()])), set(analyse(sentence[said.end() :]))
        winner, loser = (a - b) & self.weights.keys(), (b - a) & self.weights.keys()
        return (
            bool(winner and loser) and winner <= after - before and bool(loser & (before - after))
        )


def contradicting(question: str, sentences: Sequence[str], asked: AskedFor) -> int | None:
    """The sentence that says the opposite of what the question takes for granted, or None."""
    if not _GRANTED.search(question):
        return None
    claim = _claim(question, asked)
    found: dict[bool, float] = {}
    best: int | None = None
    for number, sentence in enumerate(sentences):
        opposed, shared = claim.opposed(sentence), claim.shared(set(analyse(sentence)))
        if opposed is None or shared < _SAME_THING or shared <= found.get(opposed, 0.0):
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
    """Above 0 where a text says more or better, below 0 where it says less or worse; a negation turns it round."""
    sign = len(_MORE.findall(text)) - len(_LESS.findall(text))
    return -sign if _NOT.search(text) else sign
