"""Questions about the papers themselves become typed queries; other questions are left alone."""

import pytest

from rag.answer.metadata.selection import first, meeting
from rag.library import PaperFacts
from rag.query import understand, understand_after
from rag.records import CatalogQuery, Condition, Field, Order, Tally


def between(field: Field, lowest: str, highest: str) -> tuple[Condition, Condition]:
    return Condition(field, ">=", lowest), Condition(field, "<=", highest)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (
            "papers from 2023 on grokking",
            CatalogQuery("grokking", (Condition("published", "=", "2023"),)),
        ),
        (
            "anything published before 2017?",
            CatalogQuery("", (Condition("published", "<", "2017"),)),
        ),
        ("papers since March 2021", CatalogQuery("", (Condition("published", ">=", "2021-03"),))),
        (
            "what appeared on 28 Aug 2024?",
            CatalogQuery("", (Condition("published", "=", "2024-08-28"),)),
        ),
        (
            "papers until 2015-06-30",
            CatalogQuery("", (Condition("published", "<=", "2015-06-30"),)),
        ),
        (
            "which papers between 2015 and 2018 are on distillation",
            CatalogQuery(
                "distillation",
                (Condition("published", ">=", "2015"), Condition("published", "<=", "2018")),
            ),
        ),
        (
            "which papers have a single author?",
            CatalogQuery("", (Condition("author_count", "=", "1"),)),
        ),
        (
            "the two papers tied at twenty authors",
            CatalogQuery("", (Condition("author_count", "=", "20"),)),
        ),
        (
            "papers with more than ten authors",
            CatalogQuery("", (Condition("author_count", ">", "10"),)),
        ),
        (
            "papers with nine or more authors",
            CatalogQuery("", (Condition("author_count", ">=", "9"),)),
        ),
        (
            "what's the newest paper on GRPO?",
            CatalogQuery("GRPO", order=Order("published", descending=True)),
        ),
        ("the oldest paper", CatalogQuery("", order=Order("published", descending=False))),
        (
            "which paper has the most comments",
            CatalogQuery("", order=Order("comments", descending=True)),
        ),
        ("how many authors has TÜLU 3?", CatalogQuery("TÜLU 3", asked=("author_count",))),
        ("when was Barlow Twins published?", CatalogQuery("Barlow Twins", asked=("published",))),
        (
            "who is the first author of DistillSpec?",
            CatalogQuery("DistillSpec", asked=("authors",)),
        ),
        ("how many papers do you have on diffusion?", CatalogQuery("diffusion", counted=True)),
        ("papers by OpenBMB", CatalogQuery("", (Condition("organisation", "=", "OpenBMB"),))),
        ("the three newest papers", CatalogQuery("", order=Order("published", True, 3))),
        (
            "show the 5 oldest papers on RLHF",
            CatalogQuery("RLHF", order=Order("published", False, 5)),
        ),
        (
            "which two papers have the most authors?",
            CatalogQuery("", order=Order("author_count", True, 2)),
        ),
        (
            "newest three papers on distillation",
            CatalogQuery("distillation", order=Order("published", True, 3)),
        ),
        ("papers with 2-4 authors", CatalogQuery("", between("author_count", "2", "4"))),
        (
            "papers with between 5 and 10 authors",
            CatalogQuery("", between("author_count", "5", "10")),
        ),
        ("papers with two to four authors", CatalogQuery("", between("author_count", "2", "4"))),
        ("papers from March 2024", CatalogQuery("", (Condition("published", "=", "2024-03"),))),
        (
            "papers from January to March 2024",
            CatalogQuery("", between("published", "2024-01", "2024-03")),
        ),
        (
            "papers in Jan-Mar 2024 on RL",
            CatalogQuery("RL", between("published", "2024-01", "2024-03")),
        ),
        (
            "papers between November 2023 and February 2024",
            CatalogQuery("", between("published", "2023-11", "2024-02")),
        ),
        (
            "papers from March 5 to May 7, 2024",
            CatalogQuery("", between("published", "2024-03-05", "2024-05-07")),
        ),
        ("papers from 2023-03 to 2024", CatalogQuery("", between("published", "2023-03", "2024"))),
        (
            "entries without any date or author count",
            CatalogQuery(
                "", (Condition("published", "missing"), Condition("author_count", "missing"))
            ),
        ),
        (
            "How many few-shot learning papers are there?",
            CatalogQuery("few-shot learning", counted=True),
        ),
        (
            "What came out in December 2024?",
            CatalogQuery("", (Condition("published", "=", "2024-12"),)),
        ),
        (
            "Should be a single paper dated 2018. Which one?",
            CatalogQuery("", (Condition("published", "=", "2018"),)),
        ),
        (
            "papers from 2018 up to and including 2020",
            CatalogQuery("", between("published", "2018", "2020")),
        ),
        (
            "what do you have from the 1990s?",
            CatalogQuery("", between("published", "1990", "1999")),
        ),
        (
            "papers from 2022 or 2023",
            CatalogQuery("", (Condition("published", "=", "2022 or 2023"),)),
        ),
        (
            "papers from 2018, 2020 and 2021",
            CatalogQuery("", (Condition("published", "=", "2018 or 2020 or 2021"),)),
        ),
        ("papers not from 2023", CatalogQuery("", (Condition("published", "!=", "2023"),))),
        (
            "papers neither from 2023 nor from 2024",
            CatalogQuery(
                "", (Condition("published", "!=", "2023"), Condition("published", "!=", "2024"))
            ),
        ),
        (
            "papers from 2021 but not with 4 authors",
            CatalogQuery(
                "", (Condition("published", "=", "2021"), Condition("author_count", "!=", "4"))
            ),
        ),
        (
            "how many papers are newer than PolyMaX?",
            CatalogQuery("", (Condition("published", ">", "@PolyMaX"),), counted=True),
        ),
        (
            "papers published before Barlow Twins on RL",
            CatalogQuery("RL", (Condition("published", "<", "@Barlow Twins"),)),
        ),
        (
            "average number of authors per paper in 2023",
            CatalogQuery("", (Condition("published", "=", "2023"),), averaged="author_count"),
        ),
        (
            "what appeared in the last quarter of 2021",
            CatalogQuery("", between("published", "2021-10", "2021-12")),
        ),
        ("papers posted in any December", CatalogQuery("", (Condition("published", "=", "--12"),))),
        (
            "Was anything posted on Christmas Day?",
            CatalogQuery("", (Condition("published", "=", "--12-25"),)),
        ),
        (
            "papers posted on New Year's Eve 2019",
            CatalogQuery("", (Condition("published", "=", "2019-12-31"),)),
        ),
        (
            "Which papers show exactly three comments?",
            CatalogQuery("", (Condition("comments", "=", "3"),)),
        ),
        ("papers with at least 2 comments", CatalogQuery("", (Condition("comments", ">=", "2"),))),
        ("Which papers got commented on?", CatalogQuery("", (Condition("comments", ">", "0"),))),
        ("papers by a team of five", CatalogQuery("", (Condition("author_count", "=", "5"),))),
        (
            "Does any entry give an organisation rather than an author count?",
            CatalogQuery(
                "", (Condition("organisation", "known"), Condition("author_count", "missing"))
            ),
        ),
        ("whose author list is longest?", CatalogQuery("", order=Order("author_count", True))),
        (
            "the second newest paper on RL",
            CatalogQuery("RL", order=Order("published", True, place=2)),
        ),
        (
            "TÜLU 3 has the longest author list. What comes second?",
            CatalogQuery("", order=Order("author_count", True, place=2)),
        ),
        (
            "surveys you have, oldest first",
            CatalogQuery("surveys", order=Order("published", False, None)),
        ),
        (
            "Apart from XDen-1K, what's your most recent paper?",
            CatalogQuery("", order=Order("published", True), without=("XDen-1K",)),
        ),
        (
            "Was DistillSpec published before 2020?",
            CatalogQuery("DistillSpec", asked=("published",)),
        ),
        ("Which year has the most papers?", CatalogQuery("", tally=Tally("year", "most"))),
        (
            "How many papers on RL per month?",
            CatalogQuery("RL", counted=True, tally=Tally("month")),
        ),
        ("the average number of authors", CatalogQuery("", averaged="author_count")),
    ],
)
def test_what_is_asked_of_the_catalog(question, expected) -> None:
    assert understand(question, lambda: ["OpenBMB"]) == expected


