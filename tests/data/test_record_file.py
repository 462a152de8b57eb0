"""What only a record in a file does."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from resource import RLIMIT_FSIZE, getrlimit, setrlimit
from threading import Event as Flag
from threading import Thread

import pytest
from sqlalchemy import URL

from data.record import Outcome, Record
from data.record_store import file_url
from recsys.errors import ConfigError, StoreUnavailable
from tests.data.samples import event, put


@pytest.fixture
def place(tmp_path) -> URL:
    return file_url(tmp_path / "record.db")


def test_another_process_reads_while_one_writes(record, tmp_path):
    put(record, event(1))
    with sqlite3.connect(tmp_path / "record.db", isolation_level=None) as writing:
        writing.execute("BEGIN IMMEDIATE")
        writing.execute("DELETE FROM events")
        assert len(record.events_of("user-5001", after_seq=0, limit=9)) == 1
        writing.execute("ROLLBACK")
    writing.close()


def test_a_lock_held_too_long_makes_writing_fail_and_nothing_is_stored(record, tmp_path):
    second = Record.open(tmp_path / "record.db", busy_s=0.01)
    with sqlite3.connect(tmp_path / "record.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="cannot be written now: database is locked"):
            put(second, event(1))
        other.execute("ROLLBACK")
    other.close()
    assert put(second, event(1)) == [Outcome.ACCEPTED]
    second.close()


def test_a_failed_transaction_leaves_nothing(record, outside):
    put(record, event(1))
    outside(
        "CREATE TRIGGER full BEFORE INSERT ON events WHEN new.seq = 3 "
        "BEGIN SELECT RAISE(ABORT, 'no room'); END",
    )
    with pytest.raises(StoreUnavailable, match="no room"):
        put(record, event(2, user_id="user-5009"), event(3))
    outside("DROP TRIGGER full")
    assert record.last_seq() == 1
    assert put(record, event(2, user_id="user-5009"), event(3)) == [Outcome.ACCEPTED] * 2


@contextmanager
def failing_disk(path: Path) -> Iterator[None]:
    """Let the system refuse every write behind the end of a file."""
    soft, hard = getrlimit(RLIMIT_FSIZE)
    setrlimit(RLIMIT_FSIZE, (path.stat().st_size, hard))
    try:
        yield
    finally:
        setrlimit(RLIMIT_FSIZE, (soft, hard))


def test_a_failed_disk_is_final_until_the_record_is_opened_again(record, tmp_path):
    put(record, event(1))
    with (
        failing_disk(tmp_path / "record.db-wal"),
        pytest.raises(StoreUnavailable, match="disk I/O error"),
    ):
        put(record, event(2))
    with pytest.raises(StoreUnavailable, match="stopped writing after a disk failure"):
        put(record, event(2))
    assert len(record.events_of("user-5001", after_seq=0, limit=9)) == 1
    again = Record.open(tmp_path / "record.db")
    assert put(again, event(1), event(2)) == [Outcome.DUPLICATE, Outcome.ACCEPTED]
    again.close()


def test_a_file_that_is_no_record_is_refused(tmp_path):
    (tmp_path / "record.db").write_bytes(b"no database, only a text of some length" * 100)
    with pytest.raises(StoreUnavailable, match="not a database"):
        Record.open(tmp_path / "record.db")


def test_a_copy_made_while_events_come_has_all_that_were_acknowledged_before(record, tmp_path):
    put(record, *(event(n) for n in range(100)))
    stop = Flag()

    def keep_writing() -> None:
        number = 100
        while not stop.is_set():
            put(record, event(number))
            number += 1

    writing = Thread(target=keep_writing)
    writing.start()
    before = record.last_seq()
    record.backup(tmp_path / "copy.db")
    stop.set()
    writing.join()
    copy = Record.open(tmp_path / "copy.db")
    kept = [seq for batch in copy.events_between(0, copy.last_seq()) for seq, _, _ in batch]
    copy.close()
    assert kept == list(range(1, len(kept) + 1))
    assert len(kept) >= before >= 100
    assert not copy.damaged


def test_a_copy_replaces_no_file(record, tmp_path):
    (tmp_path / "copy.db").touch()
    with pytest.raises(ConfigError, match="there is a file already"):
        record.backup(tmp_path / "copy.db")


def test_a_copy_that_fails_leaves_nothing(record, tmp_path):
    with pytest.raises(StoreUnavailable, match="cannot be copied now"):
        record.backup(tmp_path / "nowhere" / "copy.db")
    assert not (tmp_path / "nowhere").exists()
