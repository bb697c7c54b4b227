"""Every measure on numbers worked out by hand."""

from dataclasses import replace

import ir_measures
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals import measures
from evals.outcomes import Gold
from rag.records import Answer, CatalogFact, Citation, Statement, TextSpan

TEXT = "Title\n\nFirst sentence. Second one."
TEXTS = {"p": TEXT}


def cite(start: int, end: int, mark: int = 1, paper: str = "p") -> Citation:
    return Citation(mark, paper, "Title", (TextSpan(start, end, TEXT[start:end]),))


def gold(quote: str, point: int = 0, paper: str = "p") -> Gold:
    return Gold(paper, point, quote=quote)


def test_retrieval_by_hand() -> None:
    # Gains 0, 2, 1 at ranks 1 to 3: DCG = 2/log2(3) + 1/log2(4); ideal 2/log2(2) + 1/log2(3).
    found = measures.retrieval(["x", "a", "b"], {"a": 2, "b": 1})
    assert found["nDCG@10"] == pytest.approx((2 / np.log2(3) + 1 / 2) / (2 + 1 / np.log2(3)))
    assert found["RR"] == pytest.approx(1 / 2)
    assert found["AP"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert (found["R(rel=2)@5"], found["R@5"]) == (1.0, 1.0)


def says(text: str, *support: float, doubts: tuple[str, ...] = ()) -> Statement:
    return Statement(
        text, tuple(Citation(1, "p", "Title", (), evidence) for evidence in support), doubts=doubts
    )


@pytest.mark.parametrize(
    ("text", "is_whole"),
    [
        ("Cats sleep in the sun.", True),
        ("Is that so?", True),
        ("They grow by 1.5 times, as Smith et al. found.", True),
        ("猫在太阳下睡觉。", True),
        ("猫睡觉。狗叫。", False),
        ("Cats sleep. Dogs bark.", False),
        ("Cats sleep in", False),
        ("Cats sleep [1].", False),
        ("Cats\nsleep.", False),
        (" ".join(["word"] * 45) + ".", False),
    ],
)
def test_a_whole_sentence(text, is_whole) -> None:
    assert measures.whole(text) is is_whole


def test_written_sentences_are_distinguished_from_quotations() -> None:
    own = Statement("First sentence.", (cite(7, 22),))
    assert measures.quoted(own)
    assert measures.quoted(replace(own, text="Jan 1, 2024 (2024-01-01). First sentence."))
    assert not measures.quoted(Statement("No evidence.", ()))
    assert not measures.quoted(replace(own, text="The first one."))
    usage = {"total_ms": 1.0}
    answer = Answer(
        "q",
        "q",
        "a",
        statements=(own, replace(own, text="It is."), says("No mark.")),
        usage=usage,
        made_by="m",
    )
    found = measures.written(answer, supported=0.5)
    assert (found["written sentences"], found["whole and marked"]) == (2, 0.5)


def test_written_answers_by_hand() -> None:
    statements = (
        says("a", 0.9, 0.2),
        says("b", 0.4, doubts=("weak support, 0.40",)),
        says("c", doubts=("no source",)),
    )
    usage = {"total_ms": 1500.0, "prompt_tokens": 700}
    answer = Answer("?", "?", "a b c", statements=statements, made_by="m, prompts f", usage=usage)
    assert measures.written(answer, 0.5) == {
        "declined by the model": 0.0,
        "answer seconds": 1.5,
        "prompt tokens": 700,
        "citation recall": pytest.approx(1 / 3),
        "flagged sentences": pytest.approx(2 / 3),
        "citation precision": pytest.approx(1 / 3),
        "written sentences": 3,
        "whole and marked": 0,
    }
    declined = Answer("?", "?", "", refusal="no", made_by="m, prompts f", usage={"total_ms": 1.0})
    assert measures.written(declined, 0.5) == {
        "declined by the model": 1.0,
        "answer seconds": 0.001,
    }
    assert measures.written(Answer("?", "?", "a", statements=statements, usage=usage), 0.5) == {}


def test_macro_f1_by_hand() -> None:
    # F1 of 0: 2*1/(2+2); of 1: 2*1/(1+2); of 2: 0, since its only case says nothing valid.
    said, judged = np.array([0.0, 0.0, 1.0, -1.0, -1.0]), np.array([0.0, 1.0, 1.0, 2.0, 0.0])
    assert measures.macro_f1(said, judged) == pytest.approx((2 / 4 + 2 / 3 + 0) / 3)


def test_retrieval_that_finds_nothing() -> None:
    assert set(measures.retrieval([], {"a": 2}).values()) == {0.0}
    assert "R(rel=2)@10" not in measures.retrieval([], {"a": 1})
    assert (
        measures.retrieval(["b"] * 0 + [f"x{n}" for n in range(60)] + ["a"], {"a": 1}, deep=True)[
            "R@100"
        ]
        == 1.0
    )


PAPERS = st.sampled_from("abcdefghijklmnop")
RANKINGS = st.lists(PAPERS, unique=True, max_size=12)
JUDGED = st.dictionaries(PAPERS, st.sampled_from([1, 2]), min_size=1, max_size=6)


@given(st.lists(st.tuples(RANKINGS, JUDGED), min_size=1, max_size=5))
def test_means_agree_with_ir_measures_over_whole_runs(queries) -> None:
    qrels = [
        ir_measures.Qrel(str(n), p, g)
        for n, (_, judged) in enumerate(queries)
        for p, g in judged.items()
    ]
    run = [
        ir_measures.ScoredDoc(str(n), p, -r)
        for n, (ranked, _) in enumerate(queries)
        for r, p in enumerate(ranked)
    ]
    own = [measures.retrieval(ranked, judged) for ranked, judged in queries]
    for name in ("nDCG@10", "RR", "AP", "R@5"):
        theirs = ir_measures.calc_aggregate([ir_measures.parse_measure(name)], qrels, run)
        [value] = theirs.values()
        assert np.mean([values[name] for values in own]) == pytest.approx(value if run else 0.0)


def test_a_point_is_covered_from_80_percent_of_a_quote() -> None:
    quote = "First sentence."  # 15 characters from 7 to 22: 12 of them are 80 %
    assert measures.evidence_recall([gold(quote)], [cite(7, 19)], TEXTS) == 1.0
    assert measures.evidence_recall([gold(quote)], [cite(7, 18)], TEXTS) == 0.0
    assert measures.evidence_recall([gold(quote)], [cite(7, 12), cite(14, 21)], TEXTS) == 1.0
    assert measures.evidence_recall([gold(quote)], [cite(7, 22, paper="other")], TEXTS) == 0.0


def test_any_one_quote_covers_its_point_and_points_without_quotes_are_left_out() -> None:
    pieces = [
        gold("First sentence."),
        gold("Second one."),
        gold("Second one.", 1),
        gold("not in the paper", 2),
    ]
    assert measures.evidence_recall(pieces, [cite(7, 22)], TEXTS) == 0.5
    assert measures.unquoted_points(4, pieces, TEXTS) == 2
    assert measures.evidence_recall([gold("not in the paper")], [cite(7, 22)], TEXTS) is None


def test_a_catalog_fact_covers_by_its_field() -> None:
    piece = Gold("p", 0, field="published", value="2024-01-17")
    fact = CatalogFact("published", "2024-01-17", "Jan 17, 2024")
    assert measures.evidence_recall([piece], [Citation(1, "p", "Title", (fact,))], TEXTS) == 1.0
    other = CatalogFact("published", "2024-01-18", "Jan 18, 2024")
    assert measures.evidence_recall([piece], [Citation(1, "p", "Title", (other,))], TEXTS) == 0.0


def test_a_quoted_title_is_covered_by_the_catalogs_title() -> None:
    fact = CatalogFact("title", "Title", "Title")
    assert (
        measures.evidence_recall([gold("Title")], [Citation(1, "p", "Title", (fact,))], TEXTS)
        == 1.0
    )


def test_a_quoted_footer_counts_as_the_facts_it_prints() -> None:
    from evals.suites.daily_questions import _facts

    footer = Gold("p", 1, quote="  • 5 authors\n·\nApr 20, 2017 2")
    assert [(fact.field, fact.value, fact.point) for fact in _facts(footer)] == [
        ("author_count", "5", 1),
        ("published", "Apr 20, 2017", 1),
        ("comments", "2", 1),
    ]
    assert [
        (fact.field, fact.value)
        for fact in _facts(Gold("p", 0, quote="openbmb OpenBMB\n·\nDec 5, 2024 2"))
    ] == [
        ("organisation", "openbmb OpenBMB"),
        ("published", "Dec 5, 2024"),
        ("comments", "2"),
    ]
    assert list(_facts(gold("First sentence."))) == [gold("First sentence.")]


def test_evidence_precision_counts_characters_once() -> None:
    # 22 characters cited (7 to 29), 15 of them in the quote; the second citation adds none.
    cited = [cite(7, 29), cite(7, 22, mark=2)]
    assert measures.evidence_precision([gold("First sentence.")], cited, TEXTS) == pytest.approx(
        15 / 22
    )
    assert measures.evidence_precision([gold("First sentence.")], [], TEXTS) is None


@pytest.mark.parametrize(
    ("text", "share"),
    [
        # Point 1 has the terms glow, explore, density, ratio: two of them are half.
        # Point 2 has four terms and two numbers.
        ("GLOW explores.", 1 / 2),
        ("GLOW is new.", 0.0),
        (
            "GLOW explores with density ratios. Its accuracy is 84.5% with 3 layers of a network.",
            1.0,
        ),
        # The words of point 2 and one of its two numbers; 0.845 is 84.5%.
        ("The accuracy is 0.845 with many layers.", 1 / 2),
        ("The accuracy is 84.6% with many layers.", 0.0),
        # Its numbers without its words.
        ("It scores 84.5 and 3.", 0.0),
        ("", 0.0),
    ],
)
def test_a_point_is_made_by_half_of_its_terms_and_half_of_its_numbers(text, share) -> None:
    points = [
        "GLOW explores by density ratios.",
        "An accuracy of 84.5% with 3 layers of the network.",
    ]
    assert measures.points_covered(points, text) == share


def test_a_point_of_a_number_alone_is_made_by_the_number() -> None:
    assert measures.points_covered(["500"], "It needs 500 samples.") == 1.0
    assert measures.points_covered(["500"], "It needs 50 samples.") == 0.0


def test_without_points_there_is_no_share() -> None:
    assert measures.points_covered([], "GLOW explores.") is None


def test_cited_papers_by_hand() -> None:
    found = measures.cited_papers(
        [cite(7, 9), cite(9, 11, paper="x"), cite(7, 8, paper="r")], {"p": 2, "q": 2, "r": 1}
    )
    assert found == {"cited-paper precision": pytest.approx(2 / 3), "cited-paper recall": 0.5}
    assert measures.cited_papers([], {"p": 1}) == {}
    assert measures.cited_sentences([cite(7, 9), cite(9, 11)]) == 2


@pytest.mark.parametrize(
    ("text", "papers", "right"),
    [
        ("It has 5 authors, from 2024-01-17.", ["p"], True),
        ("It has 5 authors, from Jan 17, 2024.", ["p", "related"], True),
        ("It has 15 authors, from 2024-01-17.", ["p"], False),
        ("It has 5.5 authors, from 2024-01-17.", ["p"], True),
        ("It has five authors [5], from 2024-01-17.", ["p"], False),
        ("It has 5 authors, from 2024-01-17.", ["p", "wrong"], False),
        ("It has 5 authors, from 2024-01-17.", [], False),
        ("It has 5 authors.", ["p"], False),
    ],
)
def test_metadata_answers(text, papers, right) -> None:
    citations = [cite(0, 5, paper=paper) for paper in papers]
    expected = [["5"], ["2024-01-17", "Jan 17, 2024"]]
    assert measures.metadata_right(text, citations, {"p": 2, "related": 1}, expected) is right


def test_mark_validity() -> None:
    good = cite(7, 22)
    assert measures.mark_validity("First sentence. [1]", [good], TEXTS) == 1.0
    assert measures.mark_validity("First sentence. [1] More. [2]", [good], TEXTS) == pytest.approx(
        2 / 3
    )
    wrong = Citation(1, "p", "Title", (TextSpan(7, 22, "Worst sentence."),))
    assert measures.mark_validity("Worst sentence. [1]", [wrong], TEXTS) == 0.5
    assert measures.mark_validity("Nothing.", [], TEXTS) is None


def test_auroc_by_hand() -> None:
    # Of the 6 pairs 4 are in order and 1 is tied.
    assert measures.auroc([3.0, 2.0, 0.5], [2.0, 1.0]) == pytest.approx(3.5 / 6)
    assert np.isnan(measures.auroc([], [1.0]))


def test_best_f1_by_hand() -> None:
    scores = np.array([0.9, 0.8, 0.8, 0.1])
    # Thresholds: top 1: P 1, R 1/2; top 3 (the tie can't be parted): P 2/3, R 1; all: P 1/2, R 1.
    assert measures.best_f1(scores, np.array([True, False, True, False])) == pytest.approx(
        2 * (2 / 3) / (2 / 3 + 1)
    )


def test_calibration_error_by_hand() -> None:
    scores, labels = np.array([0.95, 0.95, 0.15, 1.0]), np.array([True, False, False, True])
    # Bin 0.9 to 1: mean score 0.9667, 2 of 3 true; bin 0.1 to 0.2: 0.15, none true.
    assert measures.calibration_error(scores, labels) == pytest.approx(
        0.75 * 0.3 + 0.25 * 0.15, abs=1e-4
    )


def test_risk_coverage_by_hand() -> None:
    coverage, risk = measures.risk_coverage(
        np.array([0.2, 0.9, 0.5]), np.array([True, False, True])
    )
    assert coverage.tolist() == pytest.approx([1 / 3, 2 / 3, 1])
    assert risk.tolist() == pytest.approx([0, 1 / 2, 2 / 3])
