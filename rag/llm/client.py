"""The one door to llama-index's OpenAI-like client: messages in, text out in pieces, each failure one LLMError."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import httpx

from rag.config import LLMConfig
from rag.errors import LLMError
from rag.llm.endpoint import Endpoint, Remote

_CONNECT_SECONDS = 5.0
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The last item of a stream: whether the model was done or cut off, and the server's counts of tokens."""

    finish: Literal["stop", "length"]
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Unsaid(Exception):
    """A failure that another try may mend."""


class LLM:
    """A served chat model; `endpoint` says where, by default at `llm.base_url`."""

    def __init__(self, config: LLMConfig, endpoint: Endpoint | None = None) -> None:
        self.config = config
        self.endpoint = endpoint or Remote(config.base_url, config.api_key)

    def stream(
        self, messages: Sequence[Message], grammar: str | None = None, max_tokens: int | None = None
    ) -> Generator[str | Ended, None, None]:
        """The answer in pieces, then `Ended`; closing the iterator closes the connection, so the server stops writing.

        A refused or lost connection is tried once more before the first piece. `grammar` holds where `llm.structured`
        says that the server knows grammars; `max_tokens` takes the place of `llm.max_tokens`. Raises LLMError.
        """
        for last in (False, True):
            said = False
            try:
                for piece in self._once(messages, grammar, max_tokens or self.config.max_tokens):
                    said = True
                    yield piece
                return
            except _Unsaid as error:
                if said or last:
                    raise LLMError(str(error)) from None

    def check(self) -> None:
        """Ask for a single token. Raises LLMError where the server is not there, or answers nothing at all."""
        probe = LLM(self.config.model_copy(update={"max_tokens": 1}), self.endpoint)
        for _ in probe.stream([Message("user", "Are you there?")]):
            pass

    def _once(self, messages: Sequence[Message], grammar: str | None, max_tokens: int) -> Iterator[str | Ended]:
        from llama_index.core.llms import ChatMessage
        from llama_index.llms.openai_like import OpenAILike

        config = self.config
        timeout = httpx.Timeout(config.read_seconds, connect=min(_CONNECT_SECONDS, config.read_seconds))
        body: dict[str, Any] = {"chat_template_kwargs": config.template_options} if config.template_options else {}
        if grammar is not None and config.structured:
            body["structured_outputs"] = {"grammar": grammar}
        chat = [ChatMessage(role=one.role, content=one.content) for one in messages]
        finish, counts = None, (None, None)
        # A client of its own, so that leaving the block closes the connection whatever happened.
        with (
            self.endpoint.open() as url,
            self._clear_errors(url),
            httpx.Client(timeout=timeout, verify=url.startswith("https")) as http,
        ):
            llm = OpenAILike(
                model=config.model,
                api_base=url,
                api_key=self.endpoint.key or "none",
                context_window=config.context,
                is_chat_model=True,
                max_retries=0,
                max_tokens=max_tokens,
                temperature=config.temperature,
                http_client=http,
            )
            options: dict[str, Any] = {"seed": config.seed, "stream_options": {"include_usage": True}}
            for one in llm.stream_chat(chat, extra_body=body, timeout=timeout, **options):
                chunk: Any = one.raw
                if chunk.choices:
                    finish = chunk.choices[0].finish_reason or finish
                if chunk.usage:
                    counts = (chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
                if one.delta:
                    yield one.delta
        if finish not in ("stop", "length"):
            raise LLMError(f"{url} broke off the answer ({finish or 'its end is missing'})")
        yield Ended(finish, *counts)

    @contextmanager
    def _clear_errors(self, url: str) -> Iterator[None]:
        import openai

        try:
            yield
        except openai.APIStatusError as error:
            raise LLMError(self._refused(url, error.status_code, error.message)) from None
        except (openai.APITimeoutError, httpx.TimeoutException):
            raise LLMError(f"{url} sent nothing for {self.config.read_seconds:g} s (llm.read_seconds)") from None
        except (openai.APIConnectionError, httpx.HTTPError) as error:
            gone = f"the LLM server {url} can't be reached or broke off ({error.__cause__ or error})"
            raise _Unsaid(f"{gone}; {self.endpoint.advice}") from None
        except openai.APIError as error:
            raise LLMError(f"{url} failed while answering: {_short(error.message)}") from None
        except (ValueError, TypeError, AttributeError):
            raise LLMError(f"{url} did not answer as an OpenAI-compatible server") from None

    def _refused(self, url: str, status: int, said: str) -> str:
        if status in (401, 403):
            return f"{url} refused the key; set RAG_LLM__API_KEY"
        if status == 404:
            known = ", ".join(self._served(url))
            mend = f"it serves {known}; set llm.model" if known else "set llm.model to the name it is served by"
            return f"{url} serves no model {self.config.model!r}; {mend}"
        if status == 400 and re.search(r"context|too long|maximum.*length", said):
            return f"the prompt is longer than the server's context; lower llm.context to it: {_short(said)}"
        if status == 400 and re.search(r"system role", said, re.IGNORECASE):
            return f"the model's chat template has no system role; choose another llm.model: {_short(said)}"
        return f"{url} answered {status}: {_short(said)}"

    def _served(self, url: str) -> list[str]:
        """The names that the server answers to, none where it does not tell."""
        headers = {"Authorization": f"Bearer {self.endpoint.key}"} if self.endpoint.key else {}
        try:
            reply = httpx.get(f"{url.rstrip('/')}/models", headers=headers, timeout=_CONNECT_SECONDS)
            return [str(one["id"]) for one in reply.raise_for_status().json()["data"]]
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return []


def _short(text: str) -> str:
    return " ".join(text.split())[:_LONGEST]
