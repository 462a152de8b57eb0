"""The record's log is brought to its file beside the commits, and begun anew."""

import shutil
import sqlite3
from threading import Event as Flag

import pytest
from sqlalchemy import URL

from data import checkpoints, record_store
from data.checkpoints import Checkpoints
from data.record import Outcome, Record
from data.record_store import Store, file_url
from recsys.errors import StoreUnavailable
from tests.data.samples import event, put
from tests.data.test_record_file import failing_disk

A_ROUND = 200


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(checkpoints, "ROWS", A_ROUND)
    # No commit of these tests may do it.
    monkeypatch.setattr(record_store, "CHECKPOINT_PAGES", 10**6)


@pytest.fixture
def place(tmp_path) -> URL:
    return file_url(tmp_path / "record.db")


@pytest.fixture
def store(tmp_path, record):
    store = Store(file_url(tmp_path / "record.db"), busy_s=1)
    yield store
    store.close()


class Watched(Checkpoints):
    """Says when the thread is through with a log."""

    def __init__(self, store):
        self.is_through = Flag()
        super().__init__(store)

    def _empty(self):
        try:
            super()._empty()
        finally:
            self.is_through.set()

    def after(self, n_rows):
        self.is_through.clear()
        self.wrote(n_rows)
        assert self.is_through.wait(30)


@pytest.fixture
def watched(store):
    watched = Watched(store)
    yield watched
    watched.close()


def a_round(record, number):
    first = number * A_ROUND
    made = put(record, *(event(n, user_id=f"user-{n}") for n in range(first, first + A_ROUND)))
    assert made == [Outcome.ACCEPTED] * A_ROUND


def in_the_file_alone(tmp_path) -> int:
    """How many events the file has without its log."""
    shutil.copy(tmp_path / "record.db", tmp_path / "alone.db")
    alone = Record.open(tmp_path / "alone.db")
    n = alone.last_seq()
    alone.close()
    return n


def log_bytes(tmp_path) -> int:
    return (tmp_path / "record.db-wal").stat().st_size


def test_what_was_written_is_in_the_file_once_it_is_enough(record, watched, tmp_path):
    a_round(record, 0)
    watched.wrote(A_ROUND - 1)
    assert not watched.is_through.wait(0.05)
    watched.after(1)
    assert in_the_file_alone(tmp_path) == A_ROUND


def test_the_log_is_begun_anew_and_stays_as_long_as_one_round(record, watched, tmp_path):
    lengths = []
    for number in range(5):
        a_round(record, number)
        watched.after(A_ROUND)
        lengths.append(log_bytes(tmp_path))
    assert lengths[-1] < 2 * lengths[0]


def test_without_it_the_log_would_grow(record, tmp_path):
    lengths = []
    for number in range(5):
        a_round(record, number)
        lengths.append(log_bytes(tmp_path))
    assert lengths[-1] > 3 * lengths[0]


def test_commits_go_on_while_somebody_reads_for_long(record, watched, tmp_path):
    a_round(record, 0)
    with sqlite3.connect(tmp_path / "record.db", isolation_level=None) as reading:
        reading.execute("BEGIN")
        assert reading.execute("SELECT count(*) FROM events").fetchone() == (A_ROUND,)
        a_round(record, 1)
        watched.after(A_ROUND)
        a_round(record, 2)
        assert reading.execute("SELECT count(*) FROM events").fetchone() == (A_ROUND,)
        reading.execute("COMMIT")
    reading.close()
    watched.after(A_ROUND)
    assert in_the_file_alone(tmp_path) == 3 * A_ROUND


def test_another_process_s_transaction_is_not_in_its_way(record, watched, tmp_path):
    a_round(record, 0)
    with sqlite3.connect(tmp_path / "record.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        watched.after(A_ROUND)
        other.execute("ROLLBACK")
    other.close()
    assert in_the_file_alone(tmp_path) == A_ROUND


def test_a_disk_that_fails_stops_writing_and_the_log_keeps_everything(store, record, tmp_path):
    a_round(record, 0)
    with (
        failing_disk(tmp_path / "record.db"),
        pytest.raises(StoreUnavailable, match="disk I/O error"),
    ):
        store.checkpoint(is_last=False)
    with (
        pytest.raises(StoreUnavailable, match="stopped writing after a disk failure"),
        store.writing(),
    ):
        pass
    again = Record.open(tmp_path / "record.db")
    assert again.last_seq() == A_ROUND
    again.close()


def test_a_pass_that_fails_is_told_and_the_next_is_made(
    store, watched, record, monkeypatch, caplog
):
    a_round(record, 0)
    with pytest.MonkeyPatch.context() as patch:

        def fails(*, is_last):
            raise StoreUnavailable("the record cannot be written now: on purpose")

        patch.setattr(store, "checkpoint", fails)
        watched.after(A_ROUND)
    assert "the record's log was not emptied: the record cannot" in caplog.text
    watched.after(A_ROUND)
    assert store.checkpoint(is_last=True) >= 0
