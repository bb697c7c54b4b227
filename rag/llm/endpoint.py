"""Where a language model answers: an address that is always there, or a server that is started when it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol


class Endpoint(Protocol):
    """Gives the base URL of an OpenAI-compatible server for the time of one request."""

    @property
    def key(self) -> str:
        """The API key, "" where the server wants none."""
        ...

    @property
    def advice(self) -> str:
        """What a user may do where the server does not answer."""
        ...

    @property
    def starting(self) -> bool:
        """Whether the first request has to wait for a server to start."""
        ...

    def open(self) -> AbstractContextManager[str]:
        """The base URL (".../v1") of a server that is up until the block ends. Raises LLMError where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Remote:
    """A server that somebody else started."""

    base_url: str
    key: str = field(default="", repr=False)
    advice: str = "see that the server is up"
    starting: bool = False

    @contextmanager
    def open(self) -> Iterator[str]:
        """The configured address as it is: only a request shows whether a server answers there."""
        yield self.base_url
