"""TRUST R12: an event that a consumer cannot digest is tried three times, then set aside."""

from collections import Counter

import pytest

import data.lake
from data.lake import Lake
from data.lake_tables import events_table
from data.poison import dead_letters, sifted
from data.record import Record
from recsys.errors import StoreUnavailable
from tests.planted import NOW, event

N = 3_000
POISON = {"event-7", "event-2500"}


def some(n: int = N) -> list:
    return [event(f"item-{1000 + i % 9}", event_id=f"event-{i}") for i in range(n)]


class Digest:
    """Fails on poison; counts how often each event was tried."""

    def __init__(self) -> None:
        self.tried = Counter()

    def __call__(self, events):
        self.tried.update(one.event_id for one in events)
        if bad := POISON & {one.event_id for one in events}:
            raise OverflowError(f"cannot hold {sorted(bad)}")
        return [one.event_id for one in events]


def test_poison_is_set_aside_and_the_others_pass_once():
    digest = Digest()
    digested, poison = sifted(some(), digest)
    passed = [one for chunk in digested for one in chunk]
    assert sorted(passed) == sorted({one.event_id for one in some()} - POISON)
    assert {one.event_id for one, _ in poison} == POISON
    assert all(reason.startswith("OverflowError: cannot hold") for _, reason in poison)
    assert max(digest.tried.values()) <= 3


def test_sound_events_are_tried_once():
    digest = Digest()
    assert sifted(some(5), digest)[1] == []
    assert set(digest.tried.values()) == {1}


def test_nothing_comes_of_nothing():
    assert sifted([], Digest()) == ([], [])


def test_other_failures_are_not_the_events_fault():
    def full(_events):
        raise StoreUnavailable("no room")

    with pytest.raises(StoreUnavailable, match="no room"):
        sifted(some(2), full)


@pytest.fixture
def filled(tmp_path):
    record = Record.open(tmp_path / "record.db")
    record.append(some(), received_at=NOW)
    yield record
    record.close()


def poisoned(events):
    if POISON & {one.event_id for one in events}:
        raise OverflowError("cannot hold")
    return events_table(events)


def test_the_lake_gets_all_but_the_poison_and_the_record_keeps_that(filled, tmp_path, monkeypatch):
    monkeypatch.setattr(data.lake, "events_table", poisoned)
    lake = Lake(tmp_path / "lake")
    lake.write_record_events(filled, filled.last_seq())
    manifest = lake.manifest()
    assert (manifest.rows, manifest.record_seq) == (N - 2, N)
    aside = filled.quarantined(10)
    assert {one.error for one in aside} == {"poison"}
    assert all(b"event-" in one.raw for one in aside)


def test_without_the_sieve_nothing_would_pass(filled, tmp_path, monkeypatch):
    """The negative control."""
    monkeypatch.setattr(data.lake, "events_table", poisoned)
    monkeypatch.setattr(data.lake, "sifted", lambda events, digest: ([digest(events)], []))
    lake = Lake(tmp_path / "lake")
    with pytest.raises(OverflowError):
        lake.write_record_events(filled, filled.last_seq())
    assert lake.manifest().rows == 0


def test_a_dead_letter_says_what_it_was():
    ((raw, error, reason),) = dead_letters([(event("item-1001"), "why")])
    assert b'"item_id":"item-1001"' in raw
    assert (error, reason) == ("poison", "why")
