"""What the pages of one server share: the assistant, the journal, and who may ask when."""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rag.assistant import Assistant
from rag.conversations.journal import Journal
from rag.errors import InputError


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
        """How many questions are before this one, when that changes and every second, until it is its turn."""
        while before := self.line.wait(self, seconds=1.0):
            yield before


class Pace:
    """At most so many questions a minute for each user, or of what else `things` names."""

    def __init__(self, per_minute: int, things: str = "questions") -> None:
        self._limit, self._things = per_minute, things
        self._asked: dict[str, deque[float]] = defaultdict(deque)
        self._guard = threading.Lock()

    def take(self, user: str) -> None:
        """Count one. Raises InputError for one too many, which is not counted."""
        now = time.monotonic()
        with self._guard:
            for one in [one for one, times in self._asked.items() if times[-1] <= now - 60]:
                del self._asked[one]
            asked = self._asked[user]
            while asked and asked[0] <= now - 60:
                asked.popleft()
            if len(asked) >= self._limit:
                wait = 60 - (now - asked[0])
                raise InputError(
                    f"{self._limit} {self._things} a minute are allowed; try again in {wait:.0f} s"
                )
            asked.append(now)

    def give_back(self, user: str) -> None:
        """Count the last one no longer."""
        with self._guard:
            self._asked[user].pop()
            if not self._asked[user]:
                del self._asked[user]


class Runs:
    """The answers that are being made, each by its reader and a name of its own, so that it can be stopped."""

    def __init__(self) -> None:
        self._stops: dict[tuple[str, str], threading.Event] = {}

    @contextmanager
    def going(self, user: str, run: str) -> Iterator[threading.Event]:
        """An answer in the making; the event is set when its reader has had enough."""
        stop = self._stops[user, run] = threading.Event()
        try:
            yield stop
        finally:
            del self._stops[user, run]

    def stop(self, user: str, run: str) -> None:
        """Have enough of an answer; one that is over is left alone."""
        if stop := self._stops.get((user, run)):
            stop.set()


@dataclass(frozen=True)
class Service:
    """The parts behind the pages of one server.

    `editable` says that readers may add and remove papers.
    """

    assistant: Assistant
    journal: Journal
    line: Line
    pace: Pace
    runs: Runs = field(default_factory=Runs)
    adding: threading.Lock = field(default_factory=threading.Lock)
    editable: bool = True
