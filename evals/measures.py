"""Measures, as pure functions. The only module that imports ir-measures, for retrieval."""

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
_CITATION = re.compile(r"\[(\d+)\]")
# A full stop in the middle of a sentence: "et al. found", "Fig. 2", "e.g. images".
_ABBREVIATION = re.compile(r"(?:\b(?:al|vs|cf|Figs?|Eqs?|Sec|Tab|approx)|\be\.g|\bi\.e)\. ")


def retrieval(
    ranked: Sequence[str], relevant: Mapping[str, int], *, deep: bool = False
) -> dict[str, float]:
    """Compute standard measures of one ranking, best paper first.

    `relevant` maps papers to grades and must not be empty. nDCG@10 has linear gains (Järvelin and
    Kekäläinen 2002). RR, AP and R@5 count grade 1 or more as relevant; R(rel=2) counts only
    directly relevant papers. `deep` adds R@100, for rankings with 100 papers.
    """
    import ir_measures
    from ir_measures import AP, RR, R, nDCG

    qrels = [ir_measures.Qrel("q", paper, grade) for paper, grade in relevant.items()]
    run = [ir_measures.ScoredDoc("q", paper, -float(rank)) for rank, paper in enumerate(ranked)]
    wanted = [nDCG @ 10, R(rel=2) @ 5, R(rel=2) @ 10, R @ 5, RR, AP]
    if not any(grade >= 2 for grade in relevant.values()):
        wanted = [nDCG @ 10, R @ 5, RR, AP]  # recall of grade 2 is not defined
    if deep:
        wanted.append(R @ 100)
    # ir-measures returns nothing for an empty ranking; every measure of it is 0.
    values = ir_measures.calc_aggregate(wanted, qrels, run) if run else {}
    return {str(measure): float(values.get(measure, 0.0)) for measure in wanted}


def evidence_recall(
    gold: Iterable[Gold], citations: Sequence[Citation], texts: Mapping[str, str]
) -> float | None:
    """Compute the share of answer points that the citations cover; None if no point has evidence.

    A point is covered if at least one of its pieces of evidence is: the cited spans of its paper
    cover 80 % or more of the quote's characters, or the cited catalog field has the value. Quotes
    that are not in the paper's text are ignored.
    """
    points: dict[int, bool] = {}
    for piece in gold:
        covered = _covers(piece, citations, texts)
        if covered is not None:
            points[piece.point] = points.get(piece.point, False) or covered
    return sum(points.values()) / len(points) if points else None


def unquoted_points(points: int, gold: Iterable[Gold], texts: Mapping[str, str]) -> int:
    """Count the answer points without usable evidence, which evidence recall leaves out."""
    return points - len({piece.point for piece in gold if _covers(piece, (), texts) is not None})


def _covers(piece: Gold, citations: Sequence[Citation], texts: Mapping[str, str]) -> bool | None:
    """Check whether citations cover a piece of evidence; None if its quote is not in the text."""
    cited = [
        evidence
        for citation in citations
        if citation.paper_id == piece.paper_id
        for evidence in citation.evidence
    ]
    if piece.field is not None:
        facts = (evidence for evidence in cited if isinstance(evidence, CatalogFact))
        return any(
            fact.field == piece.field and piece.value in (fact.value, fact.printed)
            for fact in facts
        )
    start = texts.get(piece.paper_id, "").find(piece.quote or "")
    if not piece.quote or start < 0:
        return None
    if any(isinstance(fact, CatalogFact) and fact.value == piece.quote for fact in cited):
        return True  # a quoted title that is cited as a fact of the catalog
    quote = set(range(start, start + len(piece.quote)))
    return len(quote & _characters(cited)) >= COVERED * len(quote)


def _characters(evidence: Iterable[object]) -> set[int]:
    return {
        position
        for span in evidence
        if isinstance(span, TextSpan)
        for position in range(span.start, span.end)
    }


