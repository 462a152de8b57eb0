import threading

import pytest

from data.ahead import ahead


def test_steps_come_whole_and_in_order():
    assert list(ahead(iter(range(1, 100)))) == list(range(1, 100))
    assert list(ahead(iter(()))) == []


def test_a_step_is_made_while_the_one_before_is_used():
    made = threading.Event()

    def steps():
        yield 1
        made.set()
        yield 2

    for step in ahead(steps()):
        assert made.wait(timeout=10), step


def test_an_error_comes_where_its_step_would():
    def steps():
        yield 1
        raise ValueError("broken")

    taken = []
    with pytest.raises(ValueError, match="broken"):
        taken.extend(ahead(steps()))
