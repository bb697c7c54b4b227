"""Adapter to llama-index's OpenAI-like client: send messages, stream text, raise LLMError.

A server ignores a form in a field that it does not know, and still answers 200. `LLM.dialect`
therefore sends test requests to find the field that constrains the answer.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import httpx

from rag.config import LLMConfig
from rag.errors import LLMError
from rag.llm.endpoint import Endpoint, Remote
from rag.llm.filters import Filter, FromJson, Thinking, rest, through
from rag.llm.forms import Form, choice_form

log = logging.getLogger(__name__)

_T = TypeVar("_T")

Dialect = Literal["structured_outputs", "grammar", "response_format", "none"]
"""The request field that carries a form.

It is vLLM's field, llama.cpp's field, a JSON schema (Ollama and others), or no field at all.
"""

_DIALECTS: tuple[Dialect, ...] = ("structured_outputs", "grammar", "response_format")
_PROBE = ("violet-seven", "seven-violet")  # no model answers a greeting so unless a form forces it
_PROBE_TOKENS = 24
_LIKELIEST = 20  # tokens whose probabilities are requested; the maximum of OpenAI's API
_CONNECT_SECONDS = 5.0
_LONGEST = 200  # characters of a server's error message


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The last item of a stream: why the model stopped, and the server's token counts.

    "stop" is a complete answer; "length" is an answer that was cut off at its token limit.
    """

    finish: Literal["stop", "length"]
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """Progress before the first piece: how many prompt tokens the server has read.

    Only llama.cpp reports it.
    """

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class _Likeliest:
    """The log probabilities of the most likely texts of one token."""

    logprobs: Mapping[str, float]


_Item = str | Reading | Ended | _Likeliest


class _Refused(LLMError):
    """The server rejects the request itself (status 400 or 422)."""


class _Unreachable(Exception):
    """The connection failed; another try may succeed."""


