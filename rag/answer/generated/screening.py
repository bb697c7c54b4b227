"""Screening: ask the language model of each candidate paper whether it answers the question.

This is the map step of a map-reduce over papers; the answer is then written from the included ones.
Several requests run at the same time.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from rag.answer.generated.context import Excerpt
from rag.errors import LLMError
from rag.llm import LLM, Completion, Counter, Message, complete_all, fit, prompt_room, verdict_form
from rag.prompts import fill
from rag.records import Excluded, Notice, Said, Stage

log = logging.getLogger(__name__)

_VERDICT_TOKENS = 256
_FAILURES = 3  # requests that fail in a row before the server counts as unreachable
_NAMED = 3  # titles in a notice
_LONGEST = 300  # characters of a reason


@dataclass(frozen=True, slots=True)
class Screened:
    """The included candidates by number, and the server's counts of prompt and reply tokens."""

    included: tuple[int, ...]
    tokens: tuple[int | None, int | None]


@dataclass(frozen=True, slots=True)
class _Verdict:
    include: bool
    reason: str


def screen(
    question: str, candidates: Sequence[Excerpt], llm: LLM, counter: Counter
) -> Generator[Said, None, Screened]:
    """Screen candidates one by one, each a paper with all its sentences.

    Yields the estimated cost, the progress, and each exclusion with its reason; returns the
    included candidates. A candidate whose request fails, or whose verdict is not clear, is
    included, with a notice. Raises LLMError if several requests fail in a row.
    """
    budget = prompt_room(llm.config, _VERDICT_TOKENS)
    fits = [
        fit(counter, partial(_prompt, question, paper), len(paper.rows), budget)
        for paper in candidates
    ]
    prompts = [_prompt(question, paper, most) for paper, most in zip(candidates, fits, strict=True)]
    cost = sum(map(counter.count, prompts))
    yield Stage(f"{_papers(len(prompts))} will be screened, about {round(cost, -2):,} tokens")
    completions = yield from _completed(llm, prompts)
    verdicts = [
        _verdict(completions[number], candidates[number]) for number in range(len(candidates))
    ]
    pairs = list(zip(candidates, verdicts, strict=True))
    excluded = [
        Excluded(paper.hit.paper.id, paper.hit.paper.title, verdict.reason)
        for paper, verdict in pairs
        if verdict and not verdict.include
    ]
    yield Notice(
        f"The language model screened {_papers(len(pairs))} and excluded {len(excluded)} of them."
    )
    yield from excluded
    if cut := sum(most < len(paper.rows) for paper, most in zip(candidates, fits, strict=True)):
        yield Notice(
            f"Of {_papers(cut)}, only the first sentences were screened, to fit the model's"
            " context (llm.context)."
        )
    yield from _unclear([paper for paper, verdict in pairs if verdict is None])
    ends = [reply.ended for reply in completions.values() if isinstance(reply, Completion)]
    included = tuple(
        number for number, verdict in enumerate(verdicts) if verdict is None or verdict.include
    )
    tokens = (
        _sum([end.prompt_tokens for end in ends]),
        _sum([end.completion_tokens for end in ends]),
    )
    return Screened(included, tokens)


def _completed(
    llm: LLM, prompts: Sequence[Sequence[Message]]
) -> Generator[Said, None, dict[int, Completion | LLMError]]:
    """Yield the progress; return the completions by the number of their prompt.

    Raises LLMError if several requests fail in a row.
    """
    completions: dict[int, Completion | LLMError] = {}
    failed = 0
    # Closing ends the requests under way, also when the reader stops the answer.
    with closing(complete_all(llm, prompts, verdict_form(), _VERDICT_TOKENS)) as coming:
        for number, completion in coming:
            completions[number] = completion
            failed = failed + 1 if isinstance(completion, LLMError) else 0
            if isinstance(completion, LLMError) and failed == _FAILURES:
                raise completion
            yield Stage(f"screened {len(completions)} of {len(prompts)}")
    return completions


def _prompt(question: str, paper: Excerpt, sentences: int) -> list[Message]:
    """Build the prompt for one paper, cut to its first `sentences` sentences.

    The question comes before the paper, so that all prompts share a prefix in the server's cache.
    """
    text = f"{' '.join(paper.hit.paper.title.split())}\n{paper.first(sentences).text}"
    return [Message("user", fill("screen", question=question, paper=text))]


def _verdict(completion: Completion | LLMError, paper: Excerpt) -> _Verdict | None:
    """Return the model's verdict on a paper; log and return None if there is no clear one."""
    reply = completion if isinstance(completion, LLMError) else completion.text
    verdict = None if isinstance(completion, LLMError) else _read(completion.text)
    if verdict is None:
        log.warning("no verdict on %r: %s", paper.hit.paper.title, reply)
    return verdict


def _read(text: str) -> _Verdict | None:
    """Read the verdict's JSON object; a server without a grammar may write text around it."""
    try:
        row = json.loads(text[text.find("{") : text.rfind("}") + 1])
    except (ValueError, RecursionError):
        return None
    match row:
        case {"include": bool(include), "reason": str(reason)}:
            # JSON escapes may hold characters that can't be printed or encoded.
            shown = "".join(
                character for character in " ".join(reason.split()) if character.isprintable()
            )
            return _Verdict(include, shown[:_LONGEST])
    return None


def _unclear(unclear: Sequence[Excerpt]) -> Iterator[Notice]:
    if not unclear:
        return
    named = ", ".join(f"“{paper.hit.paper.title}”" for paper in unclear[:_NAMED])
    more = f" and {len(unclear) - _NAMED} more" if len(unclear) > _NAMED else ""
    verb = "is" if len(unclear) == 1 else "are"
    yield Notice(
        f"{named}{more} {verb} included, because the request failed or the model gave no clear"
        " verdict."
    )


def _papers(number: int) -> str:
    return "1 paper" if number == 1 else f"{number} papers"


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
