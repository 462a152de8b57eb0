"""Where the record is kept, SQLite or PostgreSQL, and what a transaction is on each of them."""

import os
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from mmap import ACCESS_READ, mmap
from pathlib import Path
from time import sleep
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import PoolProxiedConnection

from data.record_pool import SteadyPool
from recsys.errors import ConfigError, StoreUnavailable
from recsys.files import fsync_folder

WRITE_CACHE_KIB = 65_536
READ_CACHE_KIB = 8_192
# A batch touches a page of each index for nearly every event, so small pages write less: at 14
# million events a quarter of what pages of 4 KiB write.
PAGE_BYTES = 1_024
# The more commits a checkpoint covers, the more of them share pages, and the longer it takes: the
# commit that runs into it waits some tenths of a second.
CHECKPOINT_PAGES = 32 * 2**20 // PAGE_BYTES
# Who brings the log to the file beside the commits lets it grow so much longer at the most.
LENGTHENED = 4
# So long commits may be kept waiting for readers, when the end of the log is brought to the file.
CHECKPOINT_BUSY_S = 0.05
WAL_LEFT_BYTES = 64 * 2**20

LOG_TRIES, LOG_PAUSE_S = 100, 0.1

CONNECTIONS = 8
CONNECT_S = 2
# A server that is there but says nothing must not hold a request for ever.
READ_S = 2.0
# Any number, as long as nobody else in the same database takes it for a lock.
WRITE_LOCK = 0x64617065692D7772
# The driver tells what is wrong with a file in the file's own words, which may be no text any more.
_UNREADABLE = "the record's file is damaged where it says what is in it; allowed: a copy put back"


