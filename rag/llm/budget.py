"""Count the tokens of prompts, and fit passages into them; adapter to the model's tokenizer.

Counts are exact with the model's tokenizer and chat template, and with the server's own count
(vLLM, llama.cpp). Otherwise tiktoken gives an estimate, and `Counter.exact` is False.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import httpx

from rag.config import LLMConfig
from rag.errors import LLMError
from rag.llm.client import Message
from rag.llm.endpoint import Endpoint, Remote
from rag.models import hub
from rag.text import tokens

log = logging.getLogger(__name__)

_SECONDS = 5.0  # counting takes milliseconds; a server that needs longer hangs
_RESERVE = 16  # for tokens that no count includes, such as those of a server's own template
_HUB_NAME = re.compile(r"[\w.-]+(?:/[\w.-]+)?")
_MARGIN = 1.3  # safety factor for models whose tokenizer is unknown


class Counter(Protocol):
    """Counts the tokens of a complete prompt, chat template included."""

    @property
    def exact(self) -> bool:
        """Whether the count is the same as the server's."""
        ...

    def count(self, messages: Sequence[Message]) -> int:
        """Return the number of tokens that the server reads before it answers."""
        ...


class _Tokenizer:
    exact = True

    def __init__(self, config: LLMConfig, *, fetch: bool = False) -> None:
        # Without torch, transformers prints a warning to standard error on import.
        os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
        from transformers import AutoTokenizer

        self._tokenizer: Any = AutoTokenizer.from_pretrained(
            config.tokenizer or config.model, local_files_only=not fetch
        )
        self._options = dict(config.template_options)
        if not self._tokenizer.chat_template:
            raise ValueError("the tokenizer has no chat template")

    def count(self, messages: Sequence[Message]) -> int:
        from jinja2 import TemplateError

        rows = [{"role": message.role, "content": message.content} for message in messages]
        try:
            text = self._tokenizer.apply_chat_template(
                rows, tokenize=False, add_generation_prompt=True, **self._options
            )
        except TemplateError as error:
            raise LLMError(f"the model's chat template does not take the prompt: {error}") from None
        return len(self._tokenizer.encode(text, add_special_tokens=False))


class _Server:
    """Counts prompts on the server; a subclass implements the API of one server."""

    exact = True

    def __init__(self, config: LLMConfig, endpoint: Endpoint) -> None:
        self._config, self._endpoint = config, endpoint
        # Fails if the server lacks this API, so that `Counters` tries the next one.
        self._ask([Message("user", "a")])

    def count(self, messages: Sequence[Message]) -> int:
        try:
            return self._ask(messages)
        except (ValueError, KeyError, TypeError, httpx.HTTPError) as error:
            problem = f"the LLM server no longer counts the tokens of prompts ({error})"
            raise LLMError(f"{problem}; {self._endpoint.advice}") from None

    def _ask(self, messages: Sequence[Message]) -> int:
        with self._endpoint.open() as url:
            return self._counted(url.rstrip("/").removesuffix("/v1"), messages)

    def _counted(self, root: str, messages: Sequence[Message]) -> int:
        raise NotImplementedError

    def _chat(self, messages: Sequence[Message]) -> dict[str, Any]:
        return {
            "model": self._config.model,
            "messages": [
                {"role": message.role, "content": message.content} for message in messages
            ],
            "chat_template_kwargs": dict(self._config.template_options),
        }

    def _post(self, url: str, body: dict[str, Any]) -> Any:
        headers = {"Authorization": f"Bearer {self._endpoint.key}"} if self._endpoint.key else {}
        reply = httpx.post(url, json=body, headers=headers, timeout=_SECONDS)
        return reply.raise_for_status().json()


class _VLLM(_Server):
    def _counted(self, root: str, messages: Sequence[Message]) -> int:
        return int(self._post(f"{root}/tokenize", self._chat(messages))["count"])


class _LlamaCpp(_Server):
    def _counted(self, root: str, messages: Sequence[Message]) -> int:
        prompt = str(self._post(f"{root}/apply-template", self._chat(messages))["prompt"])
        body = {"content": prompt, "add_special": True, "parse_special": True}
        return len(self._post(f"{root}/tokenize", body)["tokens"])


class _Estimate:
    exact = False

    def count(self, messages: Sequence[Message]) -> int:
        return int(_MARGIN * sum(tokens.count(message.content) + 8 for message in messages)) + 8


class Counters:
    """Selects the most exact counter that is available for a model.

    Local files come first, then the server, then the model hub, which is tried only once. An
    estimate is used only until one of them is available.
    """

    def __init__(self, config: LLMConfig, endpoint: Endpoint | None = None) -> None:
        self._config = config
        self._endpoint = endpoint or Remote(config.base_url, config.api_key)
        # A GGUF file contains its own tokenizer, which only llama.cpp's server can apply.
        self._gguf = config.engine == "llama.cpp"
        self._exact = None if self._gguf else self._try(_Tokenizer)
        self._fetched = self._gguf

    def best(self) -> Counter:
        """Return the counter for the next prompt.

        Raises LLMError if the llama.cpp server that this program runs does not start.
        """
        self._exact = self._exact or self._by_server() or self._fetch()
        return self._exact or _Estimate()

    def _by_server(self) -> Counter | None:
        servers = (_LlamaCpp,) if self._gguf else (_VLLM, _LlamaCpp)
        counters = (self._try(partial(server, endpoint=self._endpoint)) for server in servers)
        return next(filter(None, counters), None)

    def _fetch(self) -> Counter | None:
        name = self._config.tokenizer or self._config.model
        if self._fetched or not _HUB_NAME.fullmatch(name):
            return None
        self._fetched = True
        return self._try(partial(_Tokenizer, fetch=True)) if hub.reachable() else None

    def _try(self, make: Callable[[LLMConfig], Counter]) -> Counter | None:
        try:
            return make(self._config)
        except (OSError, ValueError, KeyError, TypeError, httpx.HTTPError) as error:
            log.info("no exact count of %s's tokens: %s", self._config.model, error)
            return None


def prompt_room(config: LLMConfig, max_tokens: int) -> int:
    """Return the token limit of a prompt whose answer may have up to `max_tokens` tokens."""
    return config.context - max_tokens - _RESERVE


def fit(counter: Counter, build: Callable[[int], Sequence[Message]], most: int, budget: int) -> int:
    """Return how many parts, at most `most`, fit a prompt of `budget` tokens.

    `build(n)` returns the prompt with n parts. Raises LLMError if not even one part fits.
    """
    if counter.count(build(most)) <= budget:
        return most
    # Bisection: `fits` parts fit the budget, and `over` parts exceed it.
    fits, over = 0, most
    while over - fits > 1:
        middle = (fits + over) // 2
        fits, over = (middle, over) if counter.count(build(middle)) <= budget else (fits, middle)
    if not fits:
        raise LLMError(
            f"no sentence fits the {budget} tokens left for the prompt; raise llm.context"
        )
    return fits
