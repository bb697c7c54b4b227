"""A language model reads questions: follow-ups, filters, suggestions; else rules do."""

import json
from contextlib import ExitStack

import pytest

from rag.assistant import Assistant
from rag.errors import InputError, LLMError
from tests.llm.fake import SERVED, errs, says, serving
from tests.llm.tiny import make_model

QUESTION = "which papers study density ratios in RL?"
ANSWER = says("Density ratios help. [1]")
READ = {
    "topic": "density ratios",
    "from": None,
    "to": None,
    "organisation": None,
    "order": None,
    "number": 1,
}
KINDS = {
    "You rewrite": "standalone",
    "You read": "query",
    "You suggest": "next",
    "You correct": "revise",
    "You judge": "judge",
}


@pytest.fixture(autouse=True)
def _served(monkeypatch):
    for name, value in SERVED.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The folder of a tokenizer with a chat template."""
    return make_model(tmp_path_factory.mktemp("tiny"))


class Model:
    """A model that plays an act by the prompt's purpose; `prompts` holds the prompts by purpose."""

    def __init__(self, **acts) -> None:
        self.acts = {"answer": ANSWER, **acts}
        self.prompts: dict[str, list[str]] = {}

    def __call__(self, handler) -> None:
        first = handler.body["messages"][0]["content"]
        kind = next((kind for start, kind in KINDS.items() if first.startswith(start)), "answer")
        self.prompts.setdefault(kind, []).append(handler.body["messages"][-1]["content"])
        self.acts[kind](handler)


@pytest.fixture
def served(demo_home, tiny, monkeypatch):
    """`served(model, variable=value)` gives an assistant whose language model plays these acts."""
    with ExitStack() as stack:

        def start(model, **variables):
            settings = {"LLM__TOKENIZER": tiny, "LLM__READS": "true", **variables}
            for name, value in settings.items():
                monkeypatch.setenv(f"RAG_{name}", str(value))
            monkeypatch.setenv("RAG_LLM__BASE_URL", stack.enter_context(serving(model)).url)
            return stack.enter_context(Assistant.open(home=demo_home))

        yield start


# -- After earlier turns ---------------------------------------------------------------------------


def test_a_follow_up_is_asked_as_the_model_understands_it(served) -> None:
    model = Model(standalone=says("Which papers reduce redundancy in ", "Barlow Twins?"))
    assistant = served(model)
    first = assistant.ask(QUESTION)
    assert "standalone" not in model.prompts
    second = assistant.ask("and that other thing?", [first])
    assert second.standalone_question == "Which papers reduce redundancy in Barlow Twins?"
    assert second.hits[0].paper.title.startswith("Barlow Twins")
    [prompt] = model.prompts["standalone"]
    assert f"Reader: {QUESTION}\nAnswer: {first.text}\n" in prompt
    assert prompt.endswith("Last question: and that other thing?")


def test_a_paper_that_is_pointed_to_needs_no_model(served) -> None:
    model = Model()
    assistant = served(model)
    asked = assistant.ask("what is [1] about?", [assistant.ask(QUESTION)])
    assert "Harnessing Density Ratios" in asked.standalone_question
    assert "standalone" not in model.prompts


def test_older_turns_are_left_out_where_they_do_not_fit(served) -> None:
    model = Model(standalone=says("Which papers study density ratios?"))
    history = [
        {"role": "user", "text": f"question {number} " + "and so on " * 40} for number in range(100)
    ]
    assert (
        served(model).ask("and offline?", history).standalone_question
        == "Which papers study density ratios?"
    )
    [prompt] = model.prompts["standalone"]
    assert "question 99 " in prompt
    assert "question 1 " not in prompt


def test_rules_take_over_and_a_notice_says_so(served, caplog) -> None:
    history = [{"role": "user", "text": QUESTION}]
    answer = served(Model(standalone=errs(500, "no"))).ask("and offline?", history)
    assert "500" in answer.notices[0]
    assert answer.notices[0].endswith("The question was read by rules.")
    assert answer.standalone_question == "density ratios in RL: and offline?"
    assert "500" in caplog.text


def test_a_failure_ends_the_answer_where_configured(served) -> None:
    assistant = served(Model(standalone=errs(500, "no")), ANSWER__ON_LLM_FAILURE="error")
    with pytest.raises(LLMError, match="500"):
        assistant.ask("and offline?", [{"role": "user", "text": QUESTION}])


def test_a_question_without_an_end_is_none(served) -> None:
    answer = served(Model(standalone=says("What is", finish="length"))).ask(
        "and offline?", [{"role": "user", "text": QUESTION}]
    )
    notice = "The language model's output was cut off; the question was read by rules."
    assert answer.notices[0] == notice


# -- The catalog -----------------------------------------------------------------------------------

RECENT = "anything recent on density ratios?"


def read(**changes):
    return says(json.dumps(READ | {"asked": [], "counted": False} | changes))


def test_what_no_rule_reads_the_model_may(served) -> None:
    answer = served(Model(query=read(order="newest"))).ask(RECENT)
    assert answer.filters == ("newest",)
    assert served(Model()).ask(RECENT, filters=False).filters == ()


def test_the_rules_come_first(served) -> None:
    model = Model(query=read(order="oldest"))
    assert served(model).ask("the newest paper on density ratios").filters == ("newest",)
    assert "query" not in model.prompts


