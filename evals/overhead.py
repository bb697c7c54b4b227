"""What our pipeline adds to a bare client on the same prompt, and whether a second ask hits the server's prefix cache.

    python -m evals.overhead --profile gpu      # against the vLLM of the profile, which must be up

Both sides read the same papers and send the same prompt with the same form, in turns; temperature 0 makes the
answers equal. Ours counts tokens, streams, cuts sentences and checks each of them.
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
class Lap:
    """Seconds to the first piece of text and to the end, and the tokens that the server counted."""

    first: float
    total: float
    tokens: int | None


class Timed(LLM):
    """Notes what it sends and when the first piece comes."""

    def __init__(self, config: LLMConfig, endpoint: Endpoint) -> None:
        super().__init__(config, endpoint)
        self.sent: Sequence[Message] = ()
        self.form: Form | None = None
        self.tokens = config.max_tokens
        self.first = 0.0

    def stream(
        self, messages: Sequence[Message], form: Form | None = None, max_tokens: int | None = None
    ) -> Generator[str | Reading | Ended, None, None]:
        """Stream as the client does."""
        self.sent, self.form, self.first = messages, form, 0.0
        self.tokens = max_tokens or self.config.max_tokens
        for piece in super().stream(messages, form, max_tokens):
            if isinstance(piece, str):
                self.first = self.first or time.perf_counter()
            yield piece


def ours(assistant: Assistant, llm: Timed) -> Lap:
    """An ask, timed from the moment that its papers are found."""
    started, tokens = 0.0, None
    for event in assistant.ask_stream(QUESTION):
        if isinstance(event, SourcesFound):
            started = time.perf_counter()
        elif isinstance(event, Written):
            tokens = event.completion_tokens
    return Lap(llm.first - started, time.perf_counter() - started, tokens)


def bare(client: Any, llm: Timed) -> Lap:
    """The same request by the openai package and nothing else."""
    started, first, tokens = time.perf_counter(), 0.0, None
    for chunk in client.chat.completions.create(
        **request(llm), stream=True, stream_options={"include_usage": True}
    ):
        if chunk.choices and chunk.choices[0].delta.content:
            first = first or time.perf_counter()
        tokens = chunk.usage.completion_tokens if chunk.usage else tokens
    return Lap(first - started, time.perf_counter() - started, tokens)


def request(llm: Timed) -> dict[str, Any]:
    """The last prompt as the API wants it."""
    extra: dict[str, Any] = (
        {"structured_outputs": {"grammar": llm.form.grammar}} if llm.form else {}
    )
    if llm.config.template_options:
        extra["chat_template_kwargs"] = llm.config.template_options
    return {
        "model": llm.config.model,
        "messages": [{"role": one.role, "content": one.content} for one in llm.sent],
        "max_tokens": llm.tokens,
        "temperature": llm.config.temperature,
        "seed": llm.config.seed,
        "extra_body": extra,
    }


def cached(client: Any, llm: Timed) -> tuple[int, int]:
    """Tokens of a prompt with the same passages and another question, and how many came from the prefix cache."""
    asked = request(llm)
    asked["messages"][-1]["content"] = asked["messages"][-1]["content"].replace(QUESTION, OTHER)
    usage = client.chat.completions.create(**asked | {"max_tokens": 1, "extra_body": {}}).usage
    details = usage.prompt_tokens_details
    if details is None or details.cached_tokens is None:
        sys.exit("the server tells no cached tokens; start it with --enable-prompt-tokens-details")
    return usage.prompt_tokens, details.cached_tokens


def main() -> None:
    """Measure and print medians."""
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
        config = assistant.config.llm.model_copy(
            update={"temperature": 0.0, "form": "structured_outputs"}
        )
        assert isinstance(assistant.synthesizer, Generated), "the profile has no language model"
        llm = Timed(config, assistant.synthesizer.llm.endpoint)
        assistant.__dict__["synthesizer"] = replace(assistant.synthesizer, llm=llm)
        with llm.endpoint.open() as url:
            client = openai.OpenAI(base_url=url, api_key=llm.endpoint.key or "none", max_retries=0)
            ours(assistant, llm)  # imports, and the server's own first time
            bare(client, llm)
            laps = [(ours(assistant, llm), bare(client, llm)) for _ in range(options.rounds)]
            prompt, hit = cached(client, llm)
    _report(laps)
    print(f"prefix cache: {hit} of {prompt} prompt tokens of a second ask on the same passages")  # noqa: T201


def _report(laps: Sequence[tuple[Lap, Lap]]) -> None:
    mine, theirs = zip(*laps, strict=True)
    first, total = (
        1000 * median(getattr(a, name) - getattr(b, name) for a, b in laps)
        for name in ("first", "total")
    )
    share = median(a.total / b.total - 1 for a, b in laps)
    for name, one in (("ours", mine), ("bare client", theirs)):
        opened, whole = (
            1000 * median(laps) for laps in ([lap.first for lap in one], [lap.total for lap in one])
        )
        shown = f"first {opened:.0f} ms, all {whole:.0f} ms"
        print(  # noqa: T201
            f"{name}: {shown}, {median(lap.tokens or 0 for lap in one):.0f} tokens (median of {len(laps)})"
        )
    print(f"difference, median of pairs: first {first:+.1f} ms, all {total:+.1f} ms ({share:+.1%})")  # noqa: T201


if __name__ == "__main__":
    main()
