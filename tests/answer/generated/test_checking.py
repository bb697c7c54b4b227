"""Drafts become sentences with evidence: markers are checked, corrected or reported missing."""

from itertools import count

import pytest

from rag.answer.generated.checking import Checker, sentences_of
from rag.answer.support import SupportScorer
from rag.llm import MOST_WORDS, Draft
from tests.answer.made import excerpt, paper
from tests.fakes import WordEmbedder

GLOW = paper(
    "GLOW",
    "GLOW explores with density ratios.",
    "Costs are rather low here.",
    "GLOW truncates large ratios.",
)
CDR = paper("CDR", "CDR labels pairs of preferences.", "Its reward is a log ratio of models.")
GIVEN = [excerpt(GLOW, 1), excerpt(GLOW, 2), excerpt(CDR, 1, 2)]
WEAK = "Costs are rather low for 77 bananas in shops."
UNSUPPORTED = "Bananas cost 77 cents in every shop."


def checker(given=GIVEN, **settings) -> Checker:
    return Checker(SupportScorer(WordEmbedder()), given, count(1), 0.5, **settings)


def cited(statement) -> list[tuple[int, str, list[str]]]:
    return [
        (citation.mark, citation.title, [span.text for span in citation.evidence])
        for citation in statement.citations
    ]


def test_the_markers_of_a_draft_are_those_of_its_last_sentence() -> None:
    drafts = list(sentences_of(Draft("One is here. Two is there.", (2, 3))))
    assert drafts == [Draft("One is here.", ()), Draft("Two is there.", (2, 3))]


def test_evidence_is_the_sentence_that_says_it() -> None:
    [said] = checker().statements(Draft("Its reward is a log ratio of models.", (3,)))
    assert cited(said) == [(1, "CDR", ["Its reward is a log ratio of models."])]
    assert said.citations[0].support == 1.0
    assert said.doubts == ()


def test_an_earlier_sentence_is_attributed_where_the_excerpts_support_it() -> None:
    text = f"CDR labels pairs of preferences. {UNSUPPORTED} GLOW explores with density ratios."
    first, second, third = checker().statements(Draft(text, (1,)))
    assert cited(first) == [(1, "CDR", ["CDR labels pairs of preferences."])]
    assert (second.citations, second.doubts) == ((), ("it cites no paper",))
    assert cited(third) == [(2, "GLOW", ["GLOW explores with density ratios."])]


def test_a_marker_on_the_wrong_neighbour_is_corrected() -> None:
    [said] = checker().statements(Draft("GLOW explores with density ratios.", (2,)))
    assert cited(said) == [(1, "GLOW", ["GLOW explores with density ratios."])]
    assert said.doubts == ()


def test_a_sentence_with_weak_support_keeps_its_marker_and_is_in_doubt() -> None:
    [said] = checker().statements(Draft(WEAK, (2,)))
    assert cited(said) == [(1, "GLOW", ["Costs are rather low here."])]
    weak, number = said.doubts
    assert weak.startswith("weak support, 0.")
    assert number == "77 in no cited paper"


def test_a_sentence_that_another_part_of_the_cited_paper_supports_is_no_doubt() -> None:
    """GLOW's third sentence is in no excerpt, but the full paper supports it."""
    [said] = checker([excerpt(GLOW, 1)]).statements(Draft("GLOW truncates large ratios.", (1,)))
    assert cited(said) == [(1, "GLOW", ["GLOW truncates large ratios."])]
    assert said.citations[0].support == 1.0
    assert said.doubts == ()


def test_a_marker_that_adds_nothing_is_left_out() -> None:
    [said] = checker().statements(Draft("GLOW explores with density ratios.", (1, 3)))
    assert [citation.title for citation in said.citations] == ["GLOW"]


def test_two_excerpts_of_one_paper_are_one_citation_with_two_spans() -> None:
    given = [excerpt(GLOW, 1), excerpt(GLOW, 3)]
    [said] = checker(given).statements(
        Draft("GLOW explores with ratios, and GLOW truncates large ratios.", (1, 2))
    )
    assert cited(said) == [
        (1, "GLOW", ["GLOW explores with density ratios.", "GLOW truncates large ratios."])
    ]


def test_of_a_list_a_sentence_on_one_paper_has_its_title() -> None:
    [said] = checker(by_paper=True).statements(Draft("CDR labels pairs of preferences.", (3,)))
    assert said.title == "CDR"


@pytest.mark.parametrize("refusal", ["Not found.", "not found", "The answer is Not found."])
def test_a_refusal_inside_a_sentence_counts(refusal) -> None:
    made = checker()
    assert list(made.statements(Draft(refusal, (1,)))) == []
    assert (made.refused, made.accepted) == (True, 0)


def test_a_finding_that_was_not_found_to_hold_is_no_refusal() -> None:
    made = checker()
    assert len(list(made.statements(Draft("The bias was not found to vanish.", ())))) == 1
    assert not made.refused


@pytest.mark.parametrize(("bound", "said"), [(True, 0), (False, 1)])
def test_a_sentence_that_its_grammar_ended_is_withheld_with_a_notice(bound, said) -> None:
    long = " ".join(["word"] * MOST_WORDS) + "."
    made = checker(bound=bound)
    assert len(list(made.statements(Draft(long, ())))) == said
    assert [
        notice.text.startswith("1 sentence was withheld: longer than 45 words")
        for notice in made.closing()
    ] == ([True] if bound else [])


def test_a_sentence_just_below_the_limit_is_kept() -> None:
    made = checker()
    assert len(list(made.statements(Draft(" ".join(["word"] * (MOST_WORDS - 1)) + ".", ())))) == 1
    assert list(made.closing()) == []


def test_a_line_of_a_list_that_is_in_doubt_gives_way_to_the_papers_own_sentences() -> None:
    made = checker(by_paper=True)
    [said] = made.statements(Draft(UNSUPPORTED, (3,)))
    assert said.text == "CDR labels pairs of preferences. Its reward is a log ratio of models."
    assert (said.title, said.doubts, said.citations[0].support) == ("CDR", (), 1.0)
    [notice] = made.closing()
    assert notice.text.startswith("1 sentence was replaced by the paper's own")


def test_a_line_of_a_list_that_only_repeats_a_title_gives_way_too() -> None:
    [said] = checker(by_paper=True).statements(Draft("CDR.", (3,)))
    assert said.text.startswith("CDR labels pairs of preferences.")


def test_a_sentence_with_hardly_any_support_is_left_out() -> None:
    made = checker()
    assert list(made.statement(Draft(UNSUPPORTED, (1,)))) == []
    [notice] = made.closing()
    assert notice.text.startswith("1 sentence was left out")


def test_a_list_has_each_of_its_papers_though_the_model_leaves_some_out() -> None:
    made = checker(by_paper=True)
    assert len(list(made.statement(Draft("GLOW explores with density ratios.", (1,))))) == 1
    [missing] = made.missing()
    assert missing.text == "CDR labels pairs of preferences. Its reward is a log ratio of models."
    assert (missing.title, missing.citations[0].mark) == ("CDR", 2)
    assert list(made.missing()) == []


def test_other_answers_need_not_cite_every_paper() -> None:
    assert list(checker().missing()) == []


def test_nothing_is_said_twice() -> None:
    made = checker()
    draft = Draft("GLOW explores with density ratios.", (1,))
    assert len([*made.statement(draft), *made.statement(draft)]) == 1
