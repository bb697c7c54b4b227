"""Measures, as pure functions. The standard ones of retrieval come from ir-measures, which is imported here alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from evals.outcomes import Gold
from rag.llm import MOST_WORDS
from rag.records import Answer, CatalogFact, Citation, Statement, TextSpan
from rag.text.analysis import analyse
from rag.text.wording import numbers

_MADE = 0.5  # the share of a point's terms, and of its numbers, that an answer must have
COVERED = 0.8  # the share of a quote's characters that must be cited
_MARK = re.compile(r"\[(\d+)\]")
_ABBREVIATION = re.compile(r"(?:\b(?:al|vs|cf|Figs?|Eqs?|Sec|Tab|approx)|\be\.g|\bi\.e)\. ")


def retrieval(
    ranked: Sequence[str], relevant: Mapping[str, int], *, deep: bool = False
) -> dict[str, float]:
    """Standard measures of one ranking, best paper first; `relevant` maps papers to grades and is not empty.

    nDCG@10 has linear gains (Järvelin and Kekäläinen 2002), RR and AP count grade 1 or more as relevant, as does
    R@5; R(rel=2) counts directly relevant papers only. `deep` adds R@100, for rankings that go so far.
    """
    import ir_measures
    from ir_measures import AP, RR, R, nDCG

    qrels = [ir_measures.Qrel("q", paper, grade) for paper, grade in relevant.items()]
    run = [ir_measures.ScoredDoc("q", paper, -float(rank)) for rank, paper in enumerate(ranked)]
    wanted = [nDCG @ 10, R(rel=2) @ 5, R(rel=2) @ 10, R @ 5, RR, AP]
    if not any(grade >= 2 for grade in relevant.values()):
        wanted = [nDCG @ 10, R @ 5, RR, AP]  # nothing to recall of grade 2
    if deep:
        wanted.append(R @ 100)
    # A ranking without any hit has no row of its own in ir-measures: it scores 0.
    found = ir_measures.calc_aggregate(wanted, qrels, run) if run else {}
    return {str(measure): float(found.get(measure, 0.0)) for measure in wanted}


def evidence_recall(
    gold: Iterable[Gold], citations: Sequence[Citation], texts: Mapping[str, str]
) -> float | None:
    """The share of answer points that the citations cover; None where no point has evidence.

    A point is covered when, for any one of its pieces, the cited spans of that paper cover at least 80 % of the
    quote's characters, or the cited catalog field has the value. A quote that is not in the paper's text is left out.
    """
    points: dict[int, bool] = {}
    for piece in gold:
        covered = _covers(piece, citations, texts)
        if covered is not None:
            points[piece.point] = points.get(piece.point, False) or covered
    return sum(points.values()) / len(points) if points else None


def unquoted_points(points: int, gold: Iterable[Gold], texts: Mapping[str, str]) -> int:
    """How many of the answer points have no usable evidence, and are left out of evidence recall."""
    return points - len({piece.point for piece in gold if _covers(piece, (), texts) is not None})


def _covers(piece: Gold, citations: Sequence[Citation], texts: Mapping[str, str]) -> bool | None:
    cited = [
        evidence
        for citation in citations
        if citation.paper_id == piece.paper_id
        for evidence in citation.evidence
    ]
    if piece.field is not None:
        facts = (one for one in cited if isinstance(one, CatalogFact))
        return any(
            fact.field == piece.field and piece.value in (fact.value, fact.printed)
            for fact in facts
        )
    start = texts.get(piece.paper_id, "").find(piece.quote or "")
    if not piece.quote or start < 0:
        return None
    if any(isinstance(one, CatalogFact) and one.value == piece.quote for one in cited):
        return True  # a title, cited as the catalog's fact that it is
    quote = set(range(start, start + len(piece.quote)))
    return len(quote & _characters(cited)) >= COVERED * len(quote)


def _characters(evidence: Iterable[object]) -> set[int]:
    return {
        position
        for one in evidence
        if isinstance(one, TextSpan)
        for position in range(one.start, one.end)
    }


def evidence_precision(
    gold: Iterable[Gold], citations: Sequence[Citation], texts: Mapping[str, str]
) -> float | None:
    """The share of cited characters that lie in gold quotes; None where nothing is cited or nothing is quoted."""
    wanted: dict[str, set[int]] = {}
    for piece in gold:
        start = texts.get(piece.paper_id, "").find(piece.quote) if piece.quote else -1
        if piece.quote and start >= 0:
            wanted.setdefault(piece.paper_id, set()).update(range(start, start + len(piece.quote)))
    cited: dict[str, set[int]] = {}
    for citation in citations:
        cited.setdefault(citation.paper_id, set()).update(_characters(citation.evidence))
    total = sum(len(characters) for characters in cited.values())
    if not total or not wanted:
        return None
    return (
        sum(len(characters & wanted.get(paper, set())) for paper, characters in cited.items())
        / total
    )


def points_covered(points: Sequence[str], text: str) -> float | None:
    """The share of answer points that a text makes, by its words; None without points.

    A point is made when the text has at least half of its content terms, as the lexical index stems them, and at least
    half of its numbers, if it has any. How often a reader agrees is in docs/evaluation.md.
    """
    said = set(analyse(text))
    figures = frozenset[float]().union(*numbers(text).values())
    made = []
    for point in points:
        terms = set(analyse(point))
        words = {term for term in terms if not any(one.isdigit() for one in term)} or terms
        found = [bool(values & figures) for values in numbers(point).values()]
        made.append(len(words & said) >= _MADE * len(words) and sum(found) >= _MADE * len(found))
    return sum(made) / len(made) if made else None


def cited_papers(citations: Sequence[Citation], relevant: Mapping[str, int]) -> dict[str, float]:
    """Precision of the cited papers (grade 1 or more is right) and recall of those of grade 2.

    Precision is left out where nothing is cited, recall where no paper has grade 2.
    """
    cited = {citation.paper_id for citation in citations}
    direct = {paper for paper, grade in relevant.items() if grade >= 2}
    found = {}
    if cited:
        found["cited-paper precision"] = len(cited & relevant.keys()) / len(cited)
    if direct:
        found["cited-paper recall"] = len(cited & direct) / len(direct)
    return found


def cited_sentences(citations: Sequence[Citation]) -> int:
    """How many pieces of evidence an answer cites."""
    return sum(len(citation.evidence) for citation in citations)


def metadata_right(
    text: str,
    citations: Sequence[Citation],
    relevant: Mapping[str, int],
    expected: Sequence[Sequence[str]],
) -> bool:
    """Whether an answer on the catalog is right.

    The cited papers must be exactly those of grade 2 (papers of grade 1 are ignored), and each expected number, date
    or organisation must stand in the text, in one of its spellings, not as part of a longer number or word.
    """
    cited = {citation.paper_id for citation in citations}
    direct = {paper for paper, grade in relevant.items() if grade >= 2}
    if cited - {paper for paper, grade in relevant.items() if grade == 1} != direct:
        return False
    return all(any(_stands_in(spelling, text) for spelling in spellings) for spellings in expected)


def _stands_in(spelling: str, text: str) -> bool:
    bare = _MARK.sub(" ", text)
    return re.search(rf"(?<![\w.-]){re.escape(spelling)}(?![\w-])", bare, re.IGNORECASE) is not None


def mark_validity(
    text: str, citations: Sequence[Citation], texts: Mapping[str, str]
) -> float | None:
    """The share of marks that resolve and of text evidence that equals its paper at its offsets; None without any."""
    marks = {int(mark) for mark in _MARK.findall(text)}
    known = {citation.mark for citation in citations}
    # A number in brackets that a paper's own sentence holds is no mark of ours.
    quoted = {int(mark) for one in _spans(citations) for mark in _MARK.findall(one[1].text)}
    checks = [mark in known for mark in marks - quoted]
    checks += [
        texts.get(paper, "")[span.start : span.end] == span.text
        for paper, span in _spans(citations)
    ]
    return sum(checks) / len(checks) if checks else None


def _spans(citations: Sequence[Citation]) -> Iterator[tuple[str, TextSpan]]:
    for citation in citations:
        for one in citation.evidence:
            if isinstance(one, TextSpan):
                yield citation.paper_id, one


def written(answer: Answer, supported: float) -> dict[str, float]:
    """Measures of an answer that a language model wrote; none of any other.

    Citation precision is the share of citations whose paper supports their sentence (a support score of `supported` or
    more), recall the share of sentences that a paper they cite supports (after Gao et al. 2023, ALCE, who judge all
    cited texts together). Both are left out where nothing is said, precision also where nothing is cited.
    """
    # A model that was asked whether the papers answer has a part in a refusal, though it wrote nothing.
    if not answer.made_by and "model_yes" not in answer.usage:
        return {}
    values = {"declined by the model": float(answer.refusal is not None)}
    values["answer seconds"] = answer.usage["total_ms"] / 1000
    for name in (
        "prompt_tokens",
        "completion_tokens",
        "calibrated_answerability",
        "model_yes",
        "first_token_ms",
    ):
        if name in answer.usage:
            values[name.replace("_", " ")] = answer.usage[name]
    holds = [
        [(one.support or 0.0) >= supported for one in said.citations] for said in answer.statements
    ]
    if holds:
        values["citation recall"] = float(np.mean([any(one) for one in holds]))
        values["flagged sentences"] = float(
            np.mean([bool(said.doubts) for said in answer.statements])
        )
    if any(holds):
        values["citation precision"] = float(np.mean([good for one in holds for good in one]))
    if own := [one for one in answer.statements if not quoted(one)]:
        values["written sentences"] = float(len(own))
        values["whole and marked"] = float(
            np.mean([whole(one.text) and bool(one.citations) for one in own])
        )
    return values


def quoted(statement: Statement) -> bool:
    """Whether a statement is the cited paper's own sentences, word for word; its date may be before them."""
    evidence = (span for one in statement.citations for span in one.evidence)
    spans = [span.text for span in evidence if isinstance(span, TextSpan)]
    own = " ".join(" ".join(spans).split())
    return bool(own) and statement.text.endswith(own)


