"""Relevance of each hit, and answerability: two small logistic models over the search's scores.

Answerability is the probability that the papers answer the question. The weights are in
rag/_data/calibration.json, with the data and the figures of the fit; evals/fit.py fits them.
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

# Question words, which are not part of the subject. They are stemmed like the lexical index.
_ASKING = """
    which what who whom whose how why when where paper papers article articles publication
    publications anything any something list show tell give find me my we us our you your have has
    had here there do does did is are was were be been can could should would will may might about
    please looking want need know known work works working study studies studied say says said one
    ones them they that this these those its out come comes came use uses used using not than then
    also just really exactly much many some few more most other another way ways there on for with
    from
    """

_NEAR_MISSES = 5  # hits, at most
_COVERED = 0.999  # coverage at which all of a question's terms are present; below 1 for rounding
# Term weights are computed for at least this many papers: in a library of one or two papers every
# word would be common.
_FEW_PAPERS = 8
_BEST_SENTENCES = 3  # of the first paper, in which a number that is asked for is searched
_FIGURE = re.compile(
    r"\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|twice|half|double|dozen"
    r"|hundred|thousand|million|billion)s?\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")
# A word with a digit, or with a capital letter after its first one: "GPT-4", "t-SNE", "BERT".
_NAME = re.compile(r"(?<![\w-])(?=[\w-]*\d|[\w-]+[A-Z])[\w-]*\w")


@dataclass(frozen=True, slots=True)
class Logistic:
    """p = 1 / (1 + exp(-(weights . features + bias)))."""

    weights: tuple[float, ...]
    bias: float

    def __call__(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return probabilities, shape (n,), for features of shape (n, len(weights))."""
        p: NDArray[np.float64] = 1.0 / (
            1.0 + np.exp(-(features @ np.array(self.weights) + self.bias))
        )
        return p


@dataclass(frozen=True, slots=True)
class Calibration:
    """Two models that were fitted together.

    `relevance` is over a hit's `RELEVANCE_FEATURES`, `answerability` over a search's
    `ABSTENTION_FEATURES`.
    """

    relevance: Logistic
    answerability: Logistic


@dataclass(frozen=True, slots=True)
class AskedFor:
    """A question's subject: its content terms with their inverse document frequency (`weights`).

    `pairs` are the adjacent content terms. `unknown` are the question's words, as typed, that no
    paper has. `names` are the words that look like names: with a digit, or with a capital letter
    after the first letter. `details` maps the question's words for details that abstracts seldom
    have (licences, hardware) to the pattern of a paper that states them. `number` means that the
    question asks for a number.
    """

    weights: Mapping[str, float]
    pairs: frozenset[tuple[str, str]]
    unknown: tuple[str, ...]
    names: tuple[str, ...]
    details: Mapping[str, re.Pattern[str]]
    number: bool

    def lacking(self, text: str) -> tuple[str, ...]:
        """Return the details that the question asks for and the text has no word for."""
        return tuple(word for word, rule in self.details.items() if not rule.search(text))