def evidence_precision(
    gold: Iterable[Gold], citations: Sequence[Citation], texts: Mapping[str, str]
) -> float | None:
    """Compute the share of cited characters that are in gold quotes.

    A character counts once, however often it is cited. None if no text is cited, or if no gold
    quote is in its paper.
    """
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
    """Compute the share of answer points that a text makes, by its words; None without points.

    A point is made if the text has at least half of the point's terms, stemmed as in the lexical
    index, and at least half of its numbers. docs/benchmarks.md reports how often a reader agrees.
    """
    text_terms = set(analyse(text))
    text_numbers = frozenset[float]().union(*numbers(text).values())
    made = []
    for point in points:
        terms = set(analyse(point))
        # Numbers are compared by value below, so they are no terms, unless the point has no others.
        words = {term for term in terms if not any(char.isdigit() for char in term)} or terms
        found = [bool(values & text_numbers) for values in numbers(point).values()]
        has_words = len(words & text_terms) >= _MADE * len(words)
        made.append(has_words and sum(found) >= _MADE * len(found))
    return sum(made) / len(made) if made else None


def cited_papers(citations: Sequence[Citation], relevant: Mapping[str, int]) -> dict[str, float]:
    """Compute the precision of the cited papers, and their recall of the papers of grade 2.

    For precision, grade 1 or more is right. Precision is left out if nothing is cited, recall if no
    paper has grade 2.
    """
    cited = {citation.paper_id for citation in citations}
    direct = {paper for paper, grade in relevant.items() if grade >= 2}
    values = {}
    if cited:
        values["cited-paper precision"] = len(cited & relevant.keys()) / len(cited)
    if direct:
        values["cited-paper recall"] = len(cited & direct) / len(direct)
    return values


def cited_sentences(citations: Sequence[Citation]) -> int:
    """Count the pieces of evidence that an answer cites."""
    return sum(len(citation.evidence) for citation in citations)


def metadata_right(
    text: str,
    citations: Sequence[Citation],
    relevant: Mapping[str, int],
    expected: Sequence[Sequence[str]],
) -> bool:
    """Check whether the answer to a metadata question is right.

    The cited papers must be exactly those of grade 2 (papers of grade 1 are ignored). Each expected
    number, date or organisation must be in the text, in one of its spellings, and not as part of a
    longer number or word.
    """
    cited = {citation.paper_id for citation in citations}
    direct = {paper for paper, grade in relevant.items() if grade >= 2}
    if cited - {paper for paper, grade in relevant.items() if grade == 1} != direct:
        return False
    return all(any(_occurs(spelling, text) for spelling in spellings) for spellings in expected)


def _occurs(spelling: str, text: str) -> bool:
    # The number in a citation marker such as "[5]" must not count as an expected number.
    bare = _CITATION.sub(" ", text)
    return re.search(rf"(?<![\w.-]){re.escape(spelling)}(?![\w-])", bare, re.IGNORECASE) is not None


def mark_validity(
    text: str, citations: Sequence[Citation], texts: Mapping[str, str]
) -> float | None:
    """Compute the share of citation markers and cited spans that are valid; None without any.

    A marker is valid if a citation has its number. A span is valid if its text is equal to the
    paper's text at its offsets.
    """
    written_numbers = {int(number) for number in _CITATION.findall(text)}
    known = {citation.mark for citation in citations}
    # A number in brackets in a quoted sentence belongs to the paper; it is not one of our markers.
    quoted_numbers = {
        int(number) for _, span in _spans(citations) for number in _CITATION.findall(span.text)
    }
    checks = [number in known for number in written_numbers - quoted_numbers]
    checks += [
        texts.get(paper, "")[span.start : span.end] == span.text
        for paper, span in _spans(citations)
    ]
    return sum(checks) / len(checks) if checks else None


def _spans(citations: Sequence[Citation]) -> Iterator[tuple[str, TextSpan]]:
    for citation in citations:
        for evidence in citation.evidence:
            if isinstance(evidence, TextSpan):
                yield citation.paper_id, evidence


