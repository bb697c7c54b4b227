"""An OpenAI-compatible server on a real socket, including its failures."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# Variables that let a server write in the default profile, with the settings of profile gpu.
SERVED = {
    "RAG_ANSWER__SYNTHESIZER": "generated",
    "RAG_LLM__ENGINE": "server",
    "RAG_LLM__MODEL": "Qwen/Qwen3-8B",
    "RAG_LLM__CONTEXT": "16384",
    "RAG_LLM__MAX_TOKENS": "1024",
    "RAG_LLM__PROMPT_TOKENS": "6000",
    "RAG_LLM__FORM": "structured_outputs",
}

Act = Callable[["_Handler"], None]


def says(*pieces: str, finish: str | None = "stop", done: bool = True) -> Act:
    """Streams these pieces and ends with this finish_reason."""

    def act(handler: _Handler) -> None:
        handler.open_stream()
        for piece in pieces:
            handler.event(
                {"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]}
            )
        if finish:
            handler.event({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
            handler.event(
                {
                    "choices": [],
                    "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
                }
            )
        if done:
            handler.line("[DONE]")

    return act


def likely(logprobs: dict[str, float]) -> Act:
    """Streams the likeliest of these tokens, with the log probabilities of all of them."""

    def act(handler: _Handler) -> None:
        tops = [
            {"token": token, "logprob": value, "bytes": None} for token, value in logprobs.items()
        ]
        first = max(tops, key=lambda top: logprobs[str(top["token"])])
        handler.open_stream()
        said = {"index": 0, "delta": {"content": first["token"]}, "finish_reason": None}
        handler.event(
            {"choices": [said | {"logprobs": {"content": [first | {"top_logprobs": tops}]}}]}
        )
        handler.event({"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]})
        handler.line("[DONE]")

    return act


def errs(status: int, body: str, kind: str = "application/json") -> Act:
    """Answers with a status and a body."""

    def act(handler: _Handler) -> None:
        handler.send_response(status)
        handler.send_header("content-type", kind)
        handler.end_headers()
        handler.wfile.write(body.encode())

    return act


def hangs_up(handler: _Handler) -> None:
    """Close the connection without a reply."""
    handler.close_connection = True


def stalls(*pieces: str) -> Act:
    """Stream these pieces, then send nothing more and keep the connection open."""

    def act(handler: _Handler) -> None:
        says(*pieces, finish=None, done=False)(handler)
        handler.server.released.wait(10)

    return act


def breaks_down(*pieces: str) -> Act:
    """Streams these pieces, then the error that vLLM sends when its engine dies."""

    def act(handler: _Handler) -> None:
        says(*pieces, finish=None, done=False)(handler)
        handler.event(
            {"error": {"message": "EngineCore encountered an issue", "type": "InternalServerError"}}
        )

    return act


def talks_on(handler: _Handler) -> None:
    """Stream sentences until the client disconnects; record when that was."""
    handler.open_stream()
    try:
        while True:
            handler.event(
                {
                    "choices": [
                        {"index": 0, "delta": {"content": "On and on. [1] "}, "finish_reason": None}
                    ]
                }
            )
            time.sleep(0.01)
    except OSError:
        handler.server.left.set()


class FakeServer(ThreadingHTTPServer):
    """A server that plays one act per request and repeats the last; `requests` holds the bodies.

    `tokens` is the count that it reports for every prompt, as vLLM does at /tokenize; None
    where it does not count.
    """

    daemon_threads = True

    def __init__(self, *acts: Act) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.acts, self.requests = list(acts), list[dict[str, Any]]()
        self.tokens: int | None = None
        self.left, self.released = threading.Event(), threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that disconnects: that is no error of the server."""


class _Handler(BaseHTTPRequestHandler):
    server: FakeServer
    body: dict[str, Any]

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            return errs(200, json.dumps({"data": [{"id": "fake"}]}))(self)
        return errs(404, "{}")(self)

    def do_POST(self) -> None:
        self.body = body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/tokenize" and self.server.tokens is not None:
            return errs(200, json.dumps({"count": self.server.tokens}))(self)
        if self.path != "/v1/chat/completions":
            return errs(404, "{}")(self)
        self.server.requests.append(body)
        acts = self.server.acts
        return (acts.pop(0) if len(acts) > 1 else acts[0])(self)

    def open_stream(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()

    def event(self, data: dict[str, Any]) -> None:
        self.line(
            json.dumps(
                {
                    "id": "x",
                    "object": "chat.completion.chunk",
                    "created": 0,
                    "model": "fake",
                    **data,
                }
            )
        )

    def line(self, text: str) -> None:
        self.wfile.write(f"data: {text}\n\n".encode())
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@contextmanager
def serving(*acts: Act) -> Iterator[FakeServer]:
    """A server on a free port that plays these acts."""
    server = FakeServer(*acts)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
