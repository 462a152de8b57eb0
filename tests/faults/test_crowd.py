"""TRUST R14, R15, R37, R40: floods, slow clients, and a record that makes one wait."""

import sqlite3
from contextlib import closing

import pytest

from serving.bench_faults import Broken, Press, under_load
from serving.bench_faults_crowd import event_flood, slow_clients
from serving.bench_faults_shop import PROGRAM, serving
from tests.faults.defects import FORGETFUL, HELD_LOOP, PATIENT


def check_lists(broken: Broken) -> None:
    assert broken.lists.statuses.keys() == {200}
    assert len(broken.lists.good) == broken.lists.sent > 0, broken.lists.bad_answers


def check_flood(broken: Broken) -> None:
    check_lists(broken)
    assert broken.events.statuses.keys() <= {202, 429, 503}
    assert broken.lost == set()
    assert broken.more["memory_mb"] <= 100


def test_in_a_flood_of_events_every_list_is_answered_and_every_answer_is_durable(home):
    check_flood(event_flood(home, seconds=3, lists_per_second=20))


@pytest.mark.nightly
def test_a_minute_of_a_flood(home):
    check_flood(event_flood(home, seconds=60))


def test_more_events_than_may_wait_are_refused_and_what_was_taken_is_there(home):
    (home.root / "dapei.toml").write_text("[serve]\nmax_waiting_events = 1000\n")
    broken = event_flood(home, seconds=3, lists_per_second=20)
    check_flood(broken)
    assert broken.more["refused_batches"] > 0


def test_events_taken_without_room_for_them_would_be_seen(home):
    (home.root / "dapei.toml").write_text("[serve]\nmax_waiting_events = 1000\n")
    broken = event_flood(home, seconds=2, lists_per_second=20, program=FORGETFUL)
    assert broken.lost


def test_clients_that_send_a_byte_a_second_are_cut(home):
    broken = slow_clients(home, n=40)
    check_lists(broken)
    assert broken.more["cut"] == 40


def test_a_service_that_waits_for_slow_clients_would_be_seen(home):
    broken = slow_clients(home, n=4, seconds=10, program=PATIENT)
    assert broken.more["cut"] == 0


@pytest.mark.nightly
def test_five_hundred_slow_clients_are_cut(home):
    broken = slow_clients(home, n=500)
    check_lists(broken)
    assert broken.more["cut"] == 500


def lists_while_held(home, *, enough: int, program=PROGRAM) -> Broken:
    """The record is held, so that events wait, until so many lists were answered meanwhile."""
    answered: list[int] = []
    with (
        serving(home.root, program=program) as served,
        closing(
            sqlite3.connect(home.root / "record.db", isolation_level=None, check_same_thread=False)
        ) as holder,
    ):
        holder.execute("BEGIN IMMEDIATE")

        def lists_alone() -> None:
            try:
                while len(answered) < enough:
                    answered.append(served.ask("POST", "/v1/lists", {"scene": "home"})[0])
            finally:
                holder.execute("ROLLBACK")

        press = Press(lists_per_second=20, batches_per_second=5)
        broken = under_load(served, lists_alone, press=press)
    assert set(answered) == {200}
    return broken


def test_while_the_record_makes_events_wait_lists_are_answered(home):
    """The loop is never held: what waits for the record waits in a thread (R40)."""
    check_lists(lists_while_held(home, enough=20))


@pytest.mark.nightly
def test_a_loop_that_waits_for_the_record_would_be_seen(home, monkeypatch):
    monkeypatch.setattr("serving.bench_faults_shop.ASK_S", 2.0)
    with pytest.raises(TimeoutError):
        lists_while_held(home, enough=20, program=HELD_LOOP)
