"""The queue of questions, the rate limit, and stopping."""

import threading

import pytest

from rag.errors import InputError
from ui.service import QuestionQueue, RateLimiter, Runs


def test_questions_wait_in_the_order_they_came() -> None:
    queue = QuestionQueue(places=1)
    served: list[int] = []
    places: dict[int, list[int]] = {number: [] for number in range(3)}
    informed = [threading.Event() for _ in range(3)]

    def ask(number: int) -> None:
        with queue.ticket() as ticket:
            for before in ticket.positions():
                places[number].append(before)
                informed[number].set()
            served.append(number)

    threads = []
    with queue.ticket() as first:
        assert list(first.positions()) == []
        for number in range(3):
            threads.append(threading.Thread(target=ask, args=(number,)))
            threads[-1].start()
            assert informed[number].wait(10)  # each has its place before the next one arrives
        assert served == []
    for thread in threads:
        thread.join(10)
    assert served == [0, 1, 2]
    assert [before[0] for before in places.values()] == [1, 2, 3]
    assert all(before == sorted(before, reverse=True) for before in places.values())


def test_leaving_the_queue_frees_the_place() -> None:
    queue = QuestionQueue(places=1)
    with queue.ticket() as first:
        assert list(first.positions()) == []
        with queue.ticket() as second:
            assert next(second.positions()) == 1
        with queue.ticket() as third:
            assert next(third.positions()) == 1
    with queue.ticket() as fourth:
        assert list(fourth.positions()) == []


def test_several_places_are_served_at_once() -> None:
    queue = QuestionQueue(places=2)
    with queue.ticket() as first, queue.ticket() as second, queue.ticket() as third:
        assert list(first.positions()) == []
        assert list(second.positions()) == []
        assert next(third.positions()) == 2


def test_a_question_beyond_the_limit_is_refused_with_a_time_to_retry() -> None:
    limiter = RateLimiter(2)
    limiter.take("anna")
    limiter.take("anna")
    with pytest.raises(InputError, match=r"2 questions a minute .* again in \d+ s"):
        limiter.take("anna")
    limiter.take("ben")


def test_what_is_given_back_is_not_counted() -> None:
    limiter = RateLimiter(2, "wrong passwords")
    for _ in range(5):
        limiter.take("anna")
        limiter.give_back("anna")
    limiter.take("anna")
    limiter.take("anna")
    with pytest.raises(InputError, match="2 wrong passwords a minute are allowed; try again in"):
        limiter.take("anna")


def test_only_an_answer_that_is_being_made_is_stopped() -> None:
    runs = Runs()
    runs.stop("reader", "over")
    with runs.running("reader", "a") as first, runs.running("other", "a") as second:
        runs.stop("reader", "a")
        assert first.is_set()
        assert not second.is_set()
    with runs.running("reader", "a") as again:
        assert not again.is_set()
