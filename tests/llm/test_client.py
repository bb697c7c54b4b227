"""The client against servers that fail in known ways and take forms in different fields."""

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from rag.config import load_config
from rag.errors import LLMError
from rag.llm import LLM, Ended, Message, Reading, answer_form, choice_form, complete
from tests.llm.fake import Act, breaks_down, errs, hangs_up, likely, says, serving, stalls, talks_on

ASKED = [Message("system", "Answer."), Message("user", "What of ratios?")]


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    """Import the client's library first, so that its time does not count as the server's."""
    with serving(says("x")) as server:
        list(client(server.url).stream(ASKED))


def client(url: str, **changes) -> LLM:
    config = load_config("gpu").llm
    settings = {"base_url": url, "read_seconds": 1.0, "form": "structured_outputs", **changes}
    return LLM(config.model_copy(update=settings))


def test_a_stream_and_its_end() -> None:
    with serving(says("One. ", "[1]")) as server:
        pieces = list(client(server.url).stream(ASKED, choice_form(["x"])))
    assert pieces == ["One. ", "[1]", Ended("stop", 7, 3)]
    [sent] = server.requests
    assert sent["messages"] == [
        {"role": message.role, "content": message.content} for message in ASKED
    ]
    assert sent["structured_outputs"] == {"grammar": 'root ::= "x"\n'}
    assert (sent["seed"], sent["temperature"], sent["max_tokens"]) == (0, 0.0, 1024)
    assert sent["chat_template_kwargs"] == {"enable_thinking": False}