@pytest.mark.parametrize(
    "said",
    [
        says("I would say the newest."),
        read(organisation="The Institute That Is Not There"),
        read(order="the nicest"),
        read(**{"from": 20}),
        read(asked=["shoe size"]),
        read(number=0),
    ],
)
def test_a_reading_that_makes_no_sense_narrows_nothing(served, said) -> None:
    answer = served(Model(query=said)).ask(RECENT)
    assert answer.filters == ()
    assert answer.citations


def test_years(served) -> None:
    answer = served(Model(query=read(**{"from": 2024, "to": 2024}))).ask(RECENT)
    assert answer.filters == ("published in 2024",)
    answer = served(Model(query=read(**{"from": 2020, "to": 2024}))).ask(RECENT)
    assert answer.filters == ("published from 2020 to 2024",)


# -- What to ask next ------------------------------------------------------------------------------


def test_only_what_is_answered_is_offered(served) -> None:
    offered = "What makes density ratios useful online?"
    model = Model(
        next=says(f"1. {offered}\nHow tall is the Eiffel Tower?\n{QUESTION}\nno question")
    )
    assistant = served(model)
    following = assistant.follow_ups(assistant.ask(QUESTION))
    assert following[0] == offered
    assert not {"How tall is the Eiffel Tower?", QUESTION, "no question"} & set(following)
    assert "Harnessing Density Ratios" in model.prompts["next"][0]
    assert len(model.prompts["answer"]) == 1  # what is offered was checked without the model


def test_rules_suggest_where_the_model_fails(served, caplog) -> None:
    assistant = served(Model(next=errs(500, "no")))
    assert assistant.follow_ups(assistant.ask(QUESTION))
    assert "500" in caplog.text


# -- The revision round ----------------------------------------------------------------------------

WRONG = "Bananas cost 77 cents in every shop."
TRUE = "Coverability is enough to make density ratios useful online."


def test_a_sentence_in_doubt_is_written_again(served) -> None:
    model = Model(answer=says(f"{WRONG} [1] {TRUE} [1]"), revise=says(f"{TRUE} [1]"))
    answer = served(model, ANSWER__REVISE="true").ask(QUESTION)
    assert [statement.text for statement in answer.statements] == [TRUE, TRUE]
    assert answer.statements[0].doubts == ()
    assert answer.notices == (
        "1 sentence was rewritten, because the evidence did not support the first wording.",
    )
    [prompt] = model.prompts["revise"]
    assert prompt.endswith(f"Sentence: {WRONG}")
    assert "coverability" in prompt


def test_without_the_revision_round_it_is_flagged(served) -> None:
    model = Model(answer=says("Coverability makes online density ratios cost 77 cents. [1]"))
    assert served(model).ask("What makes density ratios useful online?").statements[0].doubts
    assert "revise" not in model.prompts


def test_what_the_revision_does_not_settle_stays_in_doubt(served) -> None:
    answer = served(
        Model(answer=says(f"{WRONG} [1]"), revise=says("Apples cost 78.")), ANSWER__REVISE="true"
    ).ask(QUESTION)
    assert [statement.text for statement in answer.statements] == [WRONG]
    assert answer.statements[0].doubts


def test_what_the_evidence_does_not_say_is_left_out_with_a_notice(served) -> None:
    model = Model(answer=says(f"{WRONG} [1] {TRUE} [1]"), revise=says("Not found."))
    answer = served(model, ANSWER__REVISE="true").ask(QUESTION)
    assert [statement.text for statement in answer.statements] == [TRUE]
    assert [citation.mark for citation in answer.citations] == [1]
    assert WRONG in answer.notices[0]


def test_an_answer_without_remaining_sentences_is_a_refusal(served) -> None:
    model = Model(answer=says(f"{WRONG} [1]"), revise=says("Not found."))
    answer = served(model, ANSWER__REVISE="true").ask(QUESTION)
    assert answer.refusal == "the evidence supports nothing that the language model wrote"
    assert answer.citations == ()


def test_a_failed_revision_is_reported(served) -> None:
    model = Model(answer=says(f"{WRONG} [1] {WRONG} [1]"), revise=errs(400, "no"))
    answer = served(model, ANSWER__REVISE="true").ask(QUESTION)
    assert [bool(statement.doubts) for statement in answer.statements] == [True, True]
    assert answer.notices[0].startswith("The revision of doubtful sentences failed: ")
    assert len(model.prompts["revise"]) == 1


# -- The claim judge -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ("supported", "supported"),
        ("Contradicted.", "contradicted"),
        (" not stated", "not stated"),
        ("not supported", None),
    ],
)
def test_a_verdict(served, said, verdict) -> None:
    model = Model(judge=says(said))
    assert (
        served(model).judged("Seven rats ran.", ["Three rats ran. They were fast.", "Four ran."])
        == verdict
    )
    [prompt] = model.prompts["judge"]
    assert "Three rats ran. They were fast. Four ran." in prompt
    assert prompt.endswith("Claim: Seven rats ran.")


def test_long_evidence_is_cut_to_what_fits(served) -> None:
    model = Model(judge=says("not stated"))
    assistant = served(model, LLM__CONTEXT=512)
    assert (
        assistant.judged("Seven rats ran.", [" ".join(f"Rat {n} ran." for n in range(900))])
        == "not stated"
    )
    assert "Rat 1 ran." in model.prompts["judge"][0]
    assert "Rat 899 ran." not in model.prompts["judge"][0]


def test_without_a_model_there_is_no_verdict(demo_home) -> None:
    with (
        Assistant.open(home=demo_home, quotes=True) as demo,
        pytest.raises(InputError, match="no language model"),
    ):
        demo.judged("Seven rats ran.", "Three rats ran.")
