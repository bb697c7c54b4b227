"""Who may ask when."""

import threading

import pytest

from rag.errors import InputError
from ui.service import Line, Pace, Runs


def test_questions_wait_in_the_order_they_came() -> None:
    line = Line(places=1)
    served: list[int] = []
    places: dict[int, list[int]] = {number: [] for number in range(3)}
    told = [threading.Event() for _ in range(3)]

    def ask(number: int) -> None:
        with line.ticket() as ticket:
            for before in ticket.places():
                places[number].append(before)
                told[number].set()
            served.append(number)

    threads = []
    with line.ticket() as first:
        assert list(first.places()) == []
        for number in range(3):
            threads.append(threading.Thread(target=ask, args=(number,)))
            threads[-1].start()
            assert told[number].wait(10)  # each knows its place before the next comes
        assert served == []
    for thread in threads:
        thread.join(10)
    assert served == [0, 1, 2]
    assert [before[0] for before in places.values()] == [1, 2, 3]
    assert all(before == sorted(before, reverse=True) for before in places.values())


def test_who_leaves_the_line_gives_the_place_away() -> None:
    line = Line(places=1)
    with line.ticket() as first:
        assert list(first.places()) == []
        with line.ticket() as second:
            assert next(second.places()) == 1
        with line.ticket() as third:
            assert next(third.places()) == 1
    with line.ticket() as fourth:
        assert list(fourth.places()) == []


def test_several_places_are_served_at_once() -> None:
    line = Line(places=2)
    with line.ticket() as first, line.ticket() as second, line.ticket() as third:
        assert list(first.places()) == []
        assert list(second.places()) == []
        assert next(third.places()) == 2


def test_one_question_too_many_is_told_when_to_come_back() -> None:
    pace = Pace(2)
    pace.take("anna")
    pace.take("anna")
    with pytest.raises(InputError, match=r"2 questions a minute .* again in \d+ s"):
        pace.take("anna")
    pace.take("ben")


def test_what_is_given_back_is_not_counted() -> None:
    pace = Pace(2, "wrong passwords")
    for _ in range(5):
        pace.take("anna")
        pace.give_back("anna")
    pace.take("anna")
    pace.take("anna")
    with pytest.raises(InputError, match="2 wrong passwords a minute are allowed; try again in"):
        pace.take("anna")


def test_only_an_answer_that_is_being_made_is_stopped() -> None:
    runs = Runs()
    runs.stop("reader", "over")
    with runs.going("reader", "a") as first, runs.going("other", "a") as second:
        runs.stop("reader", "a")
        assert first.is_set()
        assert not second.is_set()
    with runs.going("reader", "a") as again:
        assert not again.is_set()
