"""Erasing persons from the record; each step is a transaction, or may be done twice."""

from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Table,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from data.record_audit import Deed, note
from data.record_controls import Choices, ids_within
from data.record_statements import counted, known_users, upsert
from data.record_store import Store
from data.record_tables import (
    aliases,
    controls,
    erased_seqs,
    erasures,
    events,
    quarantined,
    served,
    users,
)
from recsys.events import millis, moment

ROWS_A_TRANSACTION = 5_000
# In the order in which a person goes: what lists are made from first.
STEPS = ("record", "pages", "lake", "histories", "files", "copies")


class Erasure(NamedTuple):
    """One person's way out.

    Attributes
    ----------
    steps
        Those that are done.
    ids
        The person's ids; none once it is over.
    """

    erasure_idx: int
    person: str
    asked_at: datetime
    done_at: datetime | None
    steps: tuple[str, ...]
    ids: tuple[str, ...]


class Erasing:
    """The erasures of one record."""

    def __init__(self, store: Store, choices: Choices) -> None:
        self._store = store
        self._choices = choices

    def ask(self, user_id: str, deed: Deed, *, at: datetime) -> Erasure:
        """Begin, or return the one that is under way; from here on nothing is kept nor shown."""
        name_of = self._choices.privacy.name_of
        with self._store.writing() as connection:
            running = self._newest(connection, name_of(user_id))
            if running is not None and running.done_at is None:
                return running
            ids = ids_within(connection, user_id)
            for one in ids:
                self._bury(connection, name_of(one), millis(at))
            erasure = self._begin(connection, name_of(user_id), ids, at)
            note(connection, deed._replace(about=name_of(user_id)), at=at)
        return erasure

    def ask_again(self, person: str, user_ids: Iterable[str], erased_ms: int, at: datetime) -> None:
        """Erase who was erased already: a copy of before was put back.

        Parameters
        ----------
        person, user_ids
            A name under the key, and its ids in the record.
        """
        with self._store.writing() as connection:
            self._bury(connection, person, erased_ms)
            ids = list(user_ids)
            if ids:
                self._begin(connection, person, ids, at)
            note(connection, Deed("dapei", "erase again", person, "a copy was put back"), at=at)

    def buried(self) -> dict[str, int]:
        """When persons were erased (ms), by their names under the key."""
        asked = select(controls.c.person, controls.c.erased_ms)
        with self._store.reading() as connection:
            rows = connection.execute(asked.where(controls.c.erased_ms.is_not(None)))
            return {row.person: row.erased_ms for row in rows}

    def named(self, persons: Iterable[str]) -> dict[str, list[str]]:
        """The ids in the record that have these names; a pass over everybody."""
        wanted, found = set(persons), dict[str, list[str]]()
        if not wanted:
            return found
        with self._store.reading() as connection:
            for user_id in connection.execute(select(users.c.user_id)).scalars():
                person = self._choices.privacy.name_of(user_id)
                if person in wanted:
                    found.setdefault(person, []).append(user_id)
        return found

    def pending(self) -> list[Erasure]:
        """Those under way, the first asked for first."""
        asked = select(erasures).where(erasures.c.done_ms.is_(None))
        with self._store.reading() as connection:
            rows = connection.execute(asked.order_by(erasures.c.erasure_idx)).all()
        return [self._read(row) for row in rows]

    def newest(self, user_id: str) -> Erasure | None:
        """The last one of a person."""
        with self._store.reading() as connection:
            return self._newest(connection, self._choices.privacy.name_of(user_id))

    def step_done(self, erasure: Erasure, step: str) -> Erasure:
        """Write down that a step is over."""
        steps = tuple(dict.fromkeys((*erasure.steps, step)))
        change = update(erasures).where(erasures.c.erasure_idx == erasure.erasure_idx)
        with self._store.writing() as connection:
            connection.execute(change.values(steps=" ".join(steps)))
        return erasure._replace(steps=steps)

    def finish(self, erasure: Erasure, *, at: datetime) -> None:
        """Write down that it is over, and forget whose it was."""
        change = update(erasures).where(erasures.c.erasure_idx == erasure.erasure_idx)
        with self._store.writing() as connection:
            connection.execute(change.values(done_ms=millis(at), ids=None))
            deed = Deed("dapei", "erased", erasure.person, "every step is done")
            note(connection, deed, at=at)

    def clear_record(self, ids: Iterable[str]) -> None:
        """Delete every row of a person; short transactions, so that others' events go on."""
        listed = list(ids)
        with self._store.reading() as connection:
            known = known_users(connection, set(listed))
        idxs = [user_idx for user_idx, _ in known.values()]
        if idxs:
            theirs = or_(events.c.user_idx.in_(idxs), events.c.person_idx.in_(idxs))
            self._drain(lambda connection: drop_events(connection, theirs))
        self._drain(lambda connection: _drop_some(connection, served, served.c.user_id.in_(listed)))
        self._drop_quarantined(listed)
        with self._store.writing() as connection:
            named = aliases.c.guest_idx.in_(idxs) | aliases.c.user_idx.in_(idxs)
            connection.execute(delete(aliases).where(named))
            connection.execute(delete(users).where(users.c.user_idx.in_(idxs)))

    def drain_events(self, before_ms: int) -> int:
        """Delete what happened before a moment, undated events by when they came; how many."""
        happened_ms = func.coalesce(events.c.at_ms, events.c.received_ms)
        return self._drain(lambda one: drop_events(one, happened_ms < before_ms))

    def drain(self, table: Table, before_ms: int) -> int:
        """Delete rows of a table with a time of before a moment; how many."""
        return self._drain(lambda one: _drop_some(one, table, table.c.at_ms < before_ms))

    def clean_pages(self, ids: Iterable[str]) -> None:
        """Leave nothing of deleted rows, nor of these ids, in the files of the database."""
        self._store.clean({mark for one in ids for mark in marks_of(one)})

    def _drain(self, drop: Callable[[Connection], int]) -> int:
        total = 0
        while True:
            with self._store.writing() as connection:
                n = drop(connection)
            total += n
            if n < ROWS_A_TRANSACTION:
                return total

    def _drop_quarantined(self, ids: list[str]) -> None:
        """Rows in whose bytes one of the ids stands, however JSON wrote it."""
        marks = {mark for one in ids for mark in marks_of(one)}
        asked = select(quarantined.c.row_idx, quarantined.c.body, quarantined.c.detail)
        with self._store.reading() as connection:
            found = [
                row.row_idx
                for row in connection.execute(asked)
                if any(mark in row.body or mark in row.detail.encode() for mark in marks)
            ]
        for start in range(0, len(found), ROWS_A_TRANSACTION):
            some = found[start : start + ROWS_A_TRANSACTION]
            with self._store.writing() as connection:
                connection.execute(delete(quarantined).where(quarantined.c.row_idx.in_(some)))

    def _newest(self, connection: Connection, person: str) -> Erasure | None:
        asked = select(erasures).where(erasures.c.person == person)
        row = connection.execute(asked.order_by(erasures.c.erasure_idx.desc()).limit(1)).first()
        return None if row is None else self._read(row)

    def _read(self, row: Row[*tuple[Any, ...]]) -> Erasure:
        idx, person, asked_ms, done_ms, steps, ids = row
        return Erasure(
            idx,
            person,
            moment(asked_ms),
            None if done_ms is None else moment(done_ms),
            tuple(steps.split()),
            () if ids is None else tuple(orjson.loads(self._choices.privacy.opened(ids))),
        )

    def _bury(self, connection: Connection, person: str, erased_ms: int) -> None:
        values = {
            "person": person,
            "version": counted(connection, "controls"),
            "changed_ms": erased_ms,
            "erased_ms": erased_ms,
        }
        statement = upsert(connection, controls).values(values)
        new = {name: statement.excluded[name] for name in values if name != "person"}
        forgotten = new | {"body": None, "renewed_ms": None}
        connection.execute(
            statement.on_conflict_do_update(index_elements=["person"], set_=forgotten)
        )

    def _begin(self, connection: Connection, person: str, ids: list[str], at: datetime) -> Erasure:
        idx = counted(connection, "erasure")
        values = {
            "erasure_idx": idx,
            "person": person,
            "asked_ms": millis(at),
            "steps": "",
            "ids": self._choices.privacy.sealed(orjson.dumps(ids)),
        }
        connection.execute(insert(erasures), values)
        return Erasure(idx, person, at, None, (), tuple(ids))


