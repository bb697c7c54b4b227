"""What the pages of one server share: the assistant, the journal, and who may ask when."""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rag.assistant import Assistant
from rag.errors import InputError
from rag.journal import Journal


class Line:
    """A queue for questions: at most `places` are answered at once, the others wait in the order they came."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._waiting: deque[object] = deque()
        self._busy = 0
        self._changed = threading.Condition()

    @contextmanager
    def ticket(self) -> Iterator[Ticket]:
        """A place in the line for as long as the block runs."""
        ticket = Ticket(self)
        with self._changed:
            self._waiting.append(ticket)
        try:
            yield ticket
        finally:
            with self._changed:
                if ticket.served:
                    self._busy -= 1
                else:
                    self._waiting.remove(ticket)
                self._changed.notify_all()

    def wait(self, ticket: Ticket, seconds: float) -> int:
        """Wait until the ticket's place changes, at most so long; the number of questions before it, 0 when served."""
        with self._changed:
            before = self._before(ticket)
            if before and self._changed.wait(seconds):
                before = self._before(ticket)
            return before

    def _before(self, ticket: Ticket) -> int:
        if ticket.served:
            return 0
        place = self._waiting.index(ticket)
        if place == 0 and self._busy < self._places:
            self._waiting.popleft()
            self._busy += 1
            ticket.served = True
            self._changed.notify_all()
            return 0
        return self._busy + place


@dataclass(eq=False)
class Ticket:
    """One question's place in the line."""

    line: Line
    served: bool = False

    def places(self) -> Iterator[int]:
        """How many questions are before this one, each time that changes, until it is its turn."""
        last = None
        while before := self.line.wait(self, seconds=1.0):
            if before != last:
                yield before
            last = before


class Pace:
    """At most so many questions a minute for each user."""

    def __init__(self, questions_per_minute: int) -> None:
        self._limit = questions_per_minute
        self._asked: dict[str, deque[float]] = defaultdict(deque)
        self._guard = threading.Lock()

    def take(self, user: str) -> None:
        """Count a question. Raises InputError for one too many, which is not counted."""
        now = time.monotonic()
        with self._guard:
            asked = self._asked[user]
            while asked and asked[0] <= now - 60:
                asked.popleft()
            if len(asked) >= self._limit:
                wait = 60 - (now - asked[0])
                raise InputError(f"{self._limit} questions a minute are allowed; ask again in {wait:.0f} s")
            asked.append(now)


@dataclass(frozen=True)
class Service:
    """The parts behind the pages of one server.

    `stopped` holds the (user, run) pairs of answers whose readers pressed Stop; `editable` says that readers may add
    and remove papers.
    """

    assistant: Assistant
    journal: Journal
    line: Line
    pace: Pace
    stopped: set[tuple[str, str]] = field(default_factory=set)
    adding: threading.Lock = field(default_factory=threading.Lock)
    editable: bool = True
