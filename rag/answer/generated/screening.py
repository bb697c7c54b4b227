"""Screening: the language model says of each candidate by itself whether it answers, many side by side.

The map of a map-reduce over papers: the answer is then written from those included.
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
_GONE = 3  # requests that fail one after the other; the server is not there any more
_NAMED = 3
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Screened:
    """The numbers of the candidates that count as answering, and the server's counts of tokens."""

    included: tuple[int, ...]
    tokens: tuple[int | None, int | None]


@dataclass(frozen=True, slots=True)
class _Verdict:
    include: bool
    reason: str


def screen(
    question: str, candidates: Sequence[Excerpt], llm: LLM, counter: Counter
) -> Generator[Said, None, Screened]:
    """Ask of each candidate, a paper with all its sentences, whether it answers.

    The cost is said before, then how far it is, then each excluded one with its reason. A candidate whose request
    fails, or without a clear verdict, is included, with a notice. Raises LLMError where requests fail one after the
    other.
    """
    room = prompt_room(llm.config, _VERDICT_TOKENS)
    fits = [
        fit(counter, partial(_prompt, question, one), len(one.rows), room) for one in candidates
    ]
    prompts = [
        _prompt(question, source, most) for source, most in zip(candidates, fits, strict=True)
    ]
    cost = sum(map(counter.count, prompts))
    yield Stage(f"{_papers(len(prompts))} will be screened, about {round(cost, -2):,} tokens")
    completions = yield from _completed(llm, prompts)
    verdicts = [
        _verdict(completions[number], candidates[number]) for number in range(len(candidates))
    ]
    pairs = list(zip(candidates, verdicts, strict=True))
    excluded = [
        Excluded(one.hit.paper.id, one.hit.paper.title, verdict.reason)
        for one, verdict in pairs
        if verdict and not verdict.include
    ]
    yield Notice(
        f"The language model screened {_papers(len(pairs))} and excluded {len(excluded)} of them."
    )
    yield from excluded
    if cut := sum(most < len(source.rows) for source, most in zip(candidates, fits, strict=True)):
        yield Notice(
            f"{_papers(cut)} of them by the first sentences only, which is what fits the model's context."
        )
    yield from _unclear([source for source, verdict in pairs if verdict is None])
    ends = [one.ended for one in completions.values() if isinstance(one, Completion)]
    included = tuple(
        number for number, verdict in enumerate(verdicts) if verdict is None or verdict.include
    )
    tokens = (
        _sum([one.prompt_tokens for one in ends]),
        _sum([one.completion_tokens for one in ends]),
    )
    return Screened(included, tokens)


def _completed(
    llm: LLM, prompts: Sequence[Sequence[Message]]
) -> Generator[Said, None, dict[int, Completion | LLMError]]:
    """The completions by the number of their prompt."""
    completions: dict[int, Completion | LLMError] = {}
    failed = 0
    with closing(complete_all(llm, prompts, verdict_form(), _VERDICT_TOKENS)) as coming:
        for number, completion in coming:
            completions[number] = completion
            failed = failed + 1 if isinstance(completion, LLMError) else 0
            if isinstance(completion, LLMError) and failed == _GONE:
                raise completion
            yield Stage(f"screened {len(completions)} of {len(prompts)}")
    return completions


def _prompt(question: str, source: Excerpt, sentences: int) -> list[Message]:
    """The question comes before the paper, so that all prompts share a beginning."""
    paper = f"{' '.join(source.hit.paper.title.split())}\n{source.first(sentences).text}"
    return [Message("user", fill("screen", question=question, paper=paper))]


def _verdict(completion: Completion | LLMError, source: Excerpt) -> _Verdict | None:
    """What the model said, None where that is not clear."""
    said = completion if isinstance(completion, LLMError) else completion.text
    verdict = None if isinstance(completion, LLMError) else _read(completion.text)
    if verdict is None:
        log.warning("no verdict on %r: %s", source.hit.paper.title, said)
    return verdict


def _read(text: str) -> _Verdict | None:
    """The object in a text, which a server without a grammar may wrap."""
    try:
        row = json.loads(text[text.find("{") : text.rfind("}") + 1])
    except (ValueError, RecursionError):
        return None
    match row:
        case {"include": bool(include), "reason": str(reason)}:
            # Escapes may hold what can't be printed or encoded.
            shown = "".join(one for one in " ".join(reason.split()) if one.isprintable())
            return _Verdict(include, shown[:_LONGEST])
    return None


def _unclear(unclear: Sequence[Excerpt]) -> Iterator[Notice]:
    if not unclear:
        return
    named = ", ".join(f"“{source.hit.paper.title}”" for source in unclear[:_NAMED])
    more = f" and {len(unclear) - _NAMED} more" if len(unclear) > _NAMED else ""
    verb = "counts" if len(unclear) == 1 else "count"
    yield Notice(
        f"{named}{more} {verb} as included, since the request failed or the model gave no clear verdict."
    )


def _papers(number: int) -> str:
    return "1 paper" if number == 1 else f"{number} papers"


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
