"""Bits flipped and files cut (TRUST R05): it opens or says why, and no event is delivered wrong."""

import shutil
from pathlib import Path
from random import Random

import pytest

from data.record import Record
from data.record_rows import event_row
from recsys.errors import StoreUnavailable
from recsys.events import Event
from tests.data.samples import event, put

N = 400


def said(n: int) -> Event:
    return event(n, play_s=n / 7, order_id=f"order-{n}")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A record of many events, all of them in the one file."""
    path = tmp_path_factory.mktemp("whole") / "record.db"
    record = Record.open(path)
    for start in range(0, N, 50):
        put(record, *(said(n) for n in range(start, start + 50)))
    record.close()
    assert not path.with_name("record.db-wal").exists()
    return path


BODIES = {f"event-{n}": said(n).body() for n in range(N)}


def read_all(path: Path) -> tuple[int, int, bool]:
    """How many events came whole, how many were told to be damaged, whether the rest was refused.

    An event that is not what was written ends the test.
    """
    try:
        record = Record.open(path)
    except StoreUnavailable:
        return 0, 0, True
    came, refused = 0, False
    try:
        for batch in record.events_between(0, N):
            for _, one, _ in batch:
                assert one.body() == BODIES[one.event_id], "a wrong event"
                came += 1
    except StoreUnavailable:
        refused = True
    damaged = len(record.damaged)
    record.close()
    return came, damaged, refused


def damaged_copies(whole: Path, folder: Path, n: int, damage) -> list[tuple[int, int, bool]]:
    found = []
    for number in range(n):
        path = folder / "record.db"
        for one in folder.glob("record.db*"):
            one.unlink()
        raw = bytearray(whole.read_bytes())
        damage(Random(number), raw)
        path.write_bytes(raw)
        found.append(read_all(path))
    return found


def flip_a_bit(rng: Random, raw: bytearray) -> None:
    raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)


def cut(rng: Random, raw: bytearray) -> None:
    del raw[rng.randrange(len(raw)) :]


def test_a_whole_record_gives_everything(whole, tmp_path):
    shutil.copy(whole, tmp_path / "record.db")
    assert read_all(tmp_path / "record.db") == (N, 0, False)


@pytest.mark.parametrize("n", [200, pytest.param(1_000, marks=pytest.mark.nightly)])
def test_flipped_bits_deliver_nothing_wrong(whole, tmp_path, n):
    found = damaged_copies(whole, tmp_path, n, flip_a_bit)
    # A flipped bit may hide an event from the walk over the table; it is then told, or reading is
    # refused as a whole.
    assert all(refused or came + damaged >= N for came, damaged, refused in found)
    assert sum(came for came, _, _ in found) > 0.9 * N * len(found)
    assert any(damaged for _, damaged, _ in found)


@pytest.mark.parametrize("n", [100, pytest.param(500, marks=pytest.mark.nightly)])
def test_cuts_deliver_nothing_wrong(whole, tmp_path, n):
    found = damaged_copies(whole, tmp_path, n, cut)
    assert all(refused or came + damaged >= N for came, damaged, refused in found)


def test_without_the_hash_wrong_events_would_come(whole, tmp_path, monkeypatch):
    """The negative control: what the tests above would see if rows were not checked."""
    monkeypatch.setattr("data.record_rows._body_hash", lambda plain, more: b"always the same")
    record = Record.open(tmp_path / "unchecked.db")
    for start in range(0, N, 50):
        put(record, *(said(n) for n in range(start, start + 50)))
    record.close()
    with pytest.raises((AssertionError, KeyError, ValueError)):
        damaged_copies(tmp_path / "unchecked.db", tmp_path, 1_000, flip_a_bit)


def test_a_hash_covers_all_that_was_said():
    rows = {event_row(event(1, **said)).body_hash for said in ({}, {"play_s": 1}, {"at": None})}
    assert len(rows) == 3