def marks_of(user_id: str) -> set[bytes]:
    """The bytes an id is written with: plain, and as JSON may escape it."""
    plain = user_id.encode(errors="surrogatepass")
    escaped = "".join(one if one.isascii() else f"\\u{ord(one):04x}" for one in user_id).encode()
    return {plain, orjson.dumps(plain.decode(errors="replace"))[1:-1], escaped}


def drop_events(connection: Connection, which: ColumnElement[bool]) -> int:
    """Delete some events and keep their numbers, so that the gap is no damage; how many."""
    asked = select(events.c.seq).where(which).limit(ROWS_A_TRANSACTION)
    seqs = sorted(connection.execute(asked).scalars())
    if seqs:
        runs = [list(run) for _, run in groupby(enumerate(seqs), key=lambda one: one[1] - one[0])]
        values = [{"first_seq": run[0][1], "last_seq": run[-1][1]} for run in runs]
        connection.execute(insert(erased_seqs), values)
        for start in range(0, len(seqs), 1_000):
            some = seqs[start : start + 1_000]
            connection.execute(delete(events).where(events.c.seq.in_(some)))
    return len(seqs)


def _drop_some(connection: Connection, table: Table, which: ColumnElement[bool]) -> int:
    (key,) = table.primary_key.columns
    some = select(key).where(which).limit(ROWS_A_TRANSACTION)
    done = connection.execute(delete(table).where(key.in_(some)))
    return int(done.rowcount)


def erased_between(connection: Connection, first_seq: int, last_seq: int) -> set[int]:
    """The numbers of erased events in a range."""
    asked = (
        select(erased_seqs.c.first_seq, erased_seqs.c.last_seq)
        .where(erased_seqs.c.first_seq <= last_seq)
        .where(erased_seqs.c.last_seq >= first_seq)
    )
    return {
        seq
        for first, last in connection.execute(asked)
        for seq in range(max(first, first_seq), min(last, last_seq) + 1)
    }


def n_erased(connection: Connection) -> int:
    """How many events were erased."""
    spans = select(func.sum(erased_seqs.c.last_seq - erased_seqs.c.first_seq + 1))
    return int(connection.execute(spans).scalar() or 0)
