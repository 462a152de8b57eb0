"""The durable truth: events, items and served lists. Nobody else knows the SQL."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Self

from sqlalchemy import Connection, Engine, delete, insert, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from data import record_tables as tables
from data.record_rows import (
    EventRow,
    ServedRow,
    event_of,
    event_row,
    item_body,
    item_of,
    served_of,
    served_row,
    signed_key,
)
from data.record_statements import (
    BETWEEN,
    Outcome,
    counter,
    insert_events,
    insert_served,
    newest_of_user,
    write_items,
)
from recsys.catalog import Item
from recsys.errors import ConfigError, StoreUnavailable
from recsys.events import Event, ServedList, millis, moment
from recsys.files import locked, make_folder

__all__ = ["Batch", "Outcome", "Quarantined", "Record"]

# Short transactions, so that an import of the catalogue does not keep events waiting.
ITEMS_A_TRANSACTION = 2_000
QUARANTINE_ROWS = 100_000


class Batch(NamedTuple):
    """Events that came together."""

    events: Sequence[Event]
    received_at: datetime


class Quarantined(NamedTuple):
    """Something refused: as it came, and why."""

    at: datetime
    raw: bytes
    error: str
    detail: str


class Record:
    """One shop's record; several processes may hold the same file.

    Every method that writes is one durable transaction: it returns after the disk has it, or raises
    and nothing of it is there. Threads may share a record.

    Attributes
    ----------
    damaged
        Numbers of rows that were read, found not to be what was written, and left out.
    """

    def __init__(self, writing: Engine, reading: Engine) -> None:
        self._writing_engine = writing
        self._reading_engine = reading
        self._disk_failure: str | None = None
        self.damaged: set[int] = set()

    @classmethod
    def open(cls, path: Path, *, busy_s: float = 10.0) -> Self:
        """The record in a file, made if there is none.

        Parameters
        ----------
        busy_s
            How long to wait for another process's transaction before writing fails.

        Raises
        ------
        ConfigError
            The file was written by another version of the schema.
        StoreUnavailable
            It cannot be opened, or is no record.
        """
        make_folder(path.parent)
        record = cls(tables.writing_engine(path, busy_s), tables.reading_engine(path, busy_s))
        try:
            # SQLite does not wait for another process that is just making the same file.
            with locked(path.parent):
                record._prepare()
        except (ConfigError, StoreUnavailable):
            record.close()
            raise
        return record

    def _prepare(self) -> None:
        with self._writing() as connection:
            tables.metadata.create_all(connection)
            known = counter(connection, "schema")
            if known is None:
                start = {"schema": tables.SCHEMA_VERSION, "seq": 0, "user": 0, "item_version": 0}
                connection.execute(
                    insert(tables.state), [{"name": n, "value": v} for n, v in start.items()]
                )
            elif known != tables.SCHEMA_VERSION:
                raise ConfigError(
                    f"the record has another schema, got version {known}; "
                    f"this program reads {tables.SCHEMA_VERSION}"
                )

    def close(self) -> None:
        """Let go of the file; what was acknowledged is on disk already."""
        self._writing_engine.dispose()
        self._reading_engine.dispose()

    def append(self, events: Sequence[Event], *, received_at: datetime) -> list[Outcome]:
        """Store events in one durable transaction; one outcome an event, in order."""
        return self.write([Batch(events, received_at)])[0]

    def write(
        self, batches: Sequence[Batch], served: Sequence[ServedRow] = ()
    ) -> list[list[Outcome]]:
        """Store what several callers brought in one durable transaction; outcomes by batch."""
        rows = [[event_row(event) for event in batch.events] for batch in batches]
        received = [millis(batch.received_at) for batch in batches]
        with self._writing() as connection:
            insert_served(connection, served)
            return insert_events(connection, rows, received)

    def events_of(self, user_id: str, *, after_seq: int, limit: int) -> list[Event]:
        """A person's newest `limit` events after a number, in time order, undated ones first.

        Newest as they arrived. Events of one moment come in an order that does not depend on that
        of their arrival: by type, so that a refund follows its order, then by their ids' hashes.
        """
        return self.since(user_id, after_seq=after_seq, limit=limit)[0]

    def since(self, user_id: str, *, after_seq: int, limit: int) -> tuple[list[Event], int]:
        """The same events, and the number from which on there are none yet of this person."""
        with self._reading() as connection:
            found = newest_of_user(connection, user_id, after_seq=after_seq, limit=limit)
        rows = sorted(((row[0], EventRow._make(row[1:])) for row in found), key=_by_time)
        events = (self._checked(seq, row) for seq, row in rows)
        upto_seq = found[0][0] if found else after_seq
        return [event for event in events if event is not None], upto_seq

    def last_seq(self) -> int:
        """The number of the newest event; 0 if there is none."""
        with self._reading() as connection:
            return counter(connection, "seq") or 0

    def events_between(
        self, after_seq: int, upto_seq: int, *, batch: int = 100_000
    ) -> Iterator[list[tuple[int, Event, int]]]:
        """Events with their number and when they came (ms), in order of numbers, in batches."""
        while after_seq < upto_seq:
            asked = {"after_seq": after_seq, "upto_seq": upto_seq, "k": batch}
            with self._reading() as connection:
                rows = connection.execute(BETWEEN, asked).all()
            if not rows:
                return
            after_seq = rows[-1][0]
            read = (
                (row[0], self._checked(row[0], EventRow._make(row[2:])), row[1]) for row in rows
            )
            yield [(seq, event, came) for seq, event, came in read if event is not None]

    def _checked(self, seq: int, row: EventRow) -> Event | None:
        event = event_of(row)
        if event is None:
            self.damaged.add(seq)
        return event

    def put_items(self, items: Iterable[Item], *, at: datetime) -> int:
        """Add or replace items; how many of them really changed."""
        return self._put(items, at, replace=True)

    def add_missing_items(self, items: Iterable[Item], *, at: datetime) -> int:
        """Add those items whose id is unknown; how many that were."""
        return self._put(items, at, replace=False)

    def _put(self, items: Iterable[Item], at: datetime, *, replace: bool) -> int:
        changed = 0
        rest = iter(items)
        while chunk := list(islice(rest, ITEMS_A_TRANSACTION)):
            bodies = {item.item_id: item_body(item) for item in chunk}
            with self._writing() as connection:
                changed += write_items(connection, bodies, changed_ms=millis(at), replace=replace)
        return changed

    def items(self) -> Iterator[Item]:
        """All items, those that changed last come last."""
        return iter(self.changed_items(0))

    def item_version(self) -> int:
        """A number that grows whenever an item changed."""
        with self._reading() as connection:
            return counter(connection, "item_version") or 0

    def changed_items(self, after_version: int) -> list[Item]:
        """Items that are newer than a version, oldest change first."""
        table = tables.items
        newer = (
            select(table.c.item_id, table.c.body)
            .where(table.c.version > after_version)
            .order_by(table.c.version, table.c.item_id)
        )
        with self._reading() as connection:
            return [item_of(item_id, body) for item_id, body in connection.execute(newer)]

    def put_served(self, lists: Sequence[ServedList]) -> None:
        """Keep served lists; a list id that is there already is left as it was."""
        self.write([], [served_row(one) for one in lists])

    def served(self, list_id: str) -> ServedList | None:
        """The list that was served under an id."""
        asked = select(tables.served.c.body).where(tables.served.c.list_key == signed_key(list_id))
        with self._reading() as connection:
            body = connection.execute(asked).scalar()
        found = None if body is None else served_of(body)
        return found if found and found.list_id == list_id else None

    def newest_served(self, limit: int) -> list[ServedList]:
        """The lists that were served last, newest first."""
        table = tables.served
        newest = select(table.c.body).order_by(table.c.served_idx.desc()).limit(limit)
        with self._reading() as connection:
            return [served_of(body) for body in connection.execute(newest).scalars()]

    def quarantine(
        self, rows: Sequence[tuple[bytes, str, str]], *, at: datetime, keep: int = QUARANTINE_ROWS
    ) -> None:
        """Keep what was refused: (as it came, error code, detail); only the last `keep` stay."""
        table = tables.quarantined
        values = [
            {"at_ms": millis(at), "body": raw, "error": error, "detail": _storable(detail)}
            for raw, error, detail in rows
        ]
        if not values:
            return
        with self._writing() as connection:
            connection.execute(insert(table), values)
            newest = select(table.c.row_idx).order_by(table.c.row_idx.desc()).limit(1)
            last = connection.execute(newest).scalar_one()
            connection.execute(delete(table).where(table.c.row_idx <= last - keep))

    def quarantined(self, limit: int) -> list[Quarantined]:
        """What was refused last, newest first."""
        table = tables.quarantined
        newest = (
            select(table.c.at_ms, table.c.body, table.c.error, table.c.detail)
            .order_by(table.c.row_idx.desc())
            .limit(limit)
        )
        with self._reading() as connection:
            return [Quarantined(moment(at), *rest) for at, *rest in connection.execute(newest)]

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        if self._disk_failure is not None:
            raise StoreUnavailable(
                f"the record stopped writing after a disk failure, got {self._disk_failure!r}; "
                "mend the disk and start again"
            )
        try:
            with self._writing_engine.begin() as connection:
                yield connection
        except (DBAPIError, PoolTimeout) as cause:
            self._disk_failure = _disk_failure(cause)
            raise StoreUnavailable(f"the record cannot be written now: {_why(cause)}") from cause

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._reading_engine.connect() as connection:
                yield connection
        except (DBAPIError, PoolTimeout) as cause:
            raise StoreUnavailable(f"the record cannot be read now: {_why(cause)}") from cause


def _storable(text: str) -> str:
    # A reason quotes what was refused, and that may be half a surrogate pair.
    return text.encode(errors="backslashreplace").decode()


def _by_time(numbered: tuple[int, EventRow]) -> tuple[bool, int, int, int]:
    seq, row = numbered
    if row.at_ms is None:
        return False, seq, 0, 0
    return True, row.at_ms, row.type, row.event_key


def _why(cause: Exception) -> str:
    return str(cause.orig if isinstance(cause, DBAPIError) else cause)


def _disk_failure(cause: Exception) -> str | None:
    # After a failed fsync the kernel may call the lost pages clean, and the next fsync succeeds
    # without them. So a failed disk is final for this process: nothing is tried again and acked.
    orig = cause.orig if isinstance(cause, DBAPIError) else None
    code = getattr(orig, "sqlite_errorcode", 0)
    return str(orig) if code & 0xFF == sqlite3.SQLITE_IOERR else None
