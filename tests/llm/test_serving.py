"""`rag llm serve` with a fake vLLM that answers /health: start, stop and failures."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from rag.config import load_config
from rag.errors import LLMError
from rag.llm import serving
from tests.llm.fake import SERVED
from tests.llm.served import FLAGS, VARIABLES, VLLM, free_port
from tests.llm.tiny import make_model

pytestmark = pytest.mark.slow

# A server with a child, like vLLM's engine; `--die` fails as vLLM does, `--deaf` ignores a
# request to stop.
STAND_IN = f"""#!{sys.executable}
import signal, subprocess, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer

class Healthy(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

print("INFO 11-21 15:50:40 [x.py:1] loading", flush=True)
if "--die" in sys.argv:
    print("(EngineCore pid=7) ERROR 11-21 15:50:40 [core.py:9] ValueError: no memory for the cache")
    print("RuntimeError: Engine core initialization failed. See root cause above.")
    sys.exit(1)
if "--deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
port = int(sys.argv[sys.argv.index("--port") + 1])
HTTPServer(("127.0.0.1", port), Healthy).serve_forever()
"""


@pytest.fixture
def program(tmp_path) -> Path:
    """The fake vLLM, as an executable file."""
    path = tmp_path / "vllm"
    path.write_text(STAND_IN)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


class Serving:
    """`rag llm serve` as a process."""

    def __init__(self, folder: Path, program: Path | str, *flags: str, **variables: str) -> None:
        self.port, self.log = free_port(), folder / "served.log"
        own = {
            "RAG_LLM__BASE_URL": f"http://127.0.0.1:{self.port}/v1",
            "RAG_LLM__VLLM_COMMAND": str(program),
        }
        own |= SERVED
        command = [sys.executable, "-m", "rag", "llm", "serve", "--log", str(self.log), *flags]
        self.process = subprocess.Popen(
            command,
            env={**os.environ, **own, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ready(self, seconds: float = 30) -> Serving:
        until(lambda: self._healthy() or self.process.poll() is not None, seconds)
        assert self.process.poll() is None, self.process.communicate()
        return self

    def ended(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err

    def _healthy(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/health", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False


@pytest.fixture
def serve(tmp_path) -> Iterator[Callable[..., Serving]]:
    """Start `rag llm serve` with `serve(program, *flags, variable=value)`; end it with the test."""
    started: list[Serving] = []

    def start(program: Path | str, *flags: str, **variables: str) -> Serving:
        started.append(Serving(tmp_path, program, *flags, **variables))
        return started[-1]

    yield start
    for server in started:
        with server.process:
            server.process.terminate()


def until(holds, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_serves_until_asked_to_stop_and_leaves_no_process(serve, program, how) -> None:
    server = serve(program, "--force").ready()
    processes = psutil.Process(server.process.pid).children(recursive=True)
    assert len(processes) == 2
    server.process.send_signal(how)
    code, out, err = server.ended()
    assert code == 0
    assert out.startswith(
        f"{program} serve Qwen/Qwen3-8B --host 127.0.0.1 --port {server.port} --max-model-len 16384"
    )
    assert err.endswith("stopped\n")
    until(lambda: not any(alive(process) for process in processes), 5)


def test_a_second_signal_does_not_wait(serve, program) -> None:
    server = serve(program, "--force", "--", "--deaf").ready()
    processes = psutil.Process(server.process.pid).children(recursive=True)
    server.process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert server.process.poll() is None
    server.process.send_signal(signal.SIGINT)
    assert server.ended()[0] == 0
    until(lambda: not any(alive(process) for process in processes), 5)


def test_a_killed_server_is_reported(serve, program) -> None:
    server = serve(program, "--force").ready()
    vllm, child = psutil.Process(server.process.pid).children(recursive=True)
    vllm.kill()
    code, _, err = server.ended()
    assert code == 2
    assert "rag: vLLM ended by itself (status -9): " in err
    until(lambda: not alive(child), 5)


def test_a_server_that_fails_at_its_start_reports_why(serve, program) -> None:
    code, _, err = serve(program, "--force", "--", "--die").ended()
    assert code == 2
    assert (
        "vLLM ended by itself (status 1): ValueError: no memory for the cache (full log: "
        in err.splitlines()[-1]
    )


def test_a_missing_program_is_reported_with_the_fix(serve, tmp_path) -> None:
    code, out, err = serve(tmp_path / "none").ended()
    assert (code, out) == (2, "")
    assert err.startswith(
        f"rag: the program {tmp_path}/none (llm.vllm_command) was not found;"
        " create vLLM's environment: "
    )
    assert err.count("\n") == 1


def test_a_taken_port(serve, program) -> None:
    server = serve(program, "--force").ready()
    url = f"http://127.0.0.1:{server.port}/v1"
    code, _, err = serve(program, "--force", RAG_LLM__BASE_URL=url).ended()
    assert code == 2
    assert f"port {server.port} of 127.0.0.1 is not available (Address already in use)" in err
    server.process.send_signal(signal.SIGTERM)
    server.ended()


def test_the_key_is_on_no_command_line(serve, program) -> None:
    server = serve(program, "--force", RAG_LLM__API_KEY="secret").ready()
    [vllm, _] = psutil.Process(server.process.pid).children(recursive=True)
    assert "secret" not in " ".join(vllm.cmdline())
    assert vllm.environ()["VLLM_API_KEY"] == "secret"
    server.process.send_signal(signal.SIGTERM)
    assert "secret" not in "".join(server.ended()[1:])


def config(**changes):
    return load_config("gpu").llm.model_copy(update={"vllm_command": sys.executable, **changes})


def test_the_profile_decides_the_flags() -> None:
    line = serving.command_line(
        config(tensor_parallel=4, quantization="awq", ngram_tokens=4), ["--enforce-eager"]
    )
    assert line[line.index("--tensor-parallel-size") :][:4] == [
        "--tensor-parallel-size",
        "4",
        "--quantization",
        "awq",
    ]
    assert json.loads(line[line.index("--speculative-config") + 1])["method"] == "ngram"
    assert "--enable-prefix-caching" in line
    assert line[-1] == "--enforce-eager"
    assert "--speculative-config" not in serving.command_line(config())


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/v1", "http://gpu.example.org:8000/v1", "http://127.0.0.1:x/v1", ""]
)
def test_only_this_machine_can_be_served_on(url) -> None:
    with pytest.raises(LLMError, match=r"llm\.base_url = "):
        serving.command_line(config(base_url=url))


NVIDIA_SMI = "#!/bin/sh\necho 'NVIDIA L4, 23034, {free}'\necho 'NVIDIA L4, 23034, 22500'\n"


@pytest.mark.parametrize(
    ("free", "changes", "named"),
    [
        (22500, {}, None),
        (8000, {}, r"needs 20 GB per GPU \(llm.gpu_gigabytes\), but NVIDIA L4 has 7.8 of 22.5"),
        (22500, {"tensor_parallel": 4}, "needs 4 GPUs, but there are 2"),
        (None, {}, "no NVIDIA GPU was found .* or add --force"),
    ],
)
def test_the_cards_are_looked_at_first(tmp_path, monkeypatch, free, changes, named) -> None:
    if free is not None:
        (tmp_path / "nvidia-smi").write_text(NVIDIA_SMI.format(free=free))
        (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    if named is None:
        serving.check_cards(config(**changes), serving.cards())
        return
    with pytest.raises(LLMError, match=named):
        serving.check_cards(config(**changes), serving.cards())


@pytest.mark.vllm
@pytest.mark.timeout(300)
def test_a_real_vllm_is_served_and_leaves_no_process(serve, tmp_path) -> None:
    if VLLM is None:
        pytest.skip("needs a vLLM: set PAPERS_VLLM to the path of its command")
    model = make_model(tmp_path / "model")
    own = {"RAG_LLM__MODEL": str(model), "RAG_LLM__CONTEXT": "4096", **VARIABLES}
    guessing = {"RAG_LLM__NGRAM_TOKENS": "3"}
    server = serve(VLLM, "--force", "--", *FLAGS, **own, **guessing).ready(180)
    processes = psutil.Process(server.process.pid).children(recursive=True)
    assert len(processes) > 2
    asked = {"model": str(model), "prompt": "Ratios", "max_tokens": 8}
    reply = httpx.post(f"http://127.0.0.1:{server.port}/v1/completions", json=asked, timeout=60)
    assert reply.json()["usage"]["completion_tokens"] > 0
    server.process.send_signal(signal.SIGINT)
    code, _, err = server.ended()
    assert code == 0, err
    assert f"ready at http://127.0.0.1:{server.port}/v1" in err
    until(lambda: not any(alive(process) for process in processes), 10)


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
