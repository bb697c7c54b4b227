"""Answers are kept whole: what comes back is what went in, and damage is named."""

import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag.errors import InputError
from rag.records import (
    Answer,
    CatalogFact,
    Citation,
    Excluded,
    Filter,
    Found,
    Hit,
    Scope,
    Statement,
    TextSpan,
)
from rag.records.json_format import answer_from, kept_row, turn_row, turns_from

SHORT = st.text(max_size=12)
SPANS = st.builds(TextSpan, st.integers(0), st.integers(0), SHORT)
EVIDENCE = SPANS | st.builds(CatalogFact, SHORT, SHORT, SHORT)
SUPPORT = st.none() | st.floats(0, 1)


def some(strategy):
    return st.lists(strategy, max_size=2).map(tuple)


CITATIONS = st.builds(Citation, st.integers(1, 99), SHORT, SHORT, some(EVIDENCE), SUPPORT)
SCORES = st.floats(allow_nan=False, allow_infinity=False)
HITS = st.builds(Hit, score=SCORES, found_by=some(st.builds(Found, score=SCORES)))
ANSWERS = st.builds(
    Answer,
    question=SHORT,
    standalone_question=SHORT,
    text=SHORT,
    citations=some(CITATIONS),
    hits=some(HITS),
    applied_filters=some(st.builds(Filter, SHORT, SHORT)),
    refusal=st.none() | SHORT,
    answerability=st.floats(0, 1),
    looked_at=st.integers(0),
    notices=some(SHORT),
    near_misses=some(HITS),
    usage=st.dictionaries(SHORT, st.floats(0, 1e6), max_size=3),
    config=SHORT,
    made_by=SHORT,
    statements=some(st.builds(Statement, SHORT, some(CITATIONS), st.none() | SHORT, some(SHORT))),
    scope=st.from_type(Scope),
    excluded=some(st.builds(Excluded, SHORT, SHORT, SHORT)),
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(answer=ANSWERS)
def test_any_answer_comes_back_whole(answer) -> None:
    assert answer_from(json.loads(json.dumps(kept_row(answer)))) == answer


@pytest.mark.parametrize(
    "question", ["which papers study density ratios in RL?", "the newest paper", "pizza?"]
)
def test_real_answers_come_back_whole(demo, question) -> None:
    answer = demo.ask(question)
    again = answer_from(json.loads(json.dumps(kept_row(answer))))
    assert again == answer
    assert again.sources == answer.sources


def test_keys_of_a_later_version_are_left_out(demo) -> None:
    answer = demo.ask("which papers study density ratios in RL?")
    assert answer_from(kept_row(answer) | {"mood": "cheerful"}) == answer


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("question",), None, "damaged at question"),
        (("citations", 0, "mark"), "1", "damaged at citations.0.mark"),
        (("hits", 0, "paper"), {}, "damaged at hits.0.paper"),
        (("citations", 0, "evidence"), [{"start": 1}], "damaged at citations.0.evidence.0"),
        (("text",), "\ud800", "damaged"),
        (("text",), object(), "not valid JSON"),
    ],
)
def test_damage_is_named(demo, path, value, said) -> None:
    row = copy.deepcopy(kept_row(demo.ask("which papers study density ratios in RL?")))
    place = row
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(InputError, match=said):
        answer_from(row)


@pytest.mark.parametrize("row", [None, [], "text", {}])
def test_what_is_no_answer(row) -> None:
    with pytest.raises(InputError, match="the saved answer is damaged"):
        answer_from(row)


def test_a_turn_comes_back_as_it_went_in(demo) -> None:
    declined = demo.ask("How tall is the Eiffel Tower?")
    assert declined.refusal
    turns = turns_from([declined])
    assert turns[-1].refused
    assert turns_from([turn_row(turn) for turn in turns]) == turns
