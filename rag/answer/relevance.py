"""How relevant is each hit, and do the papers tell at all? Two small logistic models over the search's own scores.

Their weights are in rag/_data/calibration.json with the data and the figures that made them; evals/fit.py fits them.
`answer.calibration` names another such file.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.config import AnswerConfig, expanded
from rag.errors import ConfigError
from rag.library import Library
from rag.query.details import details
from rag.query.intent import asks_for_number
from rag.resources import shipped
from rag.search import Evidence, SearchResult
from rag.text.analysis import analyse

RELEVANCE_FEATURES = ("sentence", "coverage", "phrases", "fused")
ABSTENTION_FEATURES = (
    "best lexical by term weight",
    "best sentence",
    "a name is missing",
    "term weight",
    "details missing",
    "a number is missing",
)

# Words of the asking, not of the subject. They are compared as the lexical index knows them, stemmed.
_ASKING = """
    which what who whom whose how why when where paper papers article articles publication publications anything any
    something list show tell give find me my we us our you your have has had here there do does did is are was were be
    been can could should would will may might about please looking want need know known work works working study
    studies studied say says said one ones them they that this these those its out come comes came use uses used using
    not than then also just really exactly much many some few more most other another way ways there on for with from
    """

_NEAR_MISSES = 5
_COVERED = 0.999  # all of a question's terms, but for rounding
_FEW_PAPERS = (
    8  # words are weighed as if there were so many: among one or two papers every word is common
)
_BEST_SENTENCES = 3  # of the first paper, where a number that is asked for would stand
_FIGURE = re.compile(
    r"\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|twice|half|double|dozen|hundred|thousand|million|billion)s?\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")
_NAME = re.compile(r"(?<![\w-])(?=[\w-]*\d|[\w-]+[A-Z])[\w-]*\w")


@dataclass(frozen=True, slots=True)
class Logistic:
    """p = 1 / (1 + exp(-(weights . features + bias)))."""

    weights: tuple[float, ...]
    bias: float

    def __call__(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities of shape (n,) for features of shape (n, len(weights))."""
        p: NDArray[np.float64] = 1.0 / (
            1.0 + np.exp(-(features @ np.array(self.weights) + self.bias))
        )
        return p


@dataclass(frozen=True, slots=True)
class Calibration:
    """Both models as they were fitted together: a hit's `RELEVANCE_FEATURES`, and a search's `ABSTENTION_FEATURES`."""

    relevance: Logistic
    answerability: Logistic


@dataclass(frozen=True, slots=True)
class AskedFor:
    """What a question is about: its content terms with their inverse document frequency.

    `pairs` holds the content terms that stand side by side, `unknown` the words, as asked, that no paper has, and
    `names` the words that look like names: with a digit, or a capital after their beginning. `details` has the words
    for details that abstracts seldom tell, with what a paper that tells them has; `number` says that one is asked for.
    """

    weights: Mapping[str, float]
    pairs: frozenset[tuple[str, str]]
    unknown: tuple[str, ...]
    names: tuple[str, ...]
    details: Mapping[str, re.Pattern[str]]
    number: bool

    def lacking(self, text: str) -> tuple[str, ...]:
        """The details that the text has no word for."""
        return tuple(word for word, rule in self.details.items() if not rule.search(text))


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the answer rests on: each hit's relevance and whether the papers tell, both 0 to 1.

    `lacking` are the details that are asked for and that the first hit has no word for; `covered` says that it has
    every word of the question's subject.
    """

    relevance: NDArray[np.float64]
    answerability: float
    asked: AskedFor
    lacking: tuple[str, ...] = ()
    covered: bool = False

    @property
    def order(self) -> list[int]:
        """Rows of the hits, most relevant first."""
        return [int(row) for row in np.argsort(-self.relevance, kind="stable")]

    def answering(self, config: AnswerConfig) -> list[int]:
        """Rows of the hits that count as answering, most relevant first; the best one always does."""
        best = self.relevance.max(initial=0.0)
        return self._above(max(config.relevance, config.share_of_best * best))

    def stands_alone(self, share: float) -> bool:
        """Whether the next hit's odds of being relevant are below this share of the first one's."""
        first, *others = (float(self.relevance[row]) for row in self.order[:2])
        return all(one * (1 - first) < share * first * (1 - one) for one in others)

    def listed(self, config: AnswerConfig) -> list[int]:
        """Rows of the hits that belong into a list of papers, most relevant first.

        Near 1 a share tells little apart: 0.998 and 0.7 are odds of 500 and 2, and what has all that was asked for
        stands far above what has a part of it.
        """
        best = self.relevance.max(initial=0.0)
        odds = config.odds_of_best * best
        return [
            row for row in self.answering(config) if self.relevance[row] * (1 - best + odds) >= odds
        ]

    def _above(self, line: float) -> list[int]:
        order = self.order
        return [row for row in order if self.relevance[row] >= line] or order[:1]

    def near_misses(self, config: AnswerConfig) -> list[int]:
        """Rows of the few hits just below the line of a list, most relevant first."""
        sure = set(self.listed(config))
        return [
            row
            for row in self.order
            if row not in sure and self.relevance[row] >= config.relevance / 2
        ][:_NEAR_MISSES]


def assess(
    library: Library, question: str, result: SearchResult, config: AnswerConfig
) -> Assessment:
    """Judge a search's hits. Raises ConfigError for a calibration that can't be used."""
    asked = read_question(library, question)
    models = read_calibration(config.calibration)
    if not result.hits:
        return Assessment(np.zeros(0), 0.0, asked)
    relevance = models.relevance(relevance_features(result, asked))
    answerability = float(models.answerability(abstention_features(result, asked))[0])
    best = result.hits[0].paper.text
    return Assessment(
        relevance, answerability, asked, asked.lacking(best), coverage(best, asked) > _COVERED
    )


def read_question(library: Library, question: str) -> AskedFor:
    """The question's content terms with their inverse document frequency as BM25 has it, and its phrases."""
    asking = set(analyse(_ASKING))
    sequence = analyse(question)
    pairs = {
        (a, b) for a, b in pairwise(sequence) if a not in asking and b not in asking and a != b
    }
    papers = max(_FEW_PAPERS, library.catalog.count())
    counts = library.frequencies([term for term in dict.fromkeys(sequence) if term not in asking])
    weights = {
        term: math.log1p((papers - count + 0.5) / (count + 0.5)) for term, count in counts.items()
    }
    unknown = {term for term, count in counts.items() if count == 0}
    words = (word for word in _WORD.findall(question) if unknown.intersection(analyse(word)))
    names = tuple(dict.fromkeys(_NAME.findall(question)))
    unknown_words = tuple(dict.fromkeys(words))
    return AskedFor(
        weights,
        frozenset(pairs),
        unknown_words,
        names,
        details(question),
        asks_for_number(question),
    )


