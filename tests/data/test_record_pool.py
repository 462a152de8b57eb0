"""Who waits for a connection while the clock is set waits on (TRUST R10)."""

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count

import pytest
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from data.record_pool import SteadyPool

DAY_S = 86_400


def opened() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", check_same_thread=False)


def waited_while_the_clock_jumps(kind: type[QueuePool], monkeypatch) -> None:
    """Somebody has the only connection, another one waits; every look at the clock is a day on."""
    days = count(step=DAY_S)
    monkeypatch.setattr("sqlalchemy.util.queue._time", lambda: next(days))
    pool = kind(opened, pool_size=1, max_overflow=0, timeout=30)
    with ThreadPoolExecutor(1) as threads:
        with closing(pool.connect()):
            waiting = threads.submit(pool.connect)
            time.sleep(0.2)
        try:
            waiting.result().close()
        finally:
            pool.dispose()


def test_who_waits_is_not_sent_away_by_a_clock_that_is_set(monkeypatch):
    waited_while_the_clock_jumps(SteadyPool, monkeypatch)


def test_a_wait_by_the_wall_clock_would_be_seen(monkeypatch):
    with pytest.raises(PoolTimeout):
        waited_while_the_clock_jumps(QueuePool, monkeypatch)


def test_a_wait_ends_when_its_time_is_over():
    pool = SteadyPool(opened, pool_size=1, max_overflow=0, timeout=0.05)
    with closing(pool.connect()), pytest.raises(PoolTimeout):
        pool.connect()
    pool.dispose()