@pytest.mark.parametrize(
    ("act", "named"),
    [
        (
            errs(401, '{"error": {"message": "Unauthorized"}}'),
            "refused the key; set RAG_LLM__API_KEY",
        ),
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
        (
            errs(200, "data: {broken\n\n", "text/event-stream"),
            "did not answer as an OpenAI-compatible server",
        ),
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


def test_a_check_costs_one_token_and_reports_what_is_wrong() -> None:
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


# -- How a server takes forms ----------------------------------------------------------------------

FIELDS = ("structured_outputs", "grammar", "response_format")
YES = choice_form(["yes", "no"])


def obeys(field: str | None, *, strict: bool = False) -> Act:
    """Write the first choice of a form that is given in this field, else unrelated text.

    If `strict`, an unknown field is an error, as with some servers.
    """

    def act(handler) -> None:
        given = {name: handler.body[name] for name in FIELDS if name in handler.body}
        if strict and given.keys() - {field}:
            errs(400, '{"error": {"message": "extra fields not permitted"}}')(handler)
        elif field in given:
            choice = re.search(
                r'root ::= "(.*?)"|"enum": \["(.*?)"', json.dumps(given).replace('\\"', '"')
            )
            said = choice[1] or json.dumps({"choice": choice[2]})
            says(said[:3], said[3:])(handler)
        else:
            says("Good morning! How can I help?")(handler)

    return act


@pytest.mark.parametrize(
    "strict", [False, True], ids=["ignoring the others", "refusing the others"]
)
@pytest.mark.parametrize("field", FIELDS)
def test_the_field_that_binds_is_found_once_and_used_from_then_on(field, strict) -> None:
    with serving(obeys(field, strict=strict)) as server:
        llm = client(server.url, form="auto")
        assert llm.dialect == field
        probes = len(server.requests)
        assert probes == FIELDS.index(field) + 1
        for _ in range(2):
            assert (
                "".join(piece for piece in llm.stream(ASKED, YES) if isinstance(piece, str))
                == "yes"
            )
        assert llm.dialect == field
    asked = server.requests[probes:]
    assert len(asked) == 2
    assert all([name for name in FIELDS if name in request] == [field] for request in asked)
    assert all(request["max_tokens"] <= 24 for request in server.requests[:probes])


def test_where_a_schema_binds_the_prompt_describes_the_json() -> None:
    with serving(obeys("response_format")) as server:
        list(client(server.url, form="response_format").stream(ASKED, YES))
    [sent] = server.requests
    assert sent["messages"][0]["content"] == ASKED[0].content
    assert sent["messages"][1]["content"] == f"{ASKED[1].content}\n\n{YES.hint}"
    assert sent["response_format"]["json_schema"]["schema"] == YES.schema


@pytest.mark.parametrize("strict", [False, True])
def test_a_server_that_knows_no_form_is_asked_for_none(strict) -> None:
    with serving(obeys(None, strict=strict)) as server:
        llm = client(server.url, form="auto")
        assert llm.dialect == "none"
        said = [piece for piece in llm.stream(ASKED, YES) if isinstance(piece, str)]
    assert said == ["Good morning! How can I help?"]
    *probes, asked = server.requests
    assert len(probes) == 3
    assert not set(FIELDS) & set(asked)


def test_a_request_without_a_form_needs_no_probe() -> None:
    with serving(says("One. [1]")) as server:
        list(client(server.url, form="auto").stream(ASKED))
    assert len(server.requests) == 1


def test_a_server_that_is_down_is_probed_again_later() -> None:
    with serving(errs(500, "it burns"), obeys("grammar")) as server:
        llm = client(server.url, form="auto")
        with pytest.raises(LLMError, match="answered 500"):
            _ = llm.dialect
        assert llm.dialect == "grammar"


def test_threads_share_one_probe() -> None:
    with serving(obeys("grammar")) as server, ThreadPoolExecutor(4) as threads:
        llm = client(server.url, form="auto")
        assert set(threads.map(lambda _: llm.dialect, range(8))) == {"grammar"}
    assert len(server.requests) == 2


# -- What is no text -------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["structured_outputs", "response_format"])
def test_thinking_is_no_part_of_the_text(form) -> None:
    said = "yes" if form == "structured_outputs" else '{"choice": "yes"}'
    with serving(says("<thi", "nk>Is it? {No.} ", "</think>", "\n\n", said)) as server:
        *pieces, _ = client(server.url, form=form).stream(ASKED, YES)
    assert "".join(pieces) == "yes"


def test_json_that_breaks_off_gives_the_complete_sentences() -> None:
    cut = '{"sentences": [{"text": "One is here.", "marks": [1]}, {"text": "Two is'
    with serving(says(cut[:30], cut[30:], finish="length")) as server:
        pieces = list(
            client(server.url, form="response_format").stream(ASKED, answer_form(2, "Not found."))
        )
    assert pieces == ["One is here. [1]", Ended("length", 7, 3)]


def test_how_far_the_prompt_is_read_comes_before_the_text() -> None:
    def act(handler) -> None:
        handler.open_stream()
        for done in (8, 16):
            progress = {"total": 16, "cache": 0, "processed": done, "time_ms": 5}
            said = {
                "index": 0,
                "delta": {"role": "assistant", "content": None},
                "finish_reason": None,
            }
            handler.event({"choices": [said], "prompt_progress": progress})
        handler.event(
            {"choices": [{"index": 0, "delta": {"content": "yes"}, "finish_reason": None}]}
        )
        handler.event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        handler.line("[DONE]")

    with serving(act) as server:
        items = list(client(server.url, form="grammar").stream(ASKED, YES))
        assert complete(client(server.url, form="grammar"), ASKED, YES, 8).text == "yes"
    assert items == [Reading(8, 16), Reading(16, 16), "yes", Ended("stop")]
    assert server.requests[0]["return_progress"] is True


# -- The first token -------------------------------------------------------------------------------


def test_the_likeliest_first_tokens_are_read_with_their_probabilities() -> None:
    with serving(likely({"yes": -0.1, " no": -2.5})) as server:
        assert client(server.url).first_token(ASKED) == {"yes": -0.1, " no": -2.5}
    [sent] = server.requests
    assert (sent["logprobs"], sent["top_logprobs"], sent["max_tokens"]) == (True, 20, 1)


def test_a_server_without_probabilities_gives_none() -> None:
    with serving(says("yes")) as server:
        assert client(server.url).first_token(ASKED) == {}