def coverage(text: str, asked: AskedFor) -> float:
    """The share of the question's term weights whose terms stand in the text, 0 to 1."""
    return _coverage(set(analyse(text)), asked)


def relevance_features(result: SearchResult, asked: AskedFor) -> NDArray[np.float64]:
    """`RELEVANCE_FEATURES` of each hit, shape (n, 4)."""
    rows = []
    for hit in result.hits:
        terms, pairs = _terms_and_pairs(hit.paper.text)
        phrases = len(asked.pairs & pairs) / max(1, len(asked.pairs))
        rows.append((hit.stage("sentence") or 0.0, _coverage(terms, asked), phrases, hit.score))
    return np.array(rows)


# The same papers are weighed for question after question.
@lru_cache(maxsize=2048)
def _terms_and_pairs(text: str) -> tuple[frozenset[str], frozenset[tuple[str, str]]]:
    sequence = analyse(text)
    return frozenset(sequence), frozenset(pairwise(sequence))


def _coverage(there: Set[str], asked: AskedFor) -> float:
    total = sum(asked.weights.values())
    return (
        sum(weight for term, weight in asked.weights.items() if term in there) / total
        if total
        else 0.0
    )


def abstention_features(result: SearchResult, asked: AskedFor) -> NDArray[np.float64]:
    """`ABSTENTION_FEATURES` of the search, shape (1, 6)."""
    lexical, sentence = (
        max(hit.stage(name) or 0.0 for hit in result.hits) for name in ("lexical", "sentence")
    )
    best = result.hits[0].paper.text
    nameless = any(name.casefold() not in best.casefold() for name in asked.names)
    numberless = asked.number and not _FIGURE.search(_best_sentences(best, result.evidence[0]))
    total = sum(asked.weights.values())
    lacking = len(asked.lacking(best))
    return np.array(
        [[lexical / (total or 1.0), sentence, float(nameless), total, lacking, float(numberless)]]
    )


def _best_sentences(text: str, evidence: Evidence) -> str:
    best = np.argsort(-evidence.cosines, kind="stable")[:_BEST_SENTENCES]
    sentences = (evidence.parts.sentences[row] for row in best)
    return " ".join(text[one.start : one.end] for one in sentences)


@cache
def read_calibration(place: str) -> Calibration:
    """The calibration in a file that evals/fit.py wrote, or ("") the shipped one; read once in a process.

    Raises ConfigError for a file that is missing or damaged, or was fitted for other features.
    """
    path = expanded(place) if place else shipped("calibration.json")
    try:
        fitted = json.loads(path.read_text(encoding="utf-8"))
        relevance = _logistic(fitted["relevance"], RELEVANCE_FEATURES)
        return Calibration(relevance, _logistic(fitted["answerability"], ABSTENTION_FEATURES))
    except OSError as error:
        raise ConfigError(
            f"the calibration {path} can't be read: {error.strerror}; see answer.calibration"
        ) from None
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ConfigError(
            f"{path} is no calibration of evals.fit ({error}); see answer.calibration"
        ) from None


def _logistic(fitted: Mapping[str, Any], features: Sequence[str]) -> Logistic:
    if list(fitted["features"]) != list(features):
        raise ValueError(f"its features are {fitted['features']}, not {list(features)}")
    numbers = [float(number) for number in [*fitted["weights"], fitted["bias"]]]
    if len(numbers) != len(features) + 1 or not all(map(math.isfinite, numbers)):
        raise ValueError(
            f"{len(features)} weights and a bias, all finite, are needed, not {numbers}"
        )
    return Logistic(tuple(numbers[:-1]), numbers[-1])
