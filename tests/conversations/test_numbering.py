"""Marks mean one thing in a whole conversation."""

from hypothesis import given
from hypothesis import strategies as st

from rag.conversations.numbering import Numbering
from rag.records import Citation, Statement, TextSpan, Turn

EVIDENCE = st.builds(lambda n: (TextSpan(n, n + 1, "x"),), st.integers(0, 3))
CITED = st.lists(st.tuples(st.sampled_from("abc"), EVIDENCE), max_size=4)


def answered(cited, numbering):
    """A turn whose statement cites these, as a synthesizer marks it."""
    citations = tuple(
        Citation(mark, paper, paper, evidence)
        for mark, (paper, evidence) in enumerate(cited, start=1)
    )
    return Turn("assistant", "", numbering.numbered(Statement("Said.", citations)).citations)


@given(st.lists(CITED, max_size=5))
def test_a_marker_means_the_same_evidence_in_all_turns(turns) -> None:
    history: list[Turn] = []
    for cited in turns:
        history.append(answered(cited, Numbering(history)))
    seen = [citation for turn in history for citation in turn.citations]
    meant = {citation.mark: (citation.paper_id, citation.evidence) for citation in seen}
    assert all(meant[citation.mark] == (citation.paper_id, citation.evidence) for citation in seen)
    assert len(set(meant.values())) == len(meant)
    assert list(dict.fromkeys(citation.mark for citation in seen)) == list(range(1, len(meant) + 1))


def test_a_follow_up_counts_on(demo) -> None:
    first = demo.ask("which papers study density ratios in RL?")
    second = demo.ask("What does Barlow Twins do?", [first])
    assert second.citations[0].mark == len(first.citations) + 1
    assert f"[{len(first.citations) + 1}]" in second.text
    again = demo.ask("which papers study density ratios in RL?", [first, second])
    assert again.citations == first.citations


def test_an_earlier_marker_is_understood_after_other_answers(demo) -> None:
    first = demo.ask("which papers study density ratios in RL?")
    second = demo.ask("What does Barlow Twins do?", [first])
    declined = demo.ask("How tall is the Eiffel Tower?", [first, second])
    mark = first.citations[1]
    asked = demo.ask(f"what is [{mark.mark}] about?", [first, second, declined])
    assert f"“{mark.title}”" in asked.standalone_question
    assert {citation.paper_id for citation in asked.citations} == {mark.paper_id}
