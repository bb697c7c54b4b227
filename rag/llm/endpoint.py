"""Addresses of language models: a fixed URL, or a server that is started when needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol


class Endpoint(Protocol):
    """Provides the base URL of an OpenAI-compatible server for the duration of a request."""

    @property
    def key(self) -> str:
        """The API key; "" if the server needs none."""
        ...

    @property
    def advice(self) -> str:
        """What a user can do if the server does not answer."""
        ...

    @property
    def starting(self) -> bool:
        """Whether the next request has to wait for the server to start."""
        ...

    def open(self) -> AbstractContextManager[str]:
        """Return a context manager: the base URL (".../v1") of a server that runs until it exits.

        Raises LLMError if no server can be started.
        """
        ...


@dataclass(frozen=True, slots=True)
class Remote:
    """A server that this program does not start."""

    base_url: str
    key: str = field(default="", repr=False)
    advice: str = "check that the server is running"
    starting: bool = False

    @contextmanager
    def open(self) -> Iterator[str]:
        """Yield the configured address; only a request shows whether a server answers there."""
        yield self.base_url
