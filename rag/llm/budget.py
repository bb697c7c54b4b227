"""How many tokens a prompt has, and which passages fit. The door to the served model's own tokenizer.

Counts are exact with the model's tokenizer and chat template, and by the server's /tokenize; else tiktoken estimates,
and `Counter.exact` says so.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import httpx

from rag import tokens
from rag.config import LLMConfig
from rag.errors import LLMError
from rag.llm.client import Message
from rag.models import hub

log = logging.getLogger(__name__)

_SECONDS = 5.0  # counting takes milliseconds; a server that does not count by then hangs
_ROOM = 16  # tokens that no count foresees, such as those of a server's own template
_HUB_NAME = re.compile(r"[\w.-]+(?:/[\w.-]+)?")
_MARGIN = 1.3  # on the safe side, for models whose tokenizer is not known


class Counter(Protocol):
    """Counts the tokens of a whole prompt, chat template included."""

    @property
    def exact(self) -> bool:
        """Whether the server counts the same."""
        ...

    def count(self, messages: Sequence[Message]) -> int:
        """The tokens that the server reads before the first one of the answer."""
        ...


class _Tokenizer:
    exact = True

    def __init__(self, config: LLMConfig, *, fetch: bool = False) -> None:
        # Without torch, transformers says so on standard error at its import.
        os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
        from transformers import AutoTokenizer

        self._tokenizer: Any = AutoTokenizer.from_pretrained(
            config.tokenizer or config.model, local_files_only=not fetch
        )
        self._options = dict(config.template_options)
        if not self._tokenizer.chat_template:
            raise ValueError("it has no chat template")

    def count(self, messages: Sequence[Message]) -> int:
        from jinja2 import TemplateError

        rows = [{"role": one.role, "content": one.content} for one in messages]
        try:
            text = self._tokenizer.apply_chat_template(
                rows, tokenize=False, add_generation_prompt=True, **self._options
            )
        except TemplateError as error:
            raise LLMError(f"the model's chat template does not take the prompt: {error}") from None
        return len(self._tokenizer.encode(text, add_special_tokens=False))


class _Server:
    exact = True

    def __init__(self, config: LLMConfig) -> None:
        self._config = config
        self._url = f"{config.base_url.rstrip('/').removesuffix('/v1')}/tokenize"
        self._ask([Message("user", "a")])

    def count(self, messages: Sequence[Message]) -> int:
        try:
            return self._ask(messages)
        except (ValueError, KeyError, TypeError, httpx.HTTPError) as error:
            said = f"{self._url} does not count the prompt any more ({error}); see that the server is up"
            raise LLMError(said) from None

    def _ask(self, messages: Sequence[Message]) -> int:
        body = {
            "model": self._config.model,
            "messages": [{"role": one.role, "content": one.content} for one in messages],
            "chat_template_kwargs": dict(self._config.template_options),
        }
        headers = {"Authorization": f"Bearer {self._config.api_key}"} if self._config.api_key else {}
        reply = httpx.post(self._url, json=body, headers=headers, timeout=_SECONDS)
        return int(reply.raise_for_status().json()["count"])


class _Estimate:
    exact = False

    def count(self, messages: Sequence[Message]) -> int:
        return int(_MARGIN * sum(tokens.count(one.content) + 8 for one in messages)) + 8


class Counters:
    """The best counter at hand for a model; an estimate gives way as soon as the server can be asked.

    What is here comes first, then the server, and only then the hub, once.
    """

    def __init__(self, config: LLMConfig) -> None:
        self._config = config
        self._exact = self._try(_Tokenizer)
        self._fetched = False

    def best(self) -> Counter:
        """The counter for the next prompt."""
        self._exact = self._exact or self._try(_Server) or self._fetch()
        return self._exact or _Estimate()

    def _fetch(self) -> Counter | None:
        name = self._config.tokenizer or self._config.model
        if self._fetched or not _HUB_NAME.fullmatch(name):
            return None
        self._fetched = True
        return self._try(partial(_Tokenizer, fetch=True)) if hub.reachable() else None

    def _try(self, kind: Callable[[LLMConfig], Counter]) -> Counter | None:
        try:
            return kind(self._config)
        except (OSError, ValueError, KeyError, TypeError, httpx.HTTPError) as error:
            log.info("no exact count of %s's tokens: %s", self._config.model, error)
            return None


def prompt_room(config: LLMConfig, max_tokens: int) -> int:
    """How many tokens a prompt may have where the model may answer with so many."""
    return config.context - max_tokens - _ROOM


def fit(counter: Counter, build: Callable[[int], Sequence[Message]], most: int, budget: int) -> int:
    """The most parts, up to `most`, with which the prompt that `build` makes has at most `budget` tokens.

    Raises LLMError where not even one part fits.
    """
    if counter.count(build(most)) <= budget:
        return most
    fits, over = 0, most
    while over - fits > 1:
        middle = (fits + over) // 2
        fits, over = (middle, over) if counter.count(build(middle)) <= budget else (fits, middle)
    if not fits:
        raise LLMError(f"not one sentence fits the {budget} tokens left for the prompt; raise llm.context")
    return fits