def written(answer: Answer, supported: float) -> dict[str, float]:
    """Compute the measures of an answer that a language model wrote; return {} for other answers.

    Citation precision is the share of citations whose paper supports their sentence, with a support
    score of `supported` or more. Citation recall is the share of sentences that a cited paper
    supports. Both follow ALCE (Gao et al. 2023), which judges all cited texts together instead of
    paper by paper. Both are left out without statements, precision also without citations.
    """
    # "model_yes" means that the model was asked whether the papers answer the question. A refusal
    # then counts as the model's, even if the model wrote no text.
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
    # For each statement: whether each of its citations supports it.
    supports = [
        [(citation.support or 0.0) >= supported for citation in statement.citations]
        for statement in answer.statements
    ]
    if supports:
        values["citation recall"] = float(np.mean([any(row) for row in supports]))
        values["flagged sentences"] = float(
            np.mean([bool(statement.doubts) for statement in answer.statements])
        )
    if any(supports):
        values["citation precision"] = float(np.mean([valid for row in supports for valid in row]))
    if own := [statement for statement in answer.statements if not quoted(statement)]:
        values["written sentences"] = float(len(own))
        values["whole and marked"] = float(
            np.mean([whole(statement.text) and bool(statement.citations) for statement in own])
        )
    return values


def quoted(statement: Statement) -> bool:
    """Check whether a statement repeats the cited sentences word for word.

    A prefix, such as the paper's date, is allowed.
    """
    evidence = (piece for citation in statement.citations for piece in citation.evidence)
    spans = [piece.text for piece in evidence if isinstance(piece, TextSpan)]
    own = " ".join(" ".join(spans).split())
    return bool(own) and statement.text.endswith(own)


def whole(text: str) -> bool:
    """Check whether a text is one complete sentence.

    It must end with an end mark, and have no other end mark, no square bracket and no line break. A
    text of `MOST_WORDS` words or more counts as incomplete, because the output grammar stops a
    sentence there.
    """
    inside = _ABBREVIATION.sub("", text)
    ended = re.search("[.!?。！？]$", text) is not None and not re.search(
        "[.!?] |[。！？].", inside
    )
    return ended and not set("[]\n") & set(text) and len(text.split()) < MOST_WORDS


def macro_f1(predicted: NDArray[np.float64], judged: NDArray[np.float64]) -> float:
    """Compute the mean F1 over the classes in `judged`; both arrays have shape (n,).

    A prediction that is not one of these classes counts as wrong.
    """
    per_class = [
        2
        * ((predicted == label) & (judged == label)).sum()
        / ((predicted == label).sum() + (judged == label).sum())
        for label in np.unique(judged)
    ]
    return float(np.mean(per_class))


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Compute the area under the ROC curve; NaN if a group is empty.

    It is the probability that a positive has a higher score than a negative, where a tie counts as
    one half (Hanley and McNeil 1982).
    """
    from scipy.stats import mannwhitneyu

    if not len(positive) or not len(negative):
        return float("nan")
    return float(mannwhitneyu(positive, negative).statistic) / (len(positive) * len(negative))


def best_f1(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    """Compute the highest F1 of all thresholds on the scores; both arrays have shape (n,)."""
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(labels[order])
    # A threshold cannot separate equal scores: only the last of them is a possible cut.
    ends = np.append(ranked[1:] != ranked[:-1], True)
    f1 = 2 * hits / (np.arange(1, len(labels) + 1) + labels.sum())
    return float(f1[ends].max()) if len(f1) else float("nan")


def calibration_error(
    scores: NDArray[np.float64], labels: NDArray[np.bool_], bins: int = 10
) -> float:
    """Compute the expected calibration error over equal-width bins of [0, 1].

    See Naeini et al. (2015). Both arrays have shape (n,).
    """
    bin_of_score = np.minimum((scores * bins).astype(int), bins - 1)
    error = 0.0
    for number in range(bins):
        inside = bin_of_score == number
        if inside.any():
            error += inside.mean() * abs(scores[inside].mean() - labels[inside].mean())
    return float(error)


def risk_coverage(
    confidence: NDArray[np.float64], wrong: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], ...]:
    """Compute coverage and risk when only the most confident questions are answered, each (n,).

    See El-Yaniv and Wiener (2010).
    """
    order = np.argsort(-confidence, kind="stable")
    answered = np.arange(1, len(order) + 1)
    return answered / len(order), np.cumsum(wrong[order]) / answered