@pytest.mark.parametrize(
    "question",
    [
        "which papers study density ratios in RL?",
        "How many samples did the estimator need?",
        "When exactly are sampling and upweighting the same thing?",
        "What happened to sepsis mortality between 2009 and 2014?",
        "250,000 people are infected with HTLV-1",
        "a single gradient step in few-shot learning",
        "Which model has the lowest word error rate?",
        "does the ImageNet 2012 model transfer?",
        "Did the three models gain 2-4 points?",
        "How did cases from January to March 2020 spread?",
        "Does the mean of the embeddings collapse?",
        "How many samples per year does the estimator need?",
        "How many Gaussians per category work best?",
        "How many samples per class work best in these papers?",
        "Which loss comes second after cross entropy?",
        "Is the second stage trained longer than the first?",
    ],
)
def test_what_is_asked_of_the_texts(question) -> None:
    query = understand(question, lambda: ["OpenBMB"])
    assert not query
    assert query.topic == question


@pytest.mark.parametrize(
    ("earlier", "question", "expected"),
    [
        (
            "papers on RL from 2022?",
            "and from 2023?",
            CatalogQuery("RL", (Condition("published", "=", "2023"),)),
        ),
        (
            "how many papers are from 2022?",
            "and 2023?",
            CatalogQuery("", (Condition("published", "=", "2023"),), counted=True),
        ),
        (
            "papers on RL from 2022",
            "only those with one author",
            CatalogQuery(
                "RL", (Condition("published", "=", "2022"), Condition("author_count", "=", "1"))
            ),
        ),
        (
            "which papers study RL?",
            "and from 2023?",
            CatalogQuery("study RL", (Condition("published", "=", "2023"),)),
        ),
        ("", "papers from 2023", CatalogQuery("", (Condition("published", "=", "2023"),))),
    ],
)
def test_a_question_that_leans_on_an_earlier_one(earlier, question, expected) -> None:
    assert understand_after(earlier, question) == expected


