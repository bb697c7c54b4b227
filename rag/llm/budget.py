"""How many tokens a prompt has, and which passages fit. The adapter of the served model's own tokenizer.

Counts are exact with the model's tokenizer and chat template, and by the server's own count (vLLM, llama.cpp); else
tiktoken estimates, and `Counter.exact` says so.
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
    """Lets the server count the prompt; a subclass knows how one kind of server is asked."""

    exact = True

    def __init__(self, config: LLMConfig, endpoint: Endpoint) -> None:
        self._config, self._endpoint = config, endpoint
        self._ask([Message("user", "a")])

    def count(self, messages: Sequence[Message]) -> int:
        try:
            return self._ask(messages)
        except (ValueError, KeyError, TypeError, httpx.HTTPError) as error:
            said = f"the LLM server does not count the prompt any more ({error})"
            raise LLMError(f"{said}; {self._endpoint.advice}") from None

    def _ask(self, messages: Sequence[Message]) -> int:
        with self._endpoint.open() as url:
            return self._counted(url.rstrip("/").removesuffix("/v1"), messages)

    def _counted(self, root: str, messages: Sequence[Message]) -> int:
        raise NotImplementedError

    def _chat(self, messages: Sequence[Message]) -> dict[str, Any]:
        return {
            "model": self._config.model,
            "messages": [{"role": one.role, "content": one.content} for one in messages],
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
        return int(_MARGIN * sum(tokens.count(one.content) + 8 for one in messages)) + 8


class Counters:
    """The best counter at hand for a model; an estimate gives way as soon as the server can be asked.

    What is here comes first, then the server, and only then the hub, once.
    """

    def __init__(self, config: LLMConfig, endpoint: Endpoint | None = None) -> None:
        self._config = config
        self._endpoint = endpoint or Remote(config.base_url, config.api_key)
        self._own = (
            config.engine == "llama.cpp"
        )  # a GGUF file has its tokenizer inside, and no other
        self._exact = None if self._own else self._try(_Tokenizer)
        self._fetched = self._own

    def best(self) -> Counter:
        """The counter for the next prompt. Raises LLMError where a server of our own does not start."""
        self._exact = self._exact or self._by_server() or self._fetch()
        return self._exact or _Estimate()

    def _by_server(self) -> Counter | None:
        kinds = (_LlamaCpp,) if self._own else (_VLLM, _LlamaCpp)
        found = (self._try(partial(kind, endpoint=self._endpoint)) for kind in kinds)
        return next(filter(None, found), None)

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
        raise LLMError(
            f"not one sentence fits the {budget} tokens left for the prompt; raise llm.context"
        )
    return fits
