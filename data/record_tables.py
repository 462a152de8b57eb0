"""The tables of the record and how SQLite is set up to keep them; nothing reads or writes here."""

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BLOB,
    URL,
    BigInteger,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    create_engine,
    event,
)
from sqlalchemy.pool import QueuePool

SCHEMA_VERSION = 1

WRITE_CACHE_KIB = 65_536
READ_CACHE_KIB = 8_192
# A batch touches a page of each index for nearly every event, so small pages write less: at 14
# million events a quarter of what pages of 4 KiB write.
PAGE_BYTES = 1_024
# The more commits a checkpoint covers, the more of them share pages, and the longer it takes: the
# commit that runs into it waits some tenths of a second.
CHECKPOINT_PAGES = 32 * 2**20 // PAGE_BYTES
WAL_LEFT_BYTES = 64 * 2**20

RowId = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData()

# Counters and the version of the schema; numbers given out are never given out again.
state = Table(
    "state",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("user_idx", RowId, primary_key=True, autoincrement=False),
    Column("user_id", Text, nullable=False, unique=True),
)

# `seq` grows in the order of commits, so whoever has seen seq n has seen everything below it.
events = Table(
    "events",
    metadata,
    Column("seq", RowId, primary_key=True, autoincrement=False),
    Column("event_key", BigInteger, nullable=False),
    Column("user_idx", BigInteger, nullable=False),
    Column("type", SmallInteger, nullable=False),
    Column("at_ms", BigInteger),
    Column("received_ms", BigInteger, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("item_id", Text, nullable=False),
    Column("more", BLOB().with_variant(LargeBinary, "postgresql")),
    Column("body_hash", LargeBinary, nullable=False),
    Index("events_by_key", "event_key", unique=True),
    # SQLite keeps the row's number behind every key of an index, so this one is ordered by seq too.
    Index("events_by_user", "user_idx"),
)

items = Table(
    "items",
    metadata,
    Column("item_id", Text, primary_key=True),
    Column("version", BigInteger, nullable=False, index=True),
    Column("changed_ms", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

served = Table(
    "served",
    metadata,
    Column("served_idx", RowId, primary_key=True),
    Column("list_key", BigInteger, nullable=False, unique=True),
    Column("user_id", Text),
    Column("at_ms", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

quarantined = Table(
    "quarantined",
    metadata,
    Column("row_idx", RowId, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("error", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
)


def writing_engine(path: Path, busy_s: float) -> Engine:
    """One connection whose every transaction holds the write lock from its beginning."""
    engine = _engine(path, busy_s, pool_size=1)
    event.listen(engine, "connect", _set_up_writing)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def reading_engine(path: Path, busy_s: float) -> Engine:
    """Connections that read the last commit, whatever is being written meanwhile."""
    # Nothing is begun, so there is nothing to roll back when a connection returns.
    engine = _engine(path, busy_s, pool_size=8, pool_reset_on_return=None)
    event.listen(engine, "connect", _set_up_reading)
    return engine


def _engine(path: Path, busy_s: float, **options: Any) -> Engine:
    return create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=QueuePool,
        max_overflow=0,
        # The driver must not begin transactions by itself: it would begin them without the lock.
        connect_args={"isolation_level": None, "check_same_thread": False, "timeout": busy_s},
        **options,
    )


def _set_up_writing(connection: sqlite3.Connection, _: object) -> None:
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA cache_size = -{WRITE_CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {WAL_LEFT_BYTES}")
    # A commit that a killed process wrote but did not bring to the disk is visible again now;
    # before an event of it may be called a duplicate, and so durable, the disk must have it.
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")


def _set_up_reading(connection: sqlite3.Connection, _: object) -> None:
    connection.execute("PRAGMA query_only = ON")
    connection.execute(f"PRAGMA cache_size = -{READ_CACHE_KIB}")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
