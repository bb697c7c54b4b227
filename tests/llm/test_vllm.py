"""A real vLLM on a CPU, serving a model of random weights: what must hold for any words.

RAG_TEST_VLLM is the path of a `vllm` command; without it these tests skip.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from rag.config import LLMConfig, load_config
from rag.errors import LLMError
from rag.llm import LLM, Drafts, Ended, Message, answer_grammar, open_counter
from tests.llm.tiny import make_model

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(600)]

VLLM = os.environ.get("RAG_TEST_VLLM")  # read before the fence takes such variables away
PASSAGES = 5
REFUSAL = "The papers don’t tell."
START_SECONDS = 180


@dataclass
class Server:
    """A vLLM in a process group of its own, on a free port."""

    model: Path
    port: int
    process: subprocess.Popen[bytes] = field(init=False)

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        own = {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
        flags = ["--gpu-memory-utilization", "0.3", "--enforce-eager", "--max-model-len", "4096"]
        command = [VLLM, "serve", self.model, "--served-model-name", "tiny", "--port", str(self.port), *flags]
        with (self.model / "vllm.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, env={**os.environ, **own}, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._healthy():
            assert self.process.poll() is None, (self.model / "vllm.log").read_text()[-2000:]
            assert time.monotonic() < deadline, "vLLM did not become healthy in time"
            time.sleep(0.5)

    def stop(self) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.process.wait(20)

    def running(self) -> float:
        """Requests that the engine is working on, by its own metrics."""
        found = re.search(r"^vllm:num_requests_running\{.*\} (\S+)$", httpx.get(f"{self.root}/metrics").text, re.M)
        assert found
        return float(found[1])

    def config(self, **changes: object) -> LLMConfig:
        own = {
            "base_url": f"{self.root}/v1",
            "model": "tiny",
            "tokenizer": str(self.model),
            "context": 4096,
            "max_tokens": 60,
            "temperature": 1.0,
            "read_seconds": 5.0,
        }
        return load_config().llm.model_copy(update={**own, **changes})

    def _healthy(self) -> bool:
        try:
            return httpx.get(f"{self.root}/health", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    if VLLM is None:
        pytest.skip("needs a vLLM: set RAG_TEST_VLLM to the path of its command")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    one = Server(make_model(tmp_path_factory.mktemp("served")), port)
    try:
        one.start()
        yield one
    finally:
        one.stop()


def asked(number: int) -> list[Message]:
    return [Message("system", "Answer."), Message("user", f"Question {number}: what of ratios? " + "Words. " * number)]


def test_200_answers_hold_valid_marks_only_and_never_half_a_mark(server) -> None:
    grammar = answer_grammar(PASSAGES, REFUSAL)
    said = 0
    for seed in range(200):
        drafts, shown = Drafts(PASSAGES), []
        for piece in LLM(server.config(seed=seed)).stream(asked(seed % 7), grammar):
            if isinstance(piece, str):
                shown += list(drafts.feed(piece))
        shown += list(drafts.end())
        said += len(shown)
        assert drafts.dropped == 0
        for one in shown:
            assert one.passages
            assert set(one.passages) <= set(range(1, PASSAGES + 1))
            assert not set("[]\n") & set(one.text)
    assert said > 100


def test_the_prompt_is_counted_as_the_server_counts_it(server) -> None:
    config = server.config(max_tokens=16)
    counter, by_server = open_counter(config), open_counter(config.model_copy(update={"tokenizer": "/nowhere"}))
    for number in range(50):
        *_, end = LLM(config).stream(asked(3 * number))
        assert isinstance(end, Ended)
        assert counter.count(asked(3 * number)) == by_server.count(asked(3 * number)) == end.prompt_tokens


def test_closing_the_stream_frees_the_server_within_a_second(server) -> None:
    stream = LLM(server.config(max_tokens=3000)).stream(asked(1))
    next(stream)
    assert server.running() == 1
    stream.close()
    deadline = time.monotonic() + 1
    while server.running():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_wrong_name_and_a_prompt_too_long(server) -> None:
    with pytest.raises(LLMError, match="serves no model 'other'"):
        list(LLM(server.config(model="other")).stream(asked(1)))
    with pytest.raises(LLMError, match="lower llm.context"):
        list(LLM(server.config()).stream([Message("user", "word " * 9000)]))


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGTERM, signal.SIGKILL])
def test_a_server_that_goes_away_is_one_clear_error_and_comes_back(server, how) -> None:
    stream = LLM(server.config(max_tokens=3000, read_seconds=3.0)).stream(asked(2))
    next(stream)
    started = time.monotonic()
    os.killpg(server.process.pid, how)
    with pytest.raises(LLMError) as error:
        list(stream)
    assert time.monotonic() - started < 3.0 + 2
    assert "\n" not in str(error.value)
    server.stop()
    server.start()
    assert isinstance(list(LLM(server.config()).stream(asked(2)))[-1], Ended)
