"""Whole completions: one, the longest prompt that fits, or many at once; a server such as vLLM batches those."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass
from threading import Event

from rag.errors import LLMError
from rag.llm.budget import Counter, fit, prompt_room
from rag.llm.client import LLM, Ended, Message
from rag.llm.forms import Form


@dataclass(frozen=True, slots=True)
class Completion:
    """All that the model wrote to one prompt, and how it ended."""

    text: str
    ended: Ended


def complete_all(
    llm: LLM, prompts: Sequence[Sequence[Message]], form: Form | None, max_tokens: int
) -> Generator[tuple[int, Completion | LLMError], None, None]:
    """Each prompt's number and completion, or why there is none, as they come; `llm.parallel` of them at a time.

    Closing the iterator starts no further request and ends those under way at their next token; one that waits for a
    silent server ends with its read time-out.
    """
    closed = Event()
    pool = ThreadPoolExecutor(llm.config.parallel, thread_name_prefix="llm")
    try:
        tasks = {
            pool.submit(_tried, llm, prompt, form, max_tokens, closed): number
            for number, prompt in enumerate(prompts)
        }
        for task in as_completed(tasks):
            yield tasks[task], task.result()
    finally:
        closed.set()
        pool.shutdown(wait=False, cancel_futures=True)


def complete(
    llm: LLM,
    prompt: Sequence[Message],
    form: Form | None,
    max_tokens: int,
    closed: Event | None = None,
) -> Completion:
    """All that the model writes to a prompt. Raises LLMError; also where `closed` is set before the end."""
    text = ""
    with closing(llm.stream(prompt, form, max_tokens)) as stream:
        for piece in stream:
            if isinstance(piece, Ended):
                return Completion(text, piece)
            if closed and closed.is_set():
                break
            if isinstance(piece, str):
                text += piece
    raise LLMError("the request was stopped")


def complete_fitting(
    llm: LLM,
    counter: Counter,
    build: Callable[[int], Sequence[Message]],
    most: int,
    form: Form,
    max_tokens: int,
    longest: int | None = None,
) -> Completion:
    """What the model writes to the prompt that `build` makes of as many parts, up to `most`, as fit its context.

    `longest` is another limit of the prompt, in tokens. Raises LLMError.
    """
    room = prompt_room(llm.config, max_tokens)
    return complete(
        llm, build(fit(counter, build, most, min(room, longest or room))), form, max_tokens
    )


def _tried(
    llm: LLM, prompt: Sequence[Message], form: Form | None, max_tokens: int, closed: Event
) -> Completion | LLMError:
    try:
        return complete(llm, prompt, form, max_tokens, closed)
    except LLMError as error:
        return error
