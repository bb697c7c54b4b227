"""Measure the time that our pipeline adds to a bare client, and the hits of the prefix cache.

    python -m evals.overhead --profile gpu      # start the vLLM server of the profile first
    python -m evals.overhead --profile local    # llama.cpp, which it starts itself

Both sides take turns and send the same prompt, with the same papers and the same output grammar.
Temperature 0 makes the answers equal. Our pipeline also counts tokens, streams, splits the text
into sentences and checks each sentence. With llama.cpp the time is that of the request which
writes the answer: whether the papers answer is asked in a request of its own.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from rag import Assistant
from rag.answer.generated.synthesis import Generated
from rag.config import LLMConfig
from rag.llm import LLM, Ended, Form, Message, Reading
from rag.llm.endpoint import Endpoint
from rag.records import SourcesFound, Written
from rag.resources import shipped

QUESTION = "which papers study density ratios in RL?"
OTHER = "what do these papers say of coverage?"


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds to the first piece of text and to the end, and the server's count of tokens."""

    first: float
    total: float
    tokens: int | None


class TimedLLM(LLM):
    """A client that records the last request and the time of its first piece of text."""

    def __init__(self, config: LLMConfig, endpoint: Endpoint) -> None:
        super().__init__(config, endpoint)
        self.sent: Sequence[Message] = ()
        self.form: Form | None = None
        self.tokens = config.max_tokens
        self.started = self.first = 0.0

    def stream(
        self, messages: Sequence[Message], form: Form | None = None, max_tokens: int | None = None
    ) -> Generator[str | Reading | Ended, None, None]:
        """Stream as the client does, and record the request."""
        self.sent, self.form, self.first = messages, form, 0.0
        self.started = time.perf_counter()
        self.tokens = max_tokens or self.config.max_tokens
        for piece in super().stream(messages, form, max_tokens):
            if isinstance(piece, str):
                self.first = self.first or time.perf_counter()
            yield piece


def time_pipeline(assistant: Assistant, llm: TimedLLM) -> Timing:
    """Ask the assistant, and measure the time after the search, or of llama.cpp's last request."""
    started, tokens = 0.0, None
    for event in assistant.ask_stream(QUESTION):
        if isinstance(event, SourcesFound):
            started = time.perf_counter()
        elif isinstance(event, Written):
            tokens = event.completion_tokens
    if llm.config.engine == "llama.cpp":
        started = llm.started
    return Timing(llm.first - started, time.perf_counter() - started, tokens)


def time_bare_client(client: Any, llm: TimedLLM) -> Timing:
    """Send the last request again with the openai package alone, and measure the time."""
    started, first, tokens = time.perf_counter(), 0.0, None
    for chunk in client.chat.completions.create(
        **request(llm), stream=True, stream_options={"include_usage": True}
    ):
        if chunk.choices and chunk.choices[0].delta.content:
            first = first or time.perf_counter()
        tokens = chunk.usage.completion_tokens if chunk.usage else tokens
    return Timing(first - started, time.perf_counter() - started, tokens)


def request(llm: TimedLLM) -> dict[str, Any]:
    """Return the last request as arguments of the OpenAI API."""
    extra: dict[str, Any] = {}
    if llm.form:
        grammar = {"grammar": llm.form.grammar}
        extra = grammar if llm.dialect == "grammar" else {"structured_outputs": grammar}
    if llm.config.template_options:
        extra["chat_template_kwargs"] = llm.config.template_options
    return {
        "model": llm.config.model,
        "messages": [{"role": message.role, "content": message.content} for message in llm.sent],
        "max_tokens": llm.tokens,
        "temperature": llm.config.temperature,
        "seed": llm.config.seed,
        "extra_body": extra,
    }


def count_cached_tokens(client: Any, llm: TimedLLM) -> tuple[int, int]:
    """Send the same passages with another question.

    Returns the number of prompt tokens, and how many of them came from the prefix cache.
    """
    arguments = request(llm)
    last = arguments["messages"][-1]
    last["content"] = last["content"].replace(QUESTION, OTHER)
    usage = client.chat.completions.create(**arguments | {"max_tokens": 1, "extra_body": {}}).usage
    details = usage.prompt_tokens_details
    if details is None or details.cached_tokens is None:
        sys.exit(
            "the server does not report cached tokens; start it with --enable-prompt-tokens-details"
        )
    return usage.prompt_tokens, details.cached_tokens


def main() -> None:
    """Measure both sides, and print medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profile", default="gpu")
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    import openai

    with (
        tempfile.TemporaryDirectory() as home,
        Assistant.open(home=home, profile=options.profile) as assistant,
    ):
        assistant.ingest([shipped("sample.jsonl")])
        form = "grammar" if assistant.config.llm.engine == "llama.cpp" else "structured_outputs"
        config = assistant.config.llm.model_copy(update={"temperature": 0.0, "form": form})
        assert isinstance(assistant.synthesizer, Generated), "the profile has no language model"
        llm = TimedLLM(config, assistant.synthesizer.llm.endpoint)
        # `synthesizer` is a cached property: the entry in __dict__ replaces its value.
        assistant.__dict__["synthesizer"] = replace(assistant.synthesizer, llm=llm)
        with llm.endpoint.open() as url:
            client = openai.OpenAI(base_url=url, api_key=llm.endpoint.key or "none", max_retries=0)
            # Warm-up: imports, and the server's first request.
            time_pipeline(assistant, llm)
            time_bare_client(client, llm)
            pairs = [
                (time_pipeline(assistant, llm), time_bare_client(client, llm))
                for _ in range(options.rounds)
            ]
            _report(pairs)
            prompt, cached = count_cached_tokens(client, llm)
    print(  # noqa: T201
        f"prefix cache: {cached} of {prompt} prompt tokens of a second question, same passages"
    )


def _report(pairs: Sequence[tuple[Timing, Timing]]) -> None:
    ours, theirs = zip(*pairs, strict=True)
    for name, timings in (("ours", ours), ("bare client", theirs)):
        first = 1000 * median(timing.first for timing in timings)
        total = 1000 * median(timing.total for timing in timings)
        tokens = median(timing.tokens or 0 for timing in timings)
        print(  # noqa: T201
            f"{name}: first {first:.0f} ms, all {total:.0f} ms, {tokens:.0f} tokens "
            f"(median of {len(pairs)})"
        )
    first, total = (
        1000 * median(getattr(a, name) - getattr(b, name) for a, b in pairs)
        for name in ("first", "total")
    )
    share = median(a.total / b.total - 1 for a, b in pairs)
    print(  # noqa: T201
        f"difference, median of pairs: first {first:+.1f} ms, all {total:+.1f} ms ({share:+.1%})"
    )


if __name__ == "__main__":
    main()
