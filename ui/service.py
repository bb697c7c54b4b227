"""State that the pages of one server share: assistant, journal, queue and limits."""

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


class QuestionQueue:
    """A first-in, first-out queue: at most `places` questions are answered at the same time."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._waiting: deque[object] = deque()
        self._busy = 0
        # One condition guards `_waiting`, `_busy` and the tickets' `served`.
        self._changed = threading.Condition()

    @contextmanager
    def ticket(self) -> Iterator[Ticket]:
        """Hold a position in the queue, and later one of its places, while the block runs."""
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
        """Wait until the queue changes, at most `seconds`.

        Return the number of questions ahead of the ticket: 0 once it has a place.
        """
        with self._changed:
            ahead = self._ahead(ticket)
            if ahead and self._changed.wait(seconds):
                ahead = self._ahead(ticket)
            return ahead

    def _ahead(self, ticket: Ticket) -> int:
        # The caller holds `_changed`. The first ticket in the queue takes a free place here.
        if ticket.served:
            return 0
        position = self._waiting.index(ticket)
        if position == 0 and self._busy < self._places:
            self._waiting.popleft()
            self._busy += 1
            ticket.served = True
            self._changed.notify_all()
            return 0
        return self._busy + position


@dataclass(eq=False)
class Ticket:
    """The position of one question in the queue."""

    queue: QuestionQueue
    served: bool = False

    def positions(self) -> Iterator[int]:
        """Yield the number of questions ahead, at each change and every second, until it is 0."""
        while ahead := self.queue.wait(self, seconds=1.0):
            yield ahead


class RateLimiter:
    """Allows at most `per_minute` calls per user in any 60 seconds.

    `things` is the noun in the error message.
    """

    def __init__(self, per_minute: int, things: str = "questions") -> None:
        self._limit, self._things = per_minute, things
        self._times: dict[str, deque[float]] = defaultdict(deque)  # of the calls, by user
        self._lock = threading.Lock()

    def take(self, user: str) -> None:
        """Count a call. Raises InputError above the limit; that call is not counted."""
        now = time.monotonic()
        with self._lock:
            # Drop users without a recent call, so that the memory stays bounded.
            for idle in [name for name, times in self._times.items() if times[-1] <= now - 60]:
                del self._times[idle]
            times = self._times[user]
            while times and times[0] <= now - 60:
                times.popleft()
            if len(times) >= self._limit:
                wait = 60 - (now - times[0])
                raise InputError(
                    f"{self._limit} {self._things} a minute are allowed; try again in {wait:.0f} s"
                )
            times.append(now)

    def give_back(self, user: str) -> None:
        """Remove the user's latest call from the count."""
        with self._lock:
            self._times[user].pop()
            if not self._times[user]:
                del self._times[user]


class Runs:
    """The answers that are being written, by user and the page's id of the request."""

    def __init__(self) -> None:
        self._stops: dict[tuple[str, str], threading.Event] = {}

    @contextmanager
    def running(self, user: str, run: str) -> Iterator[threading.Event]:
        """Register a running answer; yield the event that is set when the reader stops it."""
        stop = self._stops[user, run] = threading.Event()
        try:
            yield stop
        finally:
            del self._stops[user, run]

    def stop(self, user: str, run: str) -> None:
        """Stop a running answer; do nothing if it has finished."""
        if stop := self._stops.get((user, run)):
            stop.set()


@dataclass(frozen=True)
class Service:
    """The shared parts of one server.

    `adding` is held while papers are ingested. `editable` is true if readers may add and remove
    papers.
    """

    assistant: Assistant
    journal: Journal
    queue: QuestionQueue
    limiter: RateLimiter
    runs: Runs = field(default_factory=Runs)
    adding: threading.Lock = field(default_factory=threading.Lock)
    editable: bool = True
