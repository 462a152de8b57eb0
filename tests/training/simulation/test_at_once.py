import math
import multiprocessing
import os
import time

import pytest

from training.simulation.at_once import at_once


def own_process(_task: int) -> int:
    time.sleep(0.2)
    return os.getpid()


@pytest.mark.parametrize("jobs", [1, 2, 8])
def test_answers_come_in_the_order_of_tasks_however_many_work(jobs):
    assert list(at_once(math.sqrt, [9, 4, 1, 0], jobs)) == [3, 2, 1, 0]
    assert list(at_once(math.sqrt, [], jobs)) == []


def test_many_work_beside_each_other_and_one_works_here():
    assert set(at_once(own_process, [1, 2], 1)) == {os.getpid()}
    others = set(at_once(own_process, [1, 2, 3, 4], 2))
    assert len(others) == 2
    assert os.getpid() not in others


def test_processes_end_when_nobody_asks_any_more():
    answers = at_once(own_process, list(range(50)), 2)
    next(answers)
    assert len(multiprocessing.active_children()) == 2
    answers.close()
    assert multiprocessing.active_children() == []


def test_what_fails_there_fails_here():
    with pytest.raises(ValueError, match="math domain error"):
        list(at_once(math.sqrt, [1, -1], 2))
