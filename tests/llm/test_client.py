"""The client against a server that fails in every way that servers do; each is one clear error."""

import time

import pytest

from rag.config import load_config
from rag.errors import LLMError
from rag.llm import LLM, Ended, Message, choice_form
from tests.llm.fake import breaks_down, errs, hangs_up, says, serving, stalls, talks_on

ASKED = [Message("system", "Answer."), Message("user", "What of ratios?")]


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    """The first stream imports the client's library, whose seconds are not the server's."""
    with serving(says("x")) as server:
        list(client(server.url).stream(ASKED))


def client(url: str, **changes) -> LLM:
    config = load_config().llm
    settings = {"base_url": url, "read_seconds": 1.0, "form": "structured_outputs", **changes}
    return LLM(config.model_copy(update=settings))


def test_a_stream_and_its_end() -> None:
    with serving(says("One. ", "[1]")) as server:
        pieces = list(client(server.url).stream(ASKED, choice_form(["x"])))
    assert pieces == ["One. ", "[1]", Ended("stop", 7, 3)]
    [sent] = server.requests
    assert sent["messages"] == [{"role": one.role, "content": one.content} for one in ASKED]
    assert sent["structured_outputs"] == {"grammar": 'root ::= "x"\n'}
    assert (sent["seed"], sent["temperature"], sent["max_tokens"]) == (0, 0.0, 1024)
    assert sent["chat_template_kwargs"] == {"enable_thinking": False}


@pytest.mark.parametrize(
    ("act", "named"),
    [
        (errs(401, '{"error": {"message": "Unauthorized"}}'), "refused the key; set RAG_LLM__API_KEY"),
        (
            errs(404, '{"error": {"message": "no such model"}}'),
            "serves no model 'Qwen/Qwen3-8B'; it serves fake; set llm.model",
        ),
        (errs(400, '{"error": {"message": "maximum context length is 512"}}'), "lower llm.context"),
        (errs(400, '{"error": {"message": "System role not supported"}}'), "no system role"),
        (errs(500, "it burns"), "answered 500"),
        (errs(500, "<html>it burns</html>", "text/html"), "answered 500"),
        (errs(200, "<html>hello</html>", "text/html"), "its end is missing"),
        (errs(200, "", "text/event-stream"), "its end is missing"),
        (errs(200, "data: {broken\n\n", "text/event-stream"), "did not answer as an OpenAI-compatible server"),
        (errs(200, 'data: {"choices": null}\n\n', "text/event-stream"), "did not answer as"),
        (hangs_up, "can't be reached or broke off"),
        (stalls(), "sent nothing for 1 s"),
    ],
)
def test_a_server_that_fails(act, named) -> None:
    with serving(act) as server:
        started = time.perf_counter()
        with pytest.raises(LLMError, match=named) as error:
            list(client(server.url).stream(ASKED))
        assert time.perf_counter() - started < 5
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("act", "named"),
    [
        (says("One. [", finish=None, done=False), "broke off the answer"),
        (says("One. [", finish="abort"), "broke off the answer .abort"),
        (stalls("One. ["), "sent nothing for 1 s"),
        (breaks_down("One. ["), "failed while answering: EngineCore"),
    ],
)
def test_a_stream_that_fails_in_the_middle_keeps_what_was_said(act, named) -> None:
    with serving(act) as server:
        stream = client(server.url).stream(ASKED)
        assert next(stream) == "One. ["
        with pytest.raises(LLMError, match=named):
            next(stream)
    assert len(server.requests) == 1


def test_a_lost_connection_is_tried_once_more_before_the_first_piece() -> None:
    with serving(hangs_up, says("One. [1]")) as server:
        assert next(client(server.url).stream(ASKED)) == "One. [1]"
    assert len(server.requests) == 2


def test_nobody_listens() -> None:
    with pytest.raises(LLMError, match="can't be reached"):
        list(client("http://127.0.0.1:9/v1").stream(ASKED))


def test_a_check_costs_one_token_and_tells_what_is_wrong() -> None:
    with serving(says("Yes"), errs(401, '{"error": {"message": "Unauthorized"}}')) as server:
        client(server.url).check()
        assert server.requests[0]["max_tokens"] == 1
        with pytest.raises(LLMError, match="refused the key"):
            client(server.url).check()
    with pytest.raises(LLMError, match="can't be reached"):
        client("http://127.0.0.1:9/v1").check()


def test_closing_the_stream_closes_the_connection() -> None:
    with serving(talks_on) as server:
        stream = client(server.url).stream(ASKED)
        next(stream)
        stream.close()
        assert server.left.wait(1)
