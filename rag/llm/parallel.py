"""Complete answers: of one prompt, of the longest prompt that fits, or of many in parallel."""

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
    """The complete answer of the model to a prompt, and how it ended."""

    text: str
    ended: Ended


def complete_all(
    llm: LLM, prompts: Sequence[Sequence[Message]], form: Form | None, max_tokens: int
) -> Generator[tuple[int, Completion | LLMError], None, None]:
    """Yield the index and the completion (or the error) of each prompt as they arrive.

    `llm.parallel` requests run at a time; a server such as vLLM batches them. Closing the iterator
    starts no more requests, and stops the running ones at their next token. A request to a server
    that sends nothing stops at the read time-out.
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
    """Return the complete answer to a prompt.

    Raises LLMError, also if `closed` is set before the end of the answer.
    """
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
    """Return the answer to the prompt with as many parts, at most `most`, as fit the context.

    `build(n)` returns the prompt with n parts. `longest` is a second limit of the prompt, in
    tokens. Raises LLMError.
    """
    limit = prompt_room(llm.config, max_tokens)
    parts = fit(counter, build, most, min(limit, longest or limit))
    return complete(llm, build(parts), form, max_tokens)


def _tried(
    llm: LLM, prompt: Sequence[Message], form: Form | None, max_tokens: int, closed: Event
) -> Completion | LLMError:
    try:
        return complete(llm, prompt, form, max_tokens, closed)
    except LLMError as error:
        return error