def whole(text: str) -> bool:
    """Whether a text is one whole sentence: an end mark at its end and none inside, no bracket and no line break.

    One of `MOST_WORDS` words was ended by its form, so that nobody knows whether it is whole.
    """
    inside = _ABBREVIATION.sub("", text)
    ended = re.search("[.!?。！？]$", text) is not None and not re.search(
        "[.!?] |[。！？].", inside
    )
    return ended and not set("[]\n") & set(text) and len(text.split()) < MOST_WORDS


def macro_f1(said: NDArray[np.float64], judged: NDArray[np.float64]) -> float:
    """The mean F1 over the classes that were judged, each of shape (n,); what says no class counts as a miss."""
    per_class = [
        2 * ((said == one) & (judged == one)).sum() / ((said == one).sum() + (judged == one).sum())
        for one in np.unique(judged)
    ]
    return float(np.mean(per_class))


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """The chance that a positive scores above a negative, ties counting half (Hanley and McNeil 1982); NaN if empty."""
    from scipy.stats import mannwhitneyu

    if not len(positive) or not len(negative):
        return float("nan")
    return float(mannwhitneyu(positive, negative).statistic) / (len(positive) * len(negative))


def best_f1(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    """The highest F1 that any threshold on the scores gives."""
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(labels[order])
    # A threshold can't part equal scores.
    ends = np.append(ranked[1:] != ranked[:-1], True)
    f1 = 2 * hits / (np.arange(1, len(labels) + 1) + labels.sum())
    return float(f1[ends].max()) if len(f1) else float("nan")


def calibration_error(
    scores: NDArray[np.float64], labels: NDArray[np.bool_], bins: int = 10
) -> float:
    """Expected calibration error over equal-width bins of [0, 1] (Naeini et al. 2015)."""
    where = np.minimum((scores * bins).astype(int), bins - 1)
    error = 0.0
    for one in range(bins):
        inside = where == one
        if inside.any():
            error += inside.mean() * abs(scores[inside].mean() - labels[inside].mean())
    return float(error)


def risk_coverage(
    confidence: NDArray[np.float64], wrong: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], ...]:
    """Coverage and risk when only the most confident questions are answered (El-Yaniv and Wiener 2010), each (n,)."""
    order = np.argsort(-confidence, kind="stable")
    answered = np.arange(1, len(order) + 1)
    return answered / len(order), np.cumsum(wrong[order]) / answered
