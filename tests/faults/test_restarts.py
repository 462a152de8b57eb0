"""TRUST R32, R35, R38: workers replaced, stopped and killed, and bundles swapped, under load."""

import signal

import pytest

from serving.bench_faults import Broken, Press, killed_workers, rolling_restart, swapped_bundles
from tests.faults.defects import EAGER, KEEPING, PLAIN_STOP, TWO_READS

# The machine of a test does other things, too; what is asserted does not depend on the rate.
PRESS = Press(lists_per_second=500, connections=64)
TIMES = [3, pytest.param(10, marks=pytest.mark.nightly)]


def check_nothing_dropped(broken: Broken) -> None:
    for outcome in (broken.lists, broken.events):
        assert (outcome.dropped, outcome.refused) == (0, 0)
        assert len(outcome.good) == outcome.sent > 0, outcome.bad_answers
    assert broken.lost == set()


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_workers_come_and_go_and_no_request_notices(home, number, times):
    broken = rolling_restart(home, times=times, number=number, press=PRESS)
    check_nothing_dropped(broken)
    assert broken.more["exit_s"] <= 10


def test_the_count_of_dropped_requests_sees_a_stop_that_does_not_drain(home):
    broken = rolling_restart(home, times=4, number=signal.SIGTERM, press=PRESS, program=PLAIN_STOP)
    assert broken.lists.dropped > 0


def test_bundles_are_swapped_and_no_answer_is_of_two(home):
    (home.root / "dapei.toml").write_text("[serve]\npoll_s = 0.05\n")
    broken = swapped_bundles(home, times=10)
    check_nothing_dropped(broken)
    # The one in use, and the next one while it is read.
    assert broken.more["arrays_x"] <= 2.2


@pytest.mark.nightly
def test_bundles_that_stay_in_memory_would_be_seen(home):
    (home.root / "dapei.toml").write_text("[serve]\npoll_s = 0.05\n")
    assert swapped_bundles(home, times=3, program=KEEPING).more["arrays_x"] > 2.2


def test_an_answer_of_two_bundles_would_be_seen(home):
    broken = swapped_bundles(home, times=2, program=TWO_READS)
    assert broken.lists.statuses.keys() == {200}
    assert len(broken.lists.good) < broken.lists.sent


@pytest.mark.nightly
def test_two_hundred_swaps_in_a_minute(home):
    (home.root / "dapei.toml").write_text("[serve]\npoll_s = 0.05\n")
    broken = swapped_bundles(home, times=200)
    check_nothing_dropped(broken)
    assert broken.more["rss_x"] <= 2.2
    assert broken.more["arrays_x"] <= 2.2


def check_second_tries(broken: Broken) -> None:
    """A list that was not answered is, when it is asked for once more."""
    assert broken.lists.statuses.keys() == {200}
    assert len(broken.lists.good) == broken.lists.sent
    assert broken.lost == set()


# Kills are so far apart that no request meets two of them.
KILLED = Press(lists_per_second=40, connections=8, batches_per_second=10, tries=2)


def test_killed_workers_are_missed_for_one_try_at_the_most(home):
    check_second_tries(killed_workers(home, times=2, press=KILLED))


@pytest.mark.nightly
def test_an_answer_before_the_write_would_be_seen(home):
    broken = killed_workers(home, times=2, every_s=1.5, press=KILLED, program=EAGER)
    assert broken.lost


@pytest.mark.nightly
def test_a_worker_killed_twenty_times(home):
    # How many need a second try depends on how long a list takes here: `dapei bench faults` tells.
    check_second_tries(killed_workers(home, press=KILLED))