@dataclass(frozen=True, slots=True)
class Assessment:
    """A judgement of a search: the relevance of each hit, and the answerability, all 0 to 1.

    `lacking` are the details that the question asks for and the first hit has no word for.
    `covered` means that the first hit has every word of the question's subject.
    """

    relevance: NDArray[np.float64]
    answerability: float
    asked: AskedFor
    lacking: tuple[str, ...] = ()
    covered: bool = False

    @property
    def order(self) -> list[int]:
        """The rows of the hits, most relevant first."""
        return [int(row) for row in np.argsort(-self.relevance, kind="stable")]

    def answering(self, config: AnswerConfig) -> list[int]:
        """Return the rows of the hits that count as answering, most relevant first.

        The best hit always counts.
        """
        best = self.relevance.max(initial=0.0)
        return self._above(max(config.relevance, config.share_of_best * best))

    def has_clear_best(self, share: float) -> bool:
        """Check whether the second hit's odds of relevance are below this share of the first's.

        True for a single hit.
        """
        if not self.order:
            return False
        first, *others = (float(self.relevance[row]) for row in self.order[:2])
        # odds(other) < share * odds(first), without the divisions
        return all(other * (1 - first) < share * first * (1 - other) for other in others)

    def listed(self, config: AnswerConfig) -> list[int]:
        """Return the rows of the hits that belong into a list of papers, most relevant first.

        Their odds of relevance are at least `answer.odds_of_best` of the best hit's odds. Odds are
        compared because probabilities near 1 differ little: 0.998 and 0.7 are odds of 500 and 2.
        """
        best = self.relevance.max(initial=0.0)
        # odds(relevance) >= odds_of_best * odds(best), without the divisions
        odds = config.odds_of_best * best
        return [
            row for row in self.answering(config) if self.relevance[row] * (1 - best + odds) >= odds
        ]

    def _above(self, threshold: float) -> list[int]:
        order = self.order
        return [row for row in order if self.relevance[row] >= threshold] or order[:1]

    def near_misses(self, config: AnswerConfig) -> list[int]:
        """Return the rows of hits just below the threshold of a list, at most 5, best first."""
        listed = set(self.listed(config))
        return [
            row
            for row in self.order
            if row not in listed and self.relevance[row] >= config.relevance / 2
        ][:_NEAR_MISSES]


def assess(
    library: Library, question: str, result: SearchResult, config: AnswerConfig
) -> Assessment:
    """Judge a search's hits. Raises ConfigError if the calibration can't be used."""
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
    """Analyse a question: its content terms with BM25's inverse document frequency, its phrases."""
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
    """Return the share of the question's term weights whose terms are in the text, 0 to 1."""
    return _coverage(set(analyse(text)), asked)


def relevance_features(result: SearchResult, asked: AskedFor) -> NDArray[np.float64]:
    """Compute the `RELEVANCE_FEATURES` of each hit, shape (n, 4)."""
    rows = []
    for hit in result.hits:
        terms, pairs = _terms_and_pairs(hit.paper.text)
        phrases = len(asked.pairs & pairs) / max(1, len(asked.pairs))
        rows.append((hit.stage("sentence") or 0.0, _coverage(terms, asked), phrases, hit.score))
    return np.array(rows)


# Cached, because the same papers are hits of many questions.
@lru_cache(maxsize=2048)
def _terms_and_pairs(text: str) -> tuple[frozenset[str], frozenset[tuple[str, str]]]:
    sequence = analyse(text)
    return frozenset(sequence), frozenset(pairwise(sequence))


def _coverage(terms: Set[str], asked: AskedFor) -> float:
    total = sum(asked.weights.values())
    return (
        sum(weight for term, weight in asked.weights.items() if term in terms) / total
        if total
        else 0.0
    )


def abstention_features(result: SearchResult, asked: AskedFor) -> NDArray[np.float64]:
    """Compute the `ABSTENTION_FEATURES` of a search with at least one hit, shape (1, 6)."""
    lexical, sentence = (
        max(hit.stage(name) or 0.0 for hit in result.hits) for name in ("lexical", "sentence")
    )
    best = result.hits[0].paper.text
    name_missing = any(name.casefold() not in best.casefold() for name in asked.names)
    number_missing = asked.number and not _FIGURE.search(_best_sentences(best, result.evidence[0]))
    total = sum(asked.weights.values())
    lacking = len(asked.lacking(best))
    return np.array(
        [
            [
                lexical / (total or 1.0),
                sentence,
                float(name_missing),
                total,
                lacking,
                float(number_missing),
            ]
        ]
    )


def _best_sentences(text: str, evidence: Evidence) -> str:
    best = np.argsort(-evidence.cosines, kind="stable")[:_BEST_SENTENCES]
    sentences = (evidence.parts.sentences[row] for row in best)
    return " ".join(text[sentence.start : sentence.end] for sentence in sentences)


@cache
def read_calibration(place: str) -> Calibration:
    """Read the calibration in a file that evals/fit.py wrote; "" reads the shipped one.

    A file is read once per process. Raises ConfigError if it is missing or damaged, or was fitted
    for other features.
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
            f"{path} is not a calibration file of evals.fit ({error}); see answer.calibration"
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