class Store:
    """Transactions on one database; threads may share it.

    Attributes
    ----------
    failure
        Why nothing can be written any more until the program starts again; None while it can.
    """

    def __init__(self, url: URL, *, busy_s: float) -> None:
        self.url = url
        self.failure: str | None = None
        engines = sqlite_engines if self.is_file else _postgresql_engines
        self._writes, self._reads = engines(url, busy_s)
        self._checks = _checking_engine(url) if self.is_file else None

    @property
    def is_file(self) -> bool:
        """Whether it is a file of this machine and not a server."""
        return self.dialect == "sqlite"

    @property
    def dialect(self) -> str:
        """Which kind of SQL it hears: "sqlite" or "postgresql"."""
        return self.url.get_backend_name()

    def close(self) -> None:
        """Let go of every connection."""
        self._writes.dispose()
        self._reads.dispose()
        if self._checks is not None:
            self._checks.dispose()

    def lengthen_log(self) -> None:
        """Let commits write a longer log before one of them brings it to the file itself."""
        if self.is_file:
            pages = LENGTHENED * CHECKPOINT_PAGES
            with closing(self._writes.raw_connection()) as connection:
                connection.cursor().execute(f"PRAGMA wal_autocheckpoint = {pages}")

    def checkpoint(self, *, is_last: bool) -> int:
        """Bring the log to the file while others write; how many of its pages are there now.

        Parameters
        ----------
        is_last
            Keep writers waiting, so that nothing is left and the next of them begins the log anew.

        Raises
        ------
        StoreUnavailable
            The file cannot be written now; the log still has everything.
        """
        if self._checks is None:
            return 0
        mode = "FULL" if is_last else "PASSIVE"
        try:
            with self._checks.connect() as connection:
                done = connection.exec_driver_sql(f"PRAGMA wal_checkpoint({mode})").one()
        except (DBAPIError, PoolTimeout) as cause:
            # Like a failed commit: what the disk lost once it may call written the next time.
            self.failure = self.failure or _disk_failure(cause)
            raise StoreUnavailable(f"the record cannot be written now: {_why(cause)}") from cause
        return int(done[2])

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One durable transaction, alone among all writers from its beginning.

        Raises
        ------
        StoreUnavailable
            Nothing of it was written, or nobody can say; the same may be sent again.
        """
        if self.failure is not None:
            raise StoreUnavailable(
                f"the record stopped writing after a disk failure, got {self.failure!r}; "
                "mend the disk and start again"
            )
        try:
            with self._writes.begin() as connection:
                yield connection
        except (DBAPIError, PoolTimeout) as cause:
            self.failure = _disk_failure(cause)
            raise StoreUnavailable(f"the record cannot be written now: {_why(cause)}") from cause
        except UnicodeDecodeError as cause:
            raise StoreUnavailable(_UNREADABLE) from cause

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees the last commit, whatever is being written meanwhile.

        Raises
        ------
        StoreUnavailable
            It cannot be read now.
        """
        try:
            with self._reads.connect() as connection:
                yield connection
        except (DBAPIError, PoolTimeout) as cause:
            raise StoreUnavailable(f"the record cannot be read now: {_why(cause)}") from cause
        except UnicodeDecodeError as cause:
            raise StoreUnavailable(_UNREADABLE) from cause

    def found(self, *asked: tuple[str, tuple[Any, ...]]) -> list[Sequence[tuple[Any, ...]]]:
        """What statements in the driver's own words find, by turns; cheaper than the long way.

        Raises
        ------
        StoreUnavailable
            It cannot be read now.
        """
        driver = self._reads.dialect.loaded_dbapi
        try:
            connection = self._reads.raw_connection()
        except (DBAPIError, PoolTimeout, driver.Error) as cause:
            raise StoreUnavailable(f"the record cannot be read now: {_why(cause)}") from cause
        try:
            cursor = connection.cursor()
            found: list[Sequence[tuple[Any, ...]]] = []
            for text, values in asked:
                cursor.execute(text, values)
                found.append(cursor.fetchall())
        except driver.Error as cause:
            self._drop(connection, cause)
            raise StoreUnavailable(f"the record cannot be read now: {cause}") from cause
        except UnicodeDecodeError as cause:
            raise StoreUnavailable(_UNREADABLE) from cause
        finally:
            connection.close()
        return found

    def _drop(self, connection: PoolProxiedConnection, cause: Exception) -> None:
        """Let go of a connection that failed, and of all others if the server went away."""
        connection.invalidate(cause)
        if self._reads.dialect.is_disconnect(cause, None, None):  # type: ignore[arg-type]
            self._reads.dispose()

    def clean(self, marks: Collection[bytes]) -> None:
        """Leave nothing of deleted rows behind; whole anew if one of the marks is still there.

        On a server rows are given free; what its own log and copies hold is its operator's.

        Raises
        ------
        StoreUnavailable
            Somebody reads for so long that the log cannot be emptied; the same may be tried again.
        """
        try:
            if self.is_file:
                self._clean_file(marks)
            else:
                alone = self._writes.execution_options(isolation_level="AUTOCOMMIT")
                with alone.connect() as connection:
                    connection.exec_driver_sql("VACUUM")
        except (DBAPIError, PoolTimeout, sqlite3.Error) as cause:
            raise StoreUnavailable(f"the record cannot be cleaned now: {_why(cause)}") from cause

    def _clean_file(self, marks: Collection[bytes]) -> None:
        # The driver's own connection: neither of the two statements may run in a transaction.
        with closing(self._writes.raw_connection()) as connection:
            cursor = connection.cursor()
            _empty_log(cursor)
            if self._holds(marks):
                cursor.execute("VACUUM")
                _empty_log(cursor)

    def _holds(self, marks: Collection[bytes]) -> bool:
        """Whether one of the marks stands in the file, be it where nothing is any more."""
        path = Path(self.url.database or "")
        with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
            return any(content.find(mark) >= 0 for mark in marks)

    def copy(self, path: Path) -> None:
        """Copy the database file as it is at one moment; writers go on meanwhile."""
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with (
                closing(sqlite3.connect(f"file:{self.url.database}?mode=ro", uri=True)) as source,
                closing(sqlite3.connect(beside)) as target,
            ):
                # All at once, inside one read: in steps it would begin anew at every commit.
                source.execute("BEGIN")
                source.backup(target)
            with beside.open("rb") as file:
                os.fsync(file.fileno())
            beside.rename(path)
            fsync_folder(path.parent)
        except (sqlite3.Error, OSError) as cause:
            beside.unlink(missing_ok=True)
            raise StoreUnavailable(f"the record cannot be copied now: {cause}") from cause


def _empty_log(cursor: Any) -> None:
    """Bring the log to the file and cut it, once nobody reads in it any more."""
    for _ in range(LOG_TRIES):
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        is_busy = cursor.fetchone()[0]
        if not is_busy:
            return
        sleep(LOG_PAUSE_S)
    raise StoreUnavailable("the record's log is read all the time and cannot be emptied now")


def file_url(path: Path) -> URL:
    """The address of a record in a file."""
    return URL.create("sqlite", database=str(path))