FACTS = [
    PaperFacts("day", (2024, 3, 9), 3, "OpenBMB", 4),
    PaperFacts("month", (2024, 3), 20, None, None),
    PaperFacts("year", (2024,), 20, None, 0),
    PaperFacts("old", (2012, 11, 18), 1, None, None),
    PaperFacts("bare", (), None, None, None),
]


@pytest.mark.parametrize(
    ("condition", "ids"),
    [
        (Condition("published", "=", "2024"), ["day", "month", "year"]),
        (Condition("published", "=", "2024-03"), ["day", "month"]),
        (Condition("published", ">", "2023-12"), ["day", "month", "year"]),
        (Condition("published", ">", "2024-02"), ["day", "month"]),
        (Condition("published", "<", "2024-03-10"), ["day", "old"]),
        (Condition("published", "missing"), ["bare"]),
        (Condition("author_count", ">=", "20"), ["month", "year"]),
        (Condition("author_count", "missing"), ["bare"]),
        (Condition("author_count", "known"), ["day", "month", "year", "old"]),
        (Condition("published", "=", "--03"), ["day", "month"]),
        (Condition("published", "=", "--11-18"), ["old"]),
        (Condition("published", "!=", "2024"), ["old"]),
        (Condition("published", "=", "2012 or 2024-03-09"), ["day", "old"]),
        (Condition("organisation", "=", "openbmb"), ["day"]),
        (Condition("comments", "=", "0"), ["year"]),
    ],
)
def test_conditions(condition, ids) -> None:
    assert [one.id for one in meeting(FACTS, CatalogQuery("", (condition,)))] == ids


@pytest.mark.parametrize(
    ("order", "ids"),
    [
        (Order("published", descending=False), ["old"]),
        (Order("published", descending=True), ["day"]),
        (Order("author_count", descending=True), ["month", "year"]),
        (Order("comments", descending=True), ["day"]),
        (Order("published", descending=True, number=2), ["day", "month"]),
        (Order("author_count", descending=False, number=3), ["old", "day", "month", "year"]),
        (Order("comments", descending=True, number=9), ["day", "year"]),
        (Order("author_count", descending=True, place=2), ["day"]),
        (Order("author_count", descending=True, number=None), ["month", "year", "day", "old"]),
    ],
)
def test_the_first_with_ties(order, ids) -> None:
    assert [one.id for one in first(FACTS, order)] == ids
    assert first(FACTS[4:], order) == []
