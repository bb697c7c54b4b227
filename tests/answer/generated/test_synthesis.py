"""Written answers: valid markers, exact evidence, visible doubts and a fallback on failure."""

import re

import pytest

from rag.assistant import Assistant
from rag.config import load_config
from rag.errors import LLMError
from rag.llm import Counters, Message
from rag.records import Preview, Scope, Statement
from tests.llm.fake import SERVED, hangs_up, says, serving, stalls
from tests.llm.tiny import make_model

QUESTION = "What makes density ratios useful online?"
LIST = "which papers study density ratios in RL?"


@pytest.fixture(autouse=True)
def _served(monkeypatch):
    for name, value in SERVED.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The folder of a tokenizer with a chat template."""
    return make_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def asking(demo_home, tiny, monkeypatch):
    """Asks with a server that plays these acts: `asking(says(...), variable=value)`."""

    def ask(*acts, question=QUESTION, **variables):
        settings = {"LLM__TOKENIZER": tiny, "LLM__READ_SECONDS": 1}
        for name, value in (settings | variables).items():
            monkeypatch.setenv(f"RAG_{name}", str(value))
        with serving(*acts) as server:
            monkeypatch.setenv("RAG_LLM__BASE_URL", server.url)
            with Assistant.open(home=demo_home) as assistant:
                return assistant.ask(question), server.requests

    return ask


def prompt(requests) -> str:
    return requests[0]["messages"][1]["content"]


def test_a_sentence_with_its_evidence(asking) -> None:
    answer, requests = asking(
        says("Coverability is enough to make density ", "ratios useful online. [", "3]")
    )
    title, first, *_ = prompt(requests).splitlines()
    assert title == "Harnessing Density Ratios for Online Reinforcement Learning"
    assert first.startswith("[1] Density ratio modeling has become popular")
    assert prompt(requests).endswith(f"Question: {QUESTION}")
    [citation] = answer.citations
    [span] = citation.evidence
    text = answer.hits[0].paper.text
    assert span.text.startswith("The authors prove that coverability")
    assert text[span.start : span.end] == span.text
    assert citation.support > 0.5
    assert answer.text == "Coverability is enough to make density ratios useful online. [1]"
    assert re.fullmatch(r"Qwen/Qwen3-8B, prompts \w{12}, form structured_outputs", answer.made_by)
    assert answer.usage["prompt_tokens"] == 7
    assert answer.usage["first_token_ms"] > 0
    assert answer.usage["writing_ms"] >= 0
    [sent] = requests
    assert sent["structured_outputs"]["grammar"].startswith('root ::= "Not found." | cited')


def test_a_comparison_says_sentences_of_each_paper_one_by_one(asking) -> None:
    asked = (
        "Compare RankMixup with the correctness-aware calibrator: which signal do they learn from?"
    )
    answer, requests = asking(
        says("- Bananas cost 77 cents. [1]\n", "- Bananas cost 77 cents. [4]"), question=asked
    )
    given = re.findall(
        r"^\[\d\] .*|^\D.*$", prompt(requests).partition("\n\nQuestion:")[0], re.MULTILINE
    )
    titles = [line for line in given if not line.startswith("[")]
    assert [len(run.splitlines()) for run in "\n".join(given).split("\n" + titles[1] + "\n")] == [
        4,
        3,
    ]
    assert requests[0]["messages"][0]["content"].startswith("You compare papers")
    # A sentence without support is replaced by the papers' own sentences.
    assert [citation.title for citation in answer.citations] == titles
    assert "Bananas" not in answer.text


def test_doubts_are_shown(asking) -> None:
    answer, _ = asking(
        says("Coverability makes online density ratios cost 77 cents. [1] No mark here.")
    )
    first, second = answer.text.splitlines()
    assert re.search(r"\[1\] \(check: weak support, 0\.\d\d; 77 in no cited paper\)$", first)
    assert second == "No mark here. (check: it cites no paper)"


def test_an_unsupported_answer_is_replaced_by_quotations(asking) -> None:
    answer, _ = asking(says("Bananas cost 77 cents in every shop. [1]"))
    assert "Bananas" not in answer.text
    assert answer.citations
    left_out, nothing, quoted = answer.notices
    assert left_out.startswith("1 sentence was left out, because the papers do not support")
    assert nothing == "The language model wrote nothing that could be shown."
    assert quoted == "What follows are the papers' own sentences."


def test_the_model_is_asked_what_the_reader_asked(demo_home, tiny, monkeypatch) -> None:
    """Of a paper as a whole too, whose sentences are found by its title."""
    monkeypatch.setenv("RAG_LLM__TOKENIZER", str(tiny))
    with serving(says("Density ratios help. [1]")) as server:
        monkeypatch.setenv("RAG_LLM__BASE_URL", server.url)
        with Assistant.open(home=demo_home) as assistant:
            paper = assistant.search(QUESTION, 1)[0].paper
            assistant.ask("What is it about?", scope=Scope(papers=(paper.id,)))
        assert prompt(server.requests).endswith("Question: What is it about?")


def test_invalid_markers_are_dropped_with_a_notice(asking) -> None:
    answer, requests = asking(says("Density ratios help. [1][99]"), LLM__FORM="none")
    assert "[99]" not in answer.text
    assert answer.notices == ("1 citation number that matched no sentence was dropped.",)
    assert "structured_outputs" not in requests[0]


@pytest.mark.parametrize("refusal", ["Not found.", "Not found", "The answer is Not found. [1]"])
def test_the_model_declines(asking, refusal) -> None:
    answer, _ = asking(says(refusal))
    assert answer.refusal == "the language model finds no answer in the nearest sentences"
    assert answer.text.startswith("Not found in your papers: the language model finds no answer")
    assert answer.citations == ()


def test_a_cut_off_answer_withholds_its_tail(asking) -> None:
    answer, _ = asking(says("Density ratios help. [1] And the rest is", finish="length"))
    assert "rest" not in answer.text
    assert "cut off (llm.max_tokens)" in answer.notices[0]


@pytest.mark.parametrize("act", [hangs_up, stalls("Density ratios help. [1] And")])
def test_a_failed_server_is_reported_and_the_papers_are_quoted(asking, act) -> None:
    answer, _ = asking(act)
    assert "The language model failed" in answer.notices[0]
    assert "some well-covering exploratory distribution" in answer.text
    assert [citation.mark for citation in answer.citations] == list(
        range(1, len(answer.citations) + 1)
    )


def test_a_failure_ends_the_answer_where_configured(asking) -> None:
    with pytest.raises(LLMError, match="sent nothing for 1 s"):
        asking(stalls("Density"), ANSWER__ON_LLM_FAILURE="error")


def test_what_was_said_stays_when_the_server_fails(asking, demo_home, monkeypatch) -> None:
    answer, _ = asking(stalls("Density ratios help. [1] And"))
    assert answer.text.startswith("Density ratios help. [1]")


def test_only_whole_sentences_that_fit_are_given(asking) -> None:
    whole, few = (
        asking(says("Density ratios help. [1]"), LLM__PROMPT_TOKENS=most)[1][0]["messages"]
        for most in (600, 300)
    )
    given, of_all = (
        messages[1]["content"].partition("\n\nQuestion:")[0].splitlines()
        for messages in (few, whole)
    )
    bare = [re.sub(r"^\[\d+\] ", "", line) for line in of_all]
    assert 1 < len(given) < len(of_all)
    assert all(re.sub(r"^\[\d+\] ", "", line) in bare for line in given)
    counter = Counters(load_config().llm).best()
    assert counter.count([Message(request["role"], request["content"]) for request in few]) <= 300


def test_papers_of_a_list_that_do_not_fit_the_context_are_left_out_with_a_notice(asking) -> None:
    said = says("- Density ratios help. [1]")
    left_out = "1 paper was left out, to fit the model's context (llm.context)."
    whole, _ = asking(said, question=LIST)
    assert left_out not in whole.notices
    answer, _ = asking(said, question=LIST, LLM__CONTEXT=512)
    assert left_out in answer.notices


def test_a_context_too_small_for_a_sentence(asking) -> None:
    with pytest.raises(LLMError, match="no sentence fits the .* raise llm.context"):
        asking(says("x"), LLM__CONTEXT=256, LLM__MAX_TOKENS=200, ANSWER__ON_LLM_FAILURE="error")


def test_without_the_tokenizer_the_estimate_is_reported(asking, tmp_path) -> None:
    answer, _ = asking(says("Density ratios help. [1]"), LLM__TOKENIZER=tmp_path / "none")
    assert "estimated" in answer.notices[0]


def test_what_is_not_here_is_counted_by_the_server_and_the_hub_is_left_alone(
    demo_home, tmp_path, monkeypatch, capfd
) -> None:
    monkeypatch.setenv("RAG_LLM__TOKENIZER", "nobody/has-such-a-model")
    monkeypatch.setattr("rag.models.hub.reachable", lambda: pytest.fail("the hub was asked"))
    with serving(says("Density ratios help. [1]")) as server:
        server.tokens = 50
        monkeypatch.setenv("RAG_LLM__BASE_URL", server.url)
        with Assistant.open(home=demo_home) as assistant:
            assert assistant.ask(QUESTION).notices == ()
    assert capfd.readouterr().err == ""


def test_an_unreachable_hub_is_asked_once(demo_home, monkeypatch, caplog) -> None:
    asked = []
    monkeypatch.setattr("rag.models.hub.reachable", lambda: asked.append(1))
    counters = Counters(
        load_config("gpu").llm.model_copy(
            update={"tokenizer": "nobody/has-it", "base_url": "http://127.0.0.1:9/v1"}
        )
    )
    assert not counters.best().exact
    assert not counters.best().exact
    assert len(asked) == 1


def test_an_estimate_ends_when_the_server_counts(demo_home, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("RAG_LLM__TOKENIZER", str(tmp_path / "none"))
    with serving(says("Density ratios help. [1]")) as server:
        monkeypatch.setenv("RAG_LLM__BASE_URL", server.url)
        with Assistant.open(home=demo_home) as assistant:
            assert "estimated" in assistant.ask(QUESTION).notices[0]
            server.tokens = 50
            assert assistant.ask(QUESTION).notices == ()


def test_statements_stream_as_they_close(demo_home, tiny, monkeypatch) -> None:
    monkeypatch.setenv("RAG_LLM__TOKENIZER", str(tiny))
    monkeypatch.setenv("RAG_LLM__READ_SECONDS", "5")
    with serving(stalls("Density ratios help. [1] Coverage")) as server:
        monkeypatch.setenv("RAG_LLM__BASE_URL", server.url)
        with Assistant.open(home=demo_home) as assistant:
            events = assistant.ask_stream(QUESTION)
            assert (
                next(event for event in events if isinstance(event, Statement)).text
                == "Density ratios help."
            )
            events.close()


def test_the_best_quotation_is_shown_before_the_model_is_asked(
    demo_home, tiny, monkeypatch
) -> None:
    monkeypatch.setenv("RAG_LLM__TOKENIZER", str(tiny))
    with serving(says("Density ratios help. [1]")) as server:
        monkeypatch.setenv("RAG_LLM__BASE_URL", server.url)
        with Assistant.open(home=demo_home) as assistant:
            events = assistant.ask_stream(QUESTION)
            preview = next(event for event in events if isinstance(event, Preview))
            assert "coverability" in preview.statement.text
            assert server.requests == []
            assert [event.text for event in events if isinstance(event, Statement)] == [
                "Density ratios help."
            ]


def test_a_list_is_written_five_papers_to_a_request(asking) -> None:
    lines = [f"- Paper {number} is about it. [{number}]\n" for number in range(1, 6)]
    lenient = {f"ANSWER__{name}": 0 for name in ("RELEVANCE", "SHARE_OF_BEST", "ODDS_OF_BEST")}
    acts = says(*lines), says(*lines[:2])
    answer, requests = asking(
        *acts, question="papers about language models", ANSWER__CONSIDERED=7, **lenient
    )
    assert [prompt([request]).count("\n[") for request in requests] == [5, 2]
    assert [citation.mark for citation in answer.citations] == [1, 2, 3, 4, 5, 6, 7]
    assert len({citation.paper_id for citation in answer.citations}) == 7
    assert all("Not found" not in request["structured_outputs"]["grammar"] for request in requests)
    assert answer.usage["prompt_tokens"] == 14


def test_findings_of_several_papers_have_an_answer_first_and_then_a_line_for_each(asking) -> None:
    lead = says("Language models are trained on text. [1] They answer questions. [2]")
    lines = [f"- Paper {number} is about it. [{number}]\n" for number in range(1, 6)]
    lenient = {f"ANSWER__{name}": 0 for name in ("RELEVANCE", "SHARE_OF_BEST", "ODDS_OF_BEST")}
    acts = lead, says(*lines), says(*lines[:2])
    answer, requests = asking(
        *acts, question="training of language models", ANSWER__CONSIDERED=7, **lenient
    )
    assert answer.statements[0].text == "Language models are trained on text."
    assert answer.statements[0].title is None
    of_papers = [statement.title for statement in answer.statements if statement.title]
    assert sorted(of_papers) == sorted(hit.paper.title for hit in answer.hits)
    assert [request["structured_outputs"]["grammar"].count("entry ") for request in requests] == [
        0,
        6,
        3,
    ]


def test_of_chosen_papers_the_model_is_asked_by_the_measure_of_those(
    demo_home, tiny, monkeypatch
) -> None:
    """For a few papers, the best relevance decides, not the calibration for whole libraries."""
    monkeypatch.setenv("RAG_LLM__TOKENIZER", str(tiny))
    monkeypatch.setenv("RAG_ANSWER__ANSWERABILITY", "1.0")
    with serving(says("Density ratios help. [1]")) as server:
        monkeypatch.setenv("RAG_LLM__BASE_URL", server.url)
        with Assistant.open(home=demo_home) as assistant:
            paper = assistant.search(QUESTION, 1)[0].paper
            asked = "How do density ratios help to explore with robots?"
            assert assistant.ask(asked).refusal
            assert server.requests == []
            assert assistant.ask(asked, scope=Scope(papers=(paper.id,))).refusal is None
    assert len(server.requests) == 1


def test_a_sentence_without_a_source_is_an_answer_in_doubt_and_nothing_is_quoted_below_it(
    asking,
) -> None:
    answer, _ = asking(says("Bananas cost 77 cents in every shop."), LLM__FORM="none")
    assert answer.text == "Bananas cost 77 cents in every shop. (check: it cites no paper)"
    assert answer.notices == ()