def parsed_url(text: str) -> URL:
    """An address as an operator writes it.

    Raises
    ------
    ConfigError
        It is none, or of a database the record cannot be kept in.
    """
    try:
        url = make_url(text)
        driver = url.get_driver_name()
    except (ArgumentError, NoSuchModuleError) as cause:
        raise ConfigError("the record's url is none; allowed: postgresql+psycopg://…") from cause
    if driver not in ("psycopg", "pysqlite"):
        # Not the url itself: there may be a password in it.
        raise ConfigError(
            f"the record's url names another driver, got {url.drivername!r}; "
            "allowed: postgresql+psycopg, sqlite"
        )
    try:
        url.get_dialect().import_dbapi()
    except ImportError as cause:
        raise ConfigError(
            "a record on a server needs more; run: pip install dapei[postgres]"
        ) from cause
    return url


def sqlite_engines(url: URL, busy_s: float) -> tuple[Engine, Engine]:
    """How to write to a file, and how to read it.

    One connection whose every transaction holds the lock from its beginning, and some that see the
    last commit whatever is being written meanwhile.
    """
    # The driver must not begin transactions by itself: it would begin them without the lock.
    connect = {"isolation_level": None, "check_same_thread": False, "timeout": busy_s}
    writes = _engine(url, connect, pool_size=1)
    event.listen(writes, "connect", _set_up_writing)
    event.listen(writes, "begin", _begin_immediate)
    # Nothing is begun, so there is nothing to roll back when a connection returns.
    reads = _engine(url, connect, pool_size=CONNECTIONS, pool_reset_on_return=None)
    event.listen(reads, "connect", _set_up_reading)
    return writes, reads


def _checking_engine(url: URL) -> Engine:
    """A connection that writes nothing of its own: it only brings what others wrote to the file."""
    connect = {"isolation_level": None, "check_same_thread": False, "timeout": CHECKPOINT_BUSY_S}
    checks = _engine(url, connect, pool_size=1, pool_reset_on_return=None)
    event.listen(checks, "connect", _set_up_checking)
    return checks


def _postgresql_engines(url: URL, busy_s: float) -> tuple[Engine, Engine]:
    # A server's own default may be to acknowledge what is not on its disk yet.
    durable = f"-c synchronous_commit=on -c lock_timeout={int(busy_s * 1_000)}"
    connect = {"connect_timeout": CONNECT_S, "tcp_user_timeout": int(READ_S * 1_000)}
    writes = _engine(url, connect | {"options": durable}, pool_size=1)
    event.listen(writes, "begin", _lock_writes)
    quick = {"options": f"-c statement_timeout={int(READ_S * 1_000)}"}
    reads = _engine(
        url,
        connect | quick,
        pool_size=CONNECTIONS,
        pool_reset_on_return=None,
        isolation_level="AUTOCOMMIT",
    )
    return writes, reads


def _engine(url: URL, connect: dict[str, Any], **options: Any) -> Engine:
    return create_engine(url, poolclass=SteadyPool, max_overflow=0, connect_args=connect, **options)


def _set_up_writing(connection: sqlite3.Connection, _: object) -> None:
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA cache_size = -{WRITE_CACHE_KIB}")
    # What is deleted is written over: an erased person must not be found in pages that are free.
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {WAL_LEFT_BYTES}")
    # A commit that a killed process wrote but did not bring to the disk is visible again now;
    # before an event of it may be called a duplicate, and so durable, the disk must have it.
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")


def _set_up_reading(connection: sqlite3.Connection, _: object) -> None:
    connection.execute("PRAGMA query_only = ON")
    connection.execute(f"PRAGMA cache_size = -{READ_CACHE_KIB}")


def _set_up_checking(connection: sqlite3.Connection, _: object) -> None:
    # As strict as commits are: log and file are on the disk before the log may be begun anew.
    connection.execute("PRAGMA synchronous = FULL")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _lock_writes(connection: Connection) -> None:
    # Numbers must grow in the order of commits, so there is one writer at a time here as well.
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITE_LOCK})")


def _why(cause: Exception) -> str:
    return str(cause.orig if isinstance(cause, DBAPIError) else cause)


def _disk_failure(cause: Exception) -> str | None:
    # After a failed fsync the kernel may call the lost pages clean, and the next fsync succeeds
    # without them. So a failed disk is final for this process: nothing is tried again and acked.
    # A server of PostgreSQL stops by itself then.
    orig = cause.orig if isinstance(cause, DBAPIError) else None
    code = getattr(orig, "sqlite_errorcode", 0)
    return str(orig) if code & 0xFF == sqlite3.SQLITE_IOERR else None
