"""The one door to llama-index's OpenAI-like client: messages in, text out in pieces, each failure one LLMError.

Servers ignore a form that they don't know and answer 200, so which one binds is found out by asking (`LLM.dialect`).
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
"""How a server is given a form: vLLM's field, llama.cpp's, a JSON schema (Ollama and others), or not at all."""

_DIALECTS: tuple[Dialect, ...] = ("structured_outputs", "grammar", "response_format")
_PROBE = ("violet-seven", "seven-violet")  # what no model says to a greeting of its own accord
_PROBE_TOKENS = 24
_LIKELIEST = 20  # tokens whose probabilities are asked for; OpenAI's interface allows no more
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


@dataclass(frozen=True, slots=True)
class Reading:
    """An item of a stream before the first piece: how many tokens of the prompt the server has read (llama.cpp)."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class _Likeliest:
    """An item of a request for log probabilities: those of a token's likeliest texts."""

    logprobs: Mapping[str, float]


_Item = str | Reading | Ended | _Likeliest


class _Refused(LLMError):
    """The server refuses the request as it is."""


class _Unsaid(Exception):
    """A failure that another try may get over."""


class LLM:
    """A served chat model; `endpoint` says where, by default at `llm.base_url`."""

    def __init__(self, config: LLMConfig, endpoint: Endpoint | None = None) -> None:
        self.config = config
        self.endpoint = endpoint or Remote(config.base_url, config.api_key)
        self._dialect: Dialect | None = None if config.form == "auto" else config.form
        if self._dialect is None and config.engine == "llama.cpp":
            self._dialect = "grammar"  # llama.cpp's own server needs no probe
        self._probing = threading.Lock()

    @property
    def name(self) -> str:
        """The model's name as readers see it; of a file, without its folders."""
        return (
            Path(self.config.model).name
            if self.config.model.endswith(".gguf")
            else self.config.model
        )

    @property
    def dialect(self) -> Dialect:
        """How the server takes forms: as `llm.form` says, else as a probe found out, once for each `LLM`.

        Raises LLMError where the server does not answer.
        """
        with self._probing:
            if self._dialect is None:
                self._dialect = self._probed()
                log.info("%s takes forms as: %s", self.config.model, self._dialect)
            return self._dialect

    def stream(
        self, messages: Sequence[Message], form: Form | None = None, max_tokens: int | None = None
    ) -> Generator[str | Reading | Ended, None, None]:
        """Yield the answer in pieces, then `Ended`; closing the iterator closes the connection, so the server stops.

        A refused or lost connection is tried once more before the first piece. `form` binds the answer where the server
        knows forms, and the pieces are plain text whichever dialect it takes them in; a model's thinking is no part of
        them. `max_tokens` takes the place of `llm.max_tokens`. Raises LLMError.
        """
        dialect = self.dialect if form else "none"
        yield from self._stream(messages, form, dialect, max_tokens or self.config.max_tokens)

    def _stream(
        self, messages: Sequence[Message], form: Form | None, dialect: Dialect, max_tokens: int
    ) -> Generator[str | Reading | Ended, None, None]:
        yield from _twice(lambda: self._shaped(messages, form, dialect, max_tokens))

    def first_token(self, messages: Sequence[Message]) -> Mapping[str, float]:
        """Return the natural logarithms of the probabilities of the likeliest first tokens, by their texts.

        Empty where the server gives none. Raises LLMError.
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
        """One request, with the form in the server's dialect and its answer as plain text."""
        filters: list[Filter] = [Thinking()]
        if form and dialect == "response_format" and form.parts:
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
        """The first dialect that binds."""
        for dialect in _DIALECTS:
            if self._binds(dialect):
                return dialect
        return "none"

    def _binds(self, dialect: Dialect) -> bool:
        """Whether the server holds to a form that it is given in this dialect."""
        asked = [Message("user", "Good morning! How are you?")]
        try:
            pieces = list(self._stream(asked, choice_form(_PROBE), dialect, _PROBE_TOKENS))
        except _Refused as error:
            log.info("%s: %s", dialect, error)
            return False
        return "".join(one for one in pieces if isinstance(one, str)).strip() in _PROBE

    def check(self) -> None:
        """Ask for a single token. Raises LLMError where the server is not there, or answers nothing at all."""
        probe = LLM(self.config.model_copy(update={"max_tokens": 1}), self.endpoint)
        for _ in probe.stream([Message("user", "Are you there?")]):
            pass

    def _once(
        self, messages: Sequence[Message], form: dict[str, Any], max_tokens: int
    ) -> Generator[_Item, None, None]:
        from llama_index.core.llms import ChatMessage
        from llama_index.llms.openai_like import OpenAILike

        config = self.config
        timeout = httpx.Timeout(
            config.read_seconds, connect=min(_CONNECT_SECONDS, config.read_seconds)
        )
        body: dict[str, Any] = (
            {"chat_template_kwargs": config.template_options} if config.template_options else {}
        )
        body |= form
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
            options: dict[str, Any] = {
                "seed": config.seed,
                "stream_options": {"include_usage": True},
            }
            for one in llm.stream_chat(chat, extra_body=body, timeout=timeout, **options):
                chunk: Any = one.raw
                if chunk.choices:
                    finish = chunk.choices[0].finish_reason or finish
                if chunk.usage:
                    counts = (chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
                if progress := (chunk.model_extra or {}).get("prompt_progress"):
                    yield Reading(progress["processed"], progress["total"])
                if (
                    found := chunk.choices
                    and chunk.choices[0].logprobs
                    and chunk.choices[0].logprobs.content
                ):
                    yield _Likeliest({top.token: top.logprob for top in found[0].top_logprobs})
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
            kind = _Refused if error.status_code in (400, 422) else LLMError
            raise kind(self._refused(url, error.status_code, error.message)) from None
        except (openai.APITimeoutError, httpx.TimeoutException):
            raise LLMError(
                f"{url} sent nothing for {self.config.read_seconds:g} s (llm.read_seconds)"
            ) from None
        except (openai.APIConnectionError, httpx.HTTPError) as error:
            gone = (
                f"the LLM server {url} can't be reached or broke off ({error.__cause__ or error})"
            )
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
            mend = (
                f"it serves {known}; set llm.model"
                if known
                else "set llm.model to the name it is served by"
            )
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
            reply = httpx.get(
                f"{url.rstrip('/')}/models", headers=headers, timeout=_CONNECT_SECONDS
            )
            return [str(one["id"]) for one in reply.raise_for_status().json()["data"]]
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return []


def _twice(request: Callable[[], Iterator[_T]]) -> Iterator[_T]:
    """Try once more what was refused or lost before its first item."""
    for last in (False, True):
        said = False
        try:
            for item in request():
                said = True
                yield item
            return
        except _Unsaid as error:
            if said or last:
                raise LLMError(str(error)) from None


def _bound(form: Form | None, dialect: Dialect) -> dict[str, Any]:
    """What a request says of the form."""
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
