"""The durable truth: events, items and served lists. Only the `record_*` files know the SQL."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Self

from sqlalchemy import URL, Connection, insert, select

from data import record_tables as tables
from data.checkpoints import Checkpoints
from data.home import Home
from data.privacy import Privacy
from data.record_aliases import Aliases
from data.record_audit import Audit
from data.record_controls import Choices
from data.record_erasures import Erasing
from data.record_keys import ServerKeys
from data.record_reading import rows_between
from data.record_refused import ROWS_KEPT, Quarantined, newest_refused, set_aside
from data.record_rows import (
    EventRow,
    ServedRow,
    by_time,
    event_of,
    event_row,
    item_body,
    item_of,
    served_of,
    served_row,
    signed_key,
)
from data.record_rules import Rules
from data.record_statements import (
    Outcome,
    bodies_of,
    changed_since,
    counted,
    counter,
    insert_events,
    insert_served,
    said_to,
    set_counter,
    write_items,
)
from data.record_store import Store, file_url, parsed_url
from data.record_upgrade import upgrade
from recsys.catalog import Item
from recsys.controls import Controls
from recsys.errors import ConfigError, StoreUnavailable
from recsys.events import Event, ServedList, millis
from recsys.files import locked, make_folder

__all__ = ["Batch", "News", "Outcome", "Quarantined", "Record"]

# Short transactions, so that an import of the catalogue does not keep events waiting.
ITEMS_A_TRANSACTION = 2_000


class Batch(NamedTuple):
    """Events that came together."""

    events: Sequence[Event]
    received_at: datetime


class News(NamedTuple):
    """What the record has of a person after a number.

    Attributes
    ----------
    upto_seq
        The number from which on there are none yet of this person.
    joins
        How many ids were joined to this person so far. When it grows, what was read before lacks
        what the new id did before.
    controls
        What the person chose, read with the rest.
    """

    events: list[Event]
    upto_seq: int
    joins: int
    controls: Controls


class Record:
    """One shop's record; several processes, and with a server several machines, may hold it.

    Every method that writes is one durable transaction: it returns after the disk has it, or raises
    and nothing of it is there. Threads may share a record.

    Attributes
    ----------
    damaged
        Numbers of rows that were read, found not to be what was written, and left out.
    aliases, audit, choices, erasing, server_keys, rules
        Which ids belong to one person; who did what; what persons chose; who is forgotten; whom it
        is shown to; what is wanted of lists.
    """

    def __init__(self, store: Store, privacy: Privacy) -> None:
        self._store = store
        self._reading = store.reading
        self._writing = store.writing
        self.choices = Choices(store, privacy)
        self.erasing = Erasing(store, self.choices)
        self.aliases = Aliases(store, self.choices)
        self.audit = Audit(store)
        self.server_keys = ServerKeys(store)
        self.rules = Rules(store)
        self.damaged: set[int] = set()

    @classmethod
    def of(cls, home: Home) -> Self:
        """The record of a home: where `url` of `[record]` in dapei.toml says, or in its file."""
        said = home.config().get("record", {})
        if not isinstance(said, dict) or set(said) - {"url"}:
            raise ConfigError("[record] of dapei.toml has unknown keys; allowed: url")
        url = parsed_url(str(said["url"])) if "url" in said else file_url(home.record_path)
        return cls.at(url, privacy=Privacy.of(home))

    @classmethod
    def open(cls, path: Path, *, busy_s: float = 10.0) -> Self:
        """The record in a file, made if there is none; the rest as for `at`."""
        return cls.at(file_url(path), busy_s=busy_s)

    @classmethod
    def at(cls, url: URL, *, busy_s: float = 10.0, privacy: Privacy | None = None) -> Self:
        """The record at an address, made if there is none.

        Parameters
        ----------
        busy_s
            How long to wait for another process's transaction before writing fails.
        privacy
            How it treats persons; without one, persons have names under no key.

        Raises
        ------
        ConfigError
            It was written by a version of the schema that this program does not know, or names
            persons under another key.
        StoreUnavailable
            It cannot be opened, or is no record.
        """
        folder = Path(url.database or "").parent
        record = cls(Store(url, busy_s=busy_s), privacy or Privacy())
        if record.is_file:
            make_folder(folder)
        try:
            # SQLite does not wait for another process that is just making the same file.
            with locked(folder) if record.is_file else nullcontext():
                record._prepare()
        except (ConfigError, StoreUnavailable):
            record.close()
            raise
        return record

    def _prepare(self) -> None:
        with self._writing() as connection:
            tables.metadata.create_all(connection)
            if counter(connection, "schema") is None:
                start = {"schema": tables.SCHEMA_VERSION} | dict.fromkeys(tables.COUNTERS, 0)
                connection.execute(
                    insert(tables.state), [{"name": n, "value": v} for n, v in start.items()]
                )
            upgrade(connection)
            self._check_key(connection)

    def _check_key(self, connection: Connection) -> None:
        """Under another key erased persons would be strangers, and come back."""
        known, mark = counter(connection, "privacy_key"), self.choices.privacy.mark
        if mark and not known:
            set_counter(connection, "privacy_key", mark)
        elif mark and known != mark:
            raise ConfigError(
                "the record names persons under another key than keys/privacy.key; "
                "allowed: the key it was made with, copied from the home that made it"
            )

    @property
    def is_file(self) -> bool:
        """Whether it is a file of this machine, so that reading it never waits for a network."""
        return self._store.is_file

    def close(self) -> None:
        """Let go of it; what was acknowledged is on disk already."""
        self._store.close()

    def checkpoints(self) -> Checkpoints:
        """Start to bring what is written into the file of the record beside the commits."""
        return Checkpoints(self._store)

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
            insert_served(connection, self.choices.unburied(connection, served))
            may_keep = self.choices.sifted(connection, rows, received)
            return insert_events(connection, rows, received, may_keep)

    def events_of(self, user_id: str, *, after_seq: int, limit: int) -> list[Event]:
        """A person's newest `limit` events after a number, in time order, undated ones first.

        Newest as they arrived. Events of one moment come in an order that does not depend on that
        of their arrival: by type, so that a refund follows its order, then by their ids' hashes.
        """
        return self.since(user_id, after_seq=after_seq, limit=limit)[0]

    def since(self, user_id: str, *, after_seq: int, limit: int) -> News:
        """The same events, and how far they go; those of every id of the person."""
        asked = said_to(self._store.dialect).newest_of_person
        values = asked.values(user_id=user_id, after_seq=after_seq, k=limit)
        # Read after the events, so that what a person chose is never older than these.
        found, chosen = self._store.found((asked.text, values), self.choices.asked(user_id))
        controls = self.choices.told(chosen)
        if not found:
            return News([], after_seq, 0, controls)
        numbered = [(row[1], EventRow._make(row[2:])) for row in found if row[1] is not None]
        events = (self._checked(seq, row) for seq, row in sorted(numbered, key=by_time))
        upto_seq = numbered[0][0] if numbered else after_seq
        whole = [event for event in events if event is not None]
        return News(whole, upto_seq, found[0][0], controls)

    def last_seq(self) -> int:
        """The number of the newest event; 0 if there is none."""
        with self._reading() as connection:
            return counter(connection, "seq") or 0

    def events_between(
        self, after_seq: int, upto_seq: int, *, batch: int = 100_000
    ) -> Iterator[list[tuple[int, Event, int]]]:
        """Events with their number and when they came (ms), in order of numbers, in batches.

        Rows that the disk damaged are left out and told in `damaged`.
        """
        for rows in rows_between(self._store, after_seq, upto_seq, batch, self.damaged):
            read = (
                (row[0], self._checked(row[0], EventRow._make(row[2:])), row[1]) for row in rows
            )
            whole = [(seq, event, came) for seq, event, came in read if event is not None]
            if whole:
                yield whole

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
        return iter({item.item_id: item for item in self.changed_items(0)}.values())

    def switch_items(self, item_ids: Sequence[str], *, available: bool, at: datetime) -> list[str]:
        """Take items off sale or back on; the ids that no item has, the others are switched."""
        unknown: list[str] = []
        for start in range(0, len(item_ids), ITEMS_A_TRANSACTION):
            chunk = item_ids[start : start + ITEMS_A_TRANSACTION]
            with self._writing() as connection:
                known = bodies_of(connection, chunk)
                switched = {
                    item_id: item_body(replace(item_of(item_id, body), available=available))
                    for item_id, body in known.items()
                }
                write_items(connection, switched, changed_ms=millis(at), replace=True)
            unknown += [item_id for item_id in chunk if item_id not in known]
        return unknown

    def items_of(self, item_ids: Sequence[str]) -> dict[str, Item]:
        """Those of the items that are known."""
        with self._reading() as connection:
            bodies = bodies_of(connection, item_ids)
        return {item_id: item_of(item_id, body) for item_id, body in bodies.items()}

    def item_version(self) -> int:
        """A number that grows whenever an item changed."""
        with self._reading() as connection:
            return counter(connection, "item_version") or 0

    def changed_items(self, after_version: int) -> Iterator[Item]:
        """Items that are newer than a version, oldest change first, a page at a time.

        An item that changes while this reads is told again, with what it has become.
        """
        last = (after_version + 1, "")
        while True:
            with self._reading() as connection:
                page = changed_since(connection, last, ITEMS_A_TRANSACTION)
            yield from (item_of(row.item_id, row.body) for row in page)
            if len(page) < ITEMS_A_TRANSACTION:
                return
            last = (page[-1].version, page[-1].item_id)

    def latest_items(self, limit: int) -> list[Item]:
        """The items that changed last, at most so many, oldest change first."""
        table = tables.items
        latest = select(table.c.item_id, table.c.body).order_by(table.c.version.desc()).limit(limit)
        with self._reading() as connection:
            found = [item_of(item_id, body) for item_id, body in connection.execute(latest)]
        return found[::-1]

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

    def served_to(self, user_id: str, limit: int) -> list[ServedList]:
        """The lists an id was given last, newest first; what a worker just answered comes later."""
        table = tables.served
        newest = (
            select(table.c.body)
            .where(table.c.user_id == user_id)
            .order_by(table.c.served_idx.desc())
            .limit(limit)
        )
        with self._reading() as connection:
            return [served_of(body) for body in connection.execute(newest).scalars()]

    def quarantine(
        self, rows: Sequence[tuple[bytes, str, str]], *, at: datetime, keep: int = ROWS_KEPT
    ) -> None:
        """Keep what was refused: (as it came, error code, detail); only the last `keep` stay."""
        if rows:
            with self._writing() as connection:
                set_aside(connection, rows, at=at, keep=keep)

    def quarantined(self, limit: int) -> list[Quarantined]:
        """What was refused last, newest first."""
        with self._reading() as connection:
            return newest_refused(connection, limit)

    def fence(self) -> int:
        """A number that grows when copies of histories elsewhere may be older than they say."""
        with self._reading() as connection:
            return counter(connection, "fence") or 0

    def raise_fence(self) -> int:
        """Tell every reader, durably, not to trust copies of before; the new number."""
        with self._writing() as connection:
            return counted(connection, "fence")

    def backup(self, path: Path) -> None:
        """Copy a record in a file to another file while it is written to; whole or not at all.

        Raises
        ------
        ConfigError
            The record is on a server, which has its own way to be copied, or the file is there.
        StoreUnavailable
            It cannot be read, or the copy not written.
        """
        if not self.is_file:
            raise ConfigError("the record is kept by a server; allowed: pg_dump or pg_basebackup")
        if path.exists():
            raise ConfigError(f"there is a file already, got {path}; allowed: a new name")
        self._store.copy(path)