class LLM:
    """A served chat model; `endpoint` gives its address, by default `llm.base_url`."""

    def __init__(self, config: LLMConfig, endpoint: Endpoint | None = None) -> None:
        self.config = config
        self.endpoint = endpoint or Remote(config.base_url, config.api_key)
        self._dialect: Dialect | None = None if config.form == "auto" else config.form
        if self._dialect is None and config.engine == "llama.cpp":
            self._dialect = "grammar"  # llama.cpp's own server needs no probe
        self._probing = threading.Lock()

    @property
    def name(self) -> str:
        """The model's name for display; for a GGUF file the name without its folder."""
        return (
            Path(self.config.model).name
            if self.config.model.endswith(".gguf")
            else self.config.model
        )

    @property
    def dialect(self) -> Dialect:
        """The request field in which the server accepts forms.

        `llm.form` sets it. With "auto", test requests find it once for each `LLM`, except for the
        llama.cpp server that this program runs. Raises LLMError if the server does not answer.
        """
        with self._probing:
            if self._dialect is None:
                self._dialect = self._probed()
                log.info("%s accepts forms as: %s", self.config.model, self._dialect)
            return self._dialect

    def stream(
        self, messages: Sequence[Message], form: Form | None = None, max_tokens: int | None = None
    ) -> Generator[str | Reading | Ended, None, None]:
        """Yield the answer in pieces, then `Ended`.

        Closing the iterator closes the connection, so the server stops. If the connection fails
        before the first piece, the request is sent once more. `form` constrains the answer if the
        server supports forms. The pieces are plain text in every dialect, without the model's
        thinking. `max_tokens` overrides `llm.max_tokens`. Raises LLMError.
        """
        dialect = self.dialect if form else "none"
        yield from self._stream(messages, form, dialect, max_tokens or self.config.max_tokens)

    def _stream(
        self, messages: Sequence[Message], form: Form | None, dialect: Dialect, max_tokens: int
    ) -> Generator[str | Reading | Ended, None, None]:
        yield from _twice(lambda: self._shaped(messages, form, dialect, max_tokens))

    def first_token(self, messages: Sequence[Message]) -> Mapping[str, float]:
        """Return the log probabilities of the most likely first tokens, by their text.

        Logarithms are natural. The result is empty if the server returns none. Raises LLMError.
        """
        likeliest: Mapping[str, float] = {}
        for item in _twice(
            lambda: self._once(messages, {"logprobs": True, "top_logprobs": _LIKELIEST}, 1)
        ):
            if isinstance(item, _Likeliest) and not likeliest:
                likeliest = item.logprobs
        return likeliest

    def _shaped(
        self, messages: Sequence[Message], form: Form | None, dialect: Dialect, max_tokens: int
    ) -> Iterator[str | Reading | Ended]:
        """Send one request with the form in this dialect, and yield its answer as plain text."""
        filters: list[Filter] = [Thinking()]
        if form and dialect == "response_format" and form.parts:
            # The server enforces JSON: the prompt describes it, and the filter extracts its texts.
            filters.append(FromJson(form))
            *earlier, last = messages
            messages = [*earlier, Message(last.role, f"{last.content}\n\n{form.hint}")]
        with closing(self._once(messages, _bound(form, dialect), max_tokens)) as items:
            for item in items:
                if isinstance(item, str):
                    yield from through(filters, iter([item]))
                    continue
                if isinstance(item, Ended):
                    yield from rest(filters)
                if not isinstance(item, _Likeliest):
                    yield item

    def _probed(self) -> Dialect:
        """Return the first dialect in which the server applies a form, else "none"."""
        for dialect in _DIALECTS:
            if self._binds(dialect):
                return dialect
        return "none"

    def _binds(self, dialect: Dialect) -> bool:
        """Check whether the server applies a form that it receives in this dialect."""
        greeting = [Message("user", "Good morning! How are you?")]
        try:
            pieces = list(self._stream(greeting, choice_form(_PROBE), dialect, _PROBE_TOKENS))
        except _Refused as error:
            log.info("%s: %s", dialect, error)
            return False
        return "".join(piece for piece in pieces if isinstance(piece, str)).strip() in _PROBE

    def check(self) -> None:
        """Request a single token. Raises LLMError if the server does not answer correctly."""
        probe = LLM(self.config.model_copy(update={"max_tokens": 1}), self.endpoint)
        for _ in probe.stream([Message("user", "Are you there?")]):
            pass

    def _once(
        self, messages: Sequence[Message], fields: dict[str, Any], max_tokens: int
    ) -> Generator[_Item, None, None]:
        """Send one request with these extra fields, and yield its items, `Ended` last."""
        from llama_index.core.llms import ChatMessage
        from llama_index.llms.openai_like import OpenAILike

        config = self.config
        timeout = httpx.Timeout(
            config.read_seconds, connect=min(_CONNECT_SECONDS, config.read_seconds)
        )
        body: dict[str, Any] = (
            {"chat_template_kwargs": config.template_options} if config.template_options else {}
        )
        body |= fields
        chat = [ChatMessage(role=message.role, content=message.content) for message in messages]
        finish, counts = None, (None, None)
        # Each request has its own client, so that leaving the block always closes the connection.
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
            options: dict[str, Any] = {
                "seed": config.seed,
                "stream_options": {"include_usage": True},
            }
            for response in llm.stream_chat(chat, extra_body=body, timeout=timeout, **options):
                chunk: Any = response.raw
                if chunk.choices:
                    finish = chunk.choices[0].finish_reason or finish
                if chunk.usage:
                    counts = (chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
                if progress := (chunk.model_extra or {}).get("prompt_progress"):
                    yield Reading(progress["processed"], progress["total"])
                if (
                    logprobs := chunk.choices
                    and chunk.choices[0].logprobs
                    and chunk.choices[0].logprobs.content
                ):
                    yield _Likeliest({top.token: top.logprob for top in logprobs[0].top_logprobs})
                if response.delta:
                    yield response.delta
        if finish not in ("stop", "length"):
            raise LLMError(f"{url} broke off the answer ({finish or 'its end is missing'})")
        yield Ended(finish, *counts)

    @contextmanager
    def _clear_errors(self, url: str) -> Iterator[None]:
        """Replace exceptions of the client libraries by one-line errors."""
        import openai

        try:
            yield
        except openai.APIStatusError as error:
            kind = _Refused if error.status_code in (400, 422) else LLMError
            raise kind(self._refused(url, error.status_code, error.message)) from None
        except (openai.APITimeoutError, httpx.TimeoutException):
            raise LLMError(
                f"{url} sent nothing for {self.config.read_seconds:g} s (llm.read_seconds)"
            ) from None
        except (openai.APIConnectionError, httpx.HTTPError) as error:
            problem = (
                f"the LLM server {url} can't be reached or broke off ({error.__cause__ or error})"
            )
            raise _Unreachable(f"{problem}; {self.endpoint.advice}") from None
        except openai.APIError as error:
            raise LLMError(f"{url} failed while answering: {_short(error.message)}") from None
        except (ValueError, TypeError, AttributeError):
            raise LLMError(f"{url} did not answer as an OpenAI-compatible server") from None

    def _refused(self, url: str, status: int, message: str) -> str:
        if status in (401, 403):
            return f"{url} refused the key; set RAG_LLM__API_KEY"
        if status == 404:
            known = ", ".join(self._served(url))
            fix = (
                f"it serves {known}; set llm.model"
                if known
                else "set llm.model to the name that the server uses"
            )
            return f"{url} serves no model {self.config.model!r}; {fix}"
        reason = _short(message)
        if status == 400 and re.search(r"context|too long|maximum.*length", message):
            problem = "the prompt is longer than the server's context"
            return f"{problem}; lower llm.context to the server's limit: {reason}"
        if status == 400 and re.search(r"system role", message, re.IGNORECASE):
            problem = "the model's chat template has no system role"
            return f"{problem}; choose another llm.model: {reason}"
        return f"{url} answered {status}: {reason}"

    def _served(self, url: str) -> list[str]:
        """Return the model names that the server lists; empty if it returns no list."""
        headers = {"Authorization": f"Bearer {self.endpoint.key}"} if self.endpoint.key else {}
        try:
            reply = httpx.get(
                f"{url.rstrip('/')}/models", headers=headers, timeout=_CONNECT_SECONDS
            )
            return [str(model["id"]) for model in reply.raise_for_status().json()["data"]]
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return []


def _twice(request: Callable[[], Iterator[_T]]) -> Iterator[_T]:
    """Send a request once more if the connection failed before the first item."""
    for last in (False, True):
        received = False
        try:
            for item in request():
                received = True
                yield item
            return
        except _Unreachable as error:
            if received or last:
                raise LLMError(str(error)) from None


def _bound(form: Form | None, dialect: Dialect) -> dict[str, Any]:
    """Return the request fields that carry the form."""
    if form is None or dialect == "none":
        return {}
    if dialect == "structured_outputs":
        return {"structured_outputs": {"grammar": form.grammar}}
    if dialect == "grammar":
        return {"grammar": form.grammar, "return_progress": True}
    schema = {"name": "answer", "schema": form.schema, "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def _short(text: str) -> str:
    return " ".join(text.split())[:_LONGEST]
