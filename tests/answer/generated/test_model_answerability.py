"""Answerability: a measured model's yes or no is combined with the signals of the search."""

import math

import pytest

from rag.answer.generated.model_answerability import certainty, measured
from rag.assistant import Assistant
from rag.config import load_config
from rag.llm import LLM, Message
from rag.records import Judged
from tests.llm.fake import SERVED, errs, likely, says, serving
from tests.llm.tiny import make_model

QUESTION = "What makes density ratios useful online?"
PARTLY = "How do density ratios help to explore with robots?"  # no paper has all of its words
MODEL = "Qwen2.5-Coder-1.5B-Instruct"
WRITES = says("Density ratios help. [1]")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The folder of a tokenizer with a chat template."""
    return make_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def asking(demo_home, tiny, monkeypatch):
    """Return a function `asking(judges, writes, variable=value)`.

    It returns the events, the requests for one token, and all requests.
    """

    def ask(judges, writes=WRITES, question=QUESTION, **variables):
        settings = {**SERVED, "RAG_LLM__MODEL": MODEL, "RAG_LLM__TOKENIZER": tiny}
        for name, value in (
            settings | {f"RAG_{name}": value for name, value in variables.items()}
        ).items():
            monkeypatch.setenv(name, str(value))
        with serving(
            lambda handler: (judges if "logprobs" in handler.body else writes)(handler)
        ) as server:
            monkeypatch.setenv("RAG_LLM__BASE_URL", server.url)
            with Assistant.open(home=demo_home) as assistant:
                events = list(assistant.ask_stream(question))
        return (
            events,
            [request for request in server.requests if "logprobs" in request],
            server.requests,
        )

    return ask


def refusal_allowed(request) -> bool:
    return request["structured_outputs"]["grammar"].startswith('root ::= "Not found."')


def test_a_model_that_was_not_measured_is_not_asked(asking) -> None:
    events, judged, all_of_them = asking(errs(500, "unasked"), LLM__MODEL="Qwen/Qwen3-8B")
    assert judged == []
    assert refusal_allowed(all_of_them[0])
    assert not any(isinstance(event, Judged) for event in events)
    assert events[-1].answer.refusal is None


def test_the_models_yes_is_combined_with_the_calibrated_answerability(asking, demo) -> None:
    """weights . (logit of the calibrated, ln 0.8 - ln 0.1) + bias, as a probability."""
    joined = measured(MODEL).joined
    calibrated = demo.ask(QUESTION).answerability
    events, judged, all_of_them = asking(
        likely({"Yes": math.log(0.7), " yes": math.log(0.1), "no": math.log(0.1)})
    )
    [said] = [event for event in events if isinstance(event, Judged)]
    first, second = joined.weights
    wanted = first * math.log(calibrated / (1 - calibrated)) + second * math.log(8) + joined.bias
    assert said.answerability == pytest.approx(1 / (1 + math.exp(-wanted)))
    assert events[-1].answer.answerability == said.answerability
    assert events[-1].answer.text.startswith("Density ratios help. [1]")
    assert len(judged) == 1
    assert not refusal_allowed(all_of_them[-1]), "it has said yes"


def test_it_reads_what_the_answer_is_written_from(asking) -> None:
    _, [judged], all_of_them = asking(likely({"yes": -0.1}))
    rules, asked = judged["messages"]
    wrote_rules, wrote_asked = all_of_them[-1]["messages"]
    assert rules == wrote_rules
    assert asked["content"].startswith(wrote_asked["content"])
    assert asked["content"].endswith("Write yes or no.")


def test_the_models_no_declines_and_nothing_is_written(asking) -> None:
    events, _, all_of_them = asking(likely({"no": math.log(0.95), "yes": math.log(0.05)}))
    answer = events[-1].answer
    assert answer.refusal
    assert answer.citations == ()
    assert 0 < answer.answerability < measured(MODEL).threshold
    assert len(all_of_them) == 1


@pytest.mark.parametrize("said", ["Not found. [1] Not found.", "The answer is Not found. [1]"])
def test_a_refusal_after_a_yes_is_replaced_by_the_papers_own_sentences(asking, said) -> None:
    events, _, _ = asking(likely({"yes": -0.01}), says(said))
    answer = events[-1].answer
    assert answer.refusal is None
    assert answer.citations
    assert answer.notices[-1] == "What follows are the papers' own sentences."


def test_the_models_yes_answers_what_the_search_alone_would_decline(asking, demo) -> None:
    events, judged, _ = asking(likely({"yes": -0.01}), question=PARTLY, ANSWER__ANSWERABILITY=0.99)
    assert demo.ask(PARTLY).answerability < 0.99
    assert judged
    assert events[-1].answer.refusal is None


def test_far_below_no_model_is_asked(asking) -> None:
    events, _, all_of_them = asking(
        likely({"yes": -0.01}), question="How tall is the Eiffel Tower?"
    )
    assert events[-1].answer.refusal
    assert all_of_them == []


@pytest.mark.parametrize(("answerability", "declined"), [(0.4, False), (0.99, True)])
def test_without_probabilities_the_calibrated_answerability_decides_and_the_model_may_refuse(
    asking, answerability, declined
) -> None:
    events, judged, all_of_them = asking(
        says("yes"), question=PARTLY, ANSWER__ANSWERABILITY=answerability
    )
    assert len(judged) == 1
    assert not any(isinstance(event, Judged) for event in events)
    assert bool(events[-1].answer.refusal) == declined
    assert [refusal_allowed(request) for request in all_of_them[1:]] == ([] if declined else [True])


def test_a_model_is_known_by_a_part_of_its_name() -> None:
    shipped = measured("bartowski/Qwen2.5-Coder-1.5B-Instruct-GGUF")
    assert shipped is not None
    assert 0 < shipped.threshold < 1
    assert shipped.probability(0.5, 3.0) > 0.5 > shipped.probability(0.5, -3.0)
    assert measured("Qwen/Qwen3-8B") is None


@pytest.mark.parametrize(
    ("likeliest", "wanted"),
    [
        ({"yes": math.log(0.5), " Yes": math.log(0.25), "no": math.log(0.25)}, math.log(3)),
        ({"yes": math.log(0.5)}, math.log(0.5 / 1e-4)),
        ({"maybe": 0.0}, 0.0),
        ({}, None),
    ],
)
def test_all_spellings_of_a_word_count(likeliest, wanted) -> None:
    config = load_config("gpu").llm
    with serving(likely(likeliest) if likeliest else says("yes")) as server:
        sure = certainty(
            LLM(config.model_copy(update={"base_url": server.url})), [Message("user", "Is it so?")]
        )
    assert sure == (None if wanted is None else pytest.approx(wanted))
