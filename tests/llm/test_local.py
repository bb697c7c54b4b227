"""llama.cpp with a real model in a child process: start, form, recovery and clean end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from rag.config import LLMConfig, load_config
from rag.errors import LLMError
from rag.llm import LLM, Counters, Ended, Message
from rag.llm.local import LocalServer

pytestmark = [pytest.mark.llamacpp, pytest.mark.timeout(300)]

ASKED = [Message("system", "Answer in one sentence."), Message("user", "What is a density ratio?")]
FORM = """root ::= sentence (" " sentence)?
sentence ::= word (" " word){2,8} [.!?] " [" [1-9] "]"
word ::= [a-zA-Z]{1,9}
"""
_HOLD = """
import sys, time
from pathlib import Path
from rag.config import load_config
from rag.llm.local import LocalServer

config = load_config("laptop").llm.model_copy(update={"model": "small"})
server = LocalServer(Path(sys.argv[1]), config, log_file=Path(sys.argv[2]))
with server.open():
    print(server._process.pid, flush=True)
    if sys.argv[3] == "wait":
        time.sleep(600)
"""


@pytest.fixture
def config() -> LLMConfig:
    """The laptop's configuration, with answers short enough for a busy machine."""
    changes = {"model": "small", "max_tokens": 24, "read_seconds": 120.0}
    return load_config("laptop").llm.model_copy(update=changes)


@pytest.fixture
def server(llm_file: Path, config: LLMConfig, tmp_path: Path) -> Iterator[LocalServer]:
    made = LocalServer(llm_file, config, log_file=tmp_path / "logs" / "llama.log")
    yield made
    made.close()
    assert psutil.Process().children(recursive=True) == []


def chat(server: LocalServer, messages: list[Message] = ASKED, **body: Any) -> dict[str, Any]:
    rows = [{"role": message.role, "content": message.content} for message in messages]
    sent = {"messages": rows, "temperature": 0, "max_tokens": 60, **body}
    with server.open() as url:
        headers = {"Authorization": f"Bearer {server.key}"}
        return httpx.post(f"{url}/chat/completions", json=sent, headers=headers, timeout=120).json()


def child(server: LocalServer) -> int:
    [process] = psutil.Process().children()
    assert server.state == "ready"
    return process.pid


def gone(pid: int, seconds: float = 20.0) -> bool:
    """Whether the process ends in time."""
    until = time.monotonic() + seconds
    while psutil.pid_exists(pid) and time.monotonic() < until:
        time.sleep(0.05)
    return not psutil.pid_exists(pid)


def eventually(holds: Callable[[], bool], seconds: float = 60.0) -> bool:
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:
        time.sleep(0.05)
    return holds()


def test_the_first_request_starts_it_and_the_form_binds(server: LocalServer) -> None:
    assert server.state == "off"
    said = chat(server, grammar=FORM, max_tokens=200)["choices"][0]
    assert said["finish_reason"] == "stop"
    assert re.fullmatch(r"(([a-zA-Z]+ ?){3,9}[.!?] \[[1-9]\] ?){1,2}", said["message"]["content"])
    assert server.state == "ready"


def test_warming_returns_at_once_and_many_threads_share_one_start(server: LocalServer) -> None:
    started = time.monotonic()
    server.warm()
    assert time.monotonic() - started < 1
    assert eventually(lambda: server.state == "loading", 5)
    with server.open(), server.open():
        child(server)


def test_the_client_streams_and_the_prompt_is_counted_as_the_server_does(
    server: LocalServer, config: LLMConfig
) -> None:
    *pieces, ended = LLM(config, server).stream(ASKED)
    assert "".join(map(str, pieces)).strip()
    counter = Counters(config, server).best()
    assert counter.exact
    assert isinstance(ended, Ended)
    assert ended.prompt_tokens == counter.count(ASKED)


def test_a_second_question_finds_the_fixed_part_of_the_prompt_in_the_cache(
    server: LocalServer,
) -> None:
    passages = "\n".join(
        f"[{number}] Density ratios help in setting {number}." for number in range(1, 20)
    )
    first, second = (
        chat(
            server, [ASKED[0], Message("user", f"{passages}\nQuestion: {question}")], max_tokens=2
        )["usage"]
        for question in ("What helps?", "Where?")
    )
    assert first["prompt_tokens_details"]["cached_tokens"] == 0
    assert second["prompt_tokens_details"]["cached_tokens"] > 0.9 * second["prompt_tokens"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/models", 401),
        ("POST", "/v1/chat/completions", 401),
        ("GET", "/", 404),
        ("GET", "/slots", 401),
    ],
)
def test_without_the_key_nothing_is_answered(
    server: LocalServer, method: str, path: str, status: int
) -> None:
    with server.open() as url:
        reply = httpx.request(method, url.removesuffix("/v1") + path, timeout=30)
    assert reply.status_code == status
    assert reply.headers.get("access-control-allow-origin", "") == ""


def test_a_crash_costs_the_answer_that_was_under_way_and_no_other(
    server: LocalServer, config: LLMConfig
) -> None:
    stream = LLM(config, server).stream(ASKED)
    next(stream)
    os.kill(child(server), signal.SIGKILL)
    with pytest.raises(LLMError, match=r"the next question starts llama\.cpp again; its log is "):
        list(stream)
    assert server.state == "off"
    *_, ended = LLM(config, server).stream(ASKED)
    assert isinstance(ended, Ended)


def test_a_crash_between_two_questions_costs_nothing(
    server: LocalServer, config: LLMConfig
) -> None:
    llm = LLM(config, server)
    list(llm.stream(ASKED))
    os.kill(child(server), signal.SIGKILL)
    *_, ended = llm.stream(ASKED)
    assert isinstance(ended, Ended)


def test_an_idle_model_leaves_memory_and_comes_back(
    llm_file: Path, config: LLMConfig, tmp_path: Path
) -> None:
    hasty = LocalServer(
        llm_file, config.model_copy(update={"keep_minutes": 0.5 / 60}), log_file=tmp_path / "log"
    )
    with hasty.open():
        pid = child(hasty)
        time.sleep(1)
        assert hasty.state == "ready"  # nothing is idle while a request is under way
    assert gone(pid)
    assert hasty.state == "off"
    with hasty.open():
        assert child(hasty) != pid
    hasty.close()


def test_nothing_is_started_after_the_end(server: LocalServer) -> None:
    with server.open():
        pid = child(server)
    server.close()
    assert gone(pid, 1)
    with pytest.raises(LLMError, match="was closed"), server.open():
        pass


@pytest.mark.parametrize("content", [None, b"GGUF" + bytes(1000)], ids=["missing", "damaged"])
def test_a_file_that_is_no_model_is_named_with_the_reason(
    config: LLMConfig, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "wrong.gguf"
    if content:
        path.write_bytes(content)
    wrong = LocalServer(path, config, log_file=tmp_path / "log")
    with pytest.raises(LLMError, match=r"can't serve .*wrong\.gguf: gguf_init.*GGUF"), wrong.open():
        pass
    assert wrong.state == "off"
    wrong.close()


@pytest.mark.parametrize("how", ["end", "kill"])
def test_the_end_of_the_parent_is_the_end_of_the_child(
    llm_file: Path, tmp_path: Path, how: str
) -> None:
    """However the parent ends, its end of the pipe closes."""
    line = [
        sys.executable,
        "-c",
        _HOLD,
        str(llm_file),
        str(tmp_path / "log"),
        "wait" if how == "kill" else "end",
    ]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        if how == "kill":
            assert psutil.pid_exists(pid)
            parent.kill()
        parent.wait(60)
    assert gone(pid)
