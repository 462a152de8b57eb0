import pytest

from serving.breaker import FAILURES, GOOD_PROBES, Breaker


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Hand()


@pytest.fixture
def opened(clock):
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        breaker.failed()
    return breaker


def test_five_failures_in_a_second_open_it(opened):
    assert opened.is_open
    assert not opened.may_ask()


def test_four_do_not_nor_five_over_a_longer_time(clock):
    breaker = Breaker(clock)
    for _ in range(20):
        breaker.failed()
        clock.now += 0.26
    assert not breaker.is_open


def test_good_answers_between_do_not_hide_failures(clock):
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        breaker.succeeded()
        breaker.failed()
    assert breaker.is_open


def test_one_probe_a_second_while_open(clock, opened):
    asked = 0
    for _ in range(100):
        clock.now += 0.05
        asked += opened.may_ask()
    assert 4 <= asked <= 5


def test_good_probes_in_a_row_close_it_within_five_seconds(clock, opened):
    start = clock.now
    while opened.is_open:
        clock.now += 0.1
        if opened.may_ask():
            opened.succeeded()
    assert clock.now - start <= 5
    assert opened.may_ask()


def test_a_bad_probe_begins_the_row_anew(opened):
    for _ in range(GOOD_PROBES - 1):
        opened.succeeded()
    opened.failed()
    for _ in range(GOOD_PROBES - 1):
        opened.succeeded()
    assert opened.is_open


def test_an_hour_of_failing_opens_it_once(clock):
    breaker = Breaker(clock)
    for _ in range(36_000):
        clock.now += 0.1
        if breaker.may_ask():
            breaker.failed()
    assert breaker.opened == 1
