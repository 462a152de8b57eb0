"""What the record asks and writes inside one transaction; nothing here begins or ends one."""

from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Connection,
    Dialect,
    Row,
    Select,
    Text,
    bindparam,
    cast,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.sql import ClauseElement
from sqlalchemy.types import TypeEngine

from data import record_tables as tables
from data.record_rows import EventRow, ServedRow

Found = Sequence[Row[*tuple[Any, ...]]]

UPSERTS = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class Outcome(StrEnum):
    """What became of one event; neither a conflict nor what may not be kept was ever stored."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    NOT_KEPT = "not_kept"


class Prepared:
    """A statement as the driver's own text, with values by place.

    That is twice as fast as by name through the compiler.
    """

    def __init__(self, statement: ClauseElement, dialect: str) -> None:
        by_place: Dialect = sqlite.dialect()
        if dialect == "postgresql":
            by_place = psycopg.dialect(paramstyle="format")  # type: ignore[no-untyped-call]
        compiled: Any = statement.compile(dialect=by_place)
        self.text = str(compiled)
        self._order: list[str] = compiled.positiontup
        self._given: dict[str, Any] = compiled.params

    def values(self, **asked: Any) -> tuple[Any, ...]:
        """These values by place."""
        asked = self._given | asked
        return tuple([asked[name] for name in self._order])

    def rows(self, connection: Connection, **asked: Any) -> Found:
        """What the statement finds for these values."""
        return connection.exec_driver_sql(self.text, self.values(**asked)).all()

    def write(self, connection: Connection, values: Sequence[tuple[Any, ...]]) -> None:
        """Run it once for each tuple, in the order of its places."""
        connection.exec_driver_sql(self.text, list(values))


_EVENT_COLUMNS = (
    tables.events.c.event_key,
    tables.users.c.user_id,
    tables.events.c.type,
    tables.events.c.at_ms,
    tables.events.c.event_id,
    tables.events.c.item_id,
    tables.events.c.more,
    tables.events.c.body_hash,
)
_me = tables.users.alias("me")
# A person without events after the number is one row of nothing: it still tells of the joins.
_NEWEST_OF_PERSON = (
    select(_me.c.joins, tables.events.c.seq, *_EVENT_COLUMNS)
    .select_from(
        _me.outerjoin(
            tables.events,
            (tables.events.c.person_idx == _me.c.person_idx)
            & (tables.events.c.seq > bindparam("after_seq", type_=BigInteger)),
        ).outerjoin(tables.users, tables.users.c.user_idx == tables.events.c.user_idx)
    )
    .where(_me.c.user_id == bindparam("user_id", type_=Text))
    .order_by(tables.events.c.seq.desc())
    .limit(bindparam("k"))
)
BETWEEN = (
    select(tables.events.c.seq, tables.events.c.received_ms, *_EVENT_COLUMNS)
    .select_from(
        tables.events.join(tables.users, tables.users.c.user_idx == tables.events.c.user_idx)
    )
    .where(tables.events.c.seq > bindparam("after_seq"))
    .where(tables.events.c.seq <= bindparam("upto_seq"))
    .order_by(tables.events.c.seq)
    .limit(bindparam("k"))
)
_COUNTER = select(tables.state.c.value).where(tables.state.c.name == bindparam("counter"))


def listed(dialect: str, kind: TypeEngine[Any]) -> Select[Any]:
    """The values of a JSON list: a statement with a thousand places costs more than its answer."""
    if dialect == "sqlite":
        return select(func.json_each(bindparam("keys")).table_valued("value").c.value)
    told = cast(bindparam("keys", type_=Text), postgresql.JSON)
    return select(cast(func.json_array_elements_text(told).table_valued("value").c.value, kind))


class Statements:
    """What is said often, as one kind of database wants to hear it."""

    def __init__(self, dialect: str) -> None:
        events, users, items = tables.events.c, tables.users.c, tables.items.c
        numbers, texts = listed(dialect, BigInteger()), listed(dialect, Text())
        self.known_events = Prepared(
            select(events.event_key, events.body_hash).where(events.event_key.in_(numbers)), dialect
        )
        self.known_users = Prepared(
            select(users.user_id, users.user_idx, users.person_idx).where(users.user_id.in_(texts)),
            dialect,
        )
        self.known_items = Prepared(
            select(items.item_id, items.body).where(items.item_id.in_(texts)), dialect
        )
        self.insert_events = Prepared(insert(tables.events), dialect)
        self.insert_users = Prepared(
            insert(tables.users).values(user_idx=None, user_id=None, person_idx=None), dialect
        )
        a_list: Any = UPSERTS[dialect](tables.served).values(dict.fromkeys(ServedRow._fields))
        self.insert_served = Prepared(a_list.on_conflict_do_nothing().inline(), dialect)
        # The newest rows of a person after a number, newest first: (joins, seq, *values).
        self.newest_of_person = Prepared(_NEWEST_OF_PERSON, dialect)


@cache
def said_to(dialect: str) -> Statements:
    """The statements for "sqlite" or "postgresql"."""
    return Statements(dialect)


def _statements(connection: Connection) -> Statements:
    return said_to(connection.dialect.name)


def upsert(connection: Connection, table: Any) -> Any:
    """An insert of the kind that knows what to do with what is there already."""
    return UPSERTS[connection.dialect.name](table)


def counter(connection: Connection, name: str) -> int | None:
    """The value of a counter; None before the record is prepared."""
    return connection.execute(_COUNTER, {"counter": name}).scalar()


def set_counter(connection: Connection, name: str, value: int) -> None:
    """Let a counter have a value."""
    change = update(tables.state).where(tables.state.c.name == bindparam("counter"))
    connection.execute(change, {"counter": name, "value": value})


def counted(connection: Connection, name: str, n: int = 1) -> int:
    """Take n numbers from a counter; the last of them."""
    value = (counter(connection, name) or 0) + n
    set_counter(connection, name, value)
    return value


def as_keys(keys: Sequence[Any]) -> str:
    """Values as such a list."""
    return orjson.dumps(keys).decode()


def insert_events(
    connection: Connection,
    batches: list[list[EventRow]],
    received: list[int],
    may_keep: list[list[bool]],
) -> list[list[Outcome]]:
    """Store what is new and may be kept.

    `received` has one time (ms) a batch, the answer one outcome an event.
    """
    keys = sorted({row.event_key for rows in batches for row in rows})
    found = _statements(connection).known_events.rows(connection, keys=as_keys(keys))
    known: dict[int, bytes] = {row[0]: row[1] for row in found}
    outcomes, fresh = [], []
    for rows, received_ms, may in zip(batches, received, may_keep, strict=True):
        outcomes.append(
            [
                _judge(row, known) if is_kept else Outcome.NOT_KEPT
                for row, is_kept in zip(rows, may, strict=True)
            ]
        )
        fresh += [
            (row, received_ms)
            for row, outcome in zip(rows, outcomes[-1], strict=True)
            if outcome is Outcome.ACCEPTED
        ]
    if fresh:
        _insert_fresh(connection, fresh)
    return outcomes


def _judge(row: EventRow, known: dict[int, bytes]) -> Outcome:
    """The outcome of one event; an accepted one is known from now on."""
    before = known.get(row.event_key)
    if before is None:
        known[row.event_key] = row.body_hash
        return Outcome.ACCEPTED
    return Outcome.DUPLICATE if before == row.body_hash else Outcome.CONFLICT


def _insert_fresh(connection: Connection, fresh: list[tuple[EventRow, int]]) -> None:
    who = user_idxs(connection, {row.user_id for row, _ in fresh})
    first = counted(connection, "seq", len(fresh)) - len(fresh) + 1
    values = [
        (
            seq,
            row.event_key,
            *who[row.user_id],
            row.type,
            row.at_ms,
            received_ms,
            row.event_id,
            row.item_id,
            row.more,
            row.body_hash,
        )
        for seq, (row, received_ms) in enumerate(fresh, start=first)
    ]
    _statements(connection).insert_events.write(connection, values)


def known_users(connection: Connection, user_ids: set[str]) -> dict[str, tuple[int, int]]:
    """(user_idx, person_idx) of those ids that are known."""
    found = _statements(connection).known_users.rows(connection, keys=as_keys(sorted(user_ids)))
    return {row[0]: (row[1], row[2]) for row in found}


def user_idxs(connection: Connection, user_ids: set[str]) -> dict[str, tuple[int, int]]:
    """(user_idx, person_idx) of each id; strangers are made known."""
    known = known_users(connection, user_ids)
    strangers = sorted(user_ids - known.keys())
    if strangers:
        first = counted(connection, "user", len(strangers)) - len(strangers) + 1
        news = {user_id: (idx, idx) for idx, user_id in enumerate(strangers, start=first)}
        values = [(idx, user_id, idx) for user_id, (idx, _) in news.items()]
        _statements(connection).insert_users.write(connection, values)
        known |= news
    return known


def bodies_of(connection: Connection, item_ids: Sequence[str]) -> dict[str, bytes]:
    """What is kept of those items that are known."""
    found = _statements(connection).known_items.rows(connection, keys=as_keys(item_ids))
    return {row[0]: row[1] for row in found}


def changed_since(connection: Connection, last: tuple[int, str], limit: int) -> Found:
    """Items behind one, given by version and id, in the order of their changes."""
    items, (version, item_id) = tables.items.c, last
    # The first condition is what the index is asked for.
    behind = (items.version >= version) & ((items.version > version) | (items.item_id > item_id))
    asked = select(items.version, items.item_id, items.body).where(behind)
    return connection.execute(asked.order_by(items.version, items.item_id).limit(limit)).all()


def write_items(
    connection: Connection, bodies: dict[str, bytes], *, changed_ms: int, replace: bool
) -> int:
    """Store the items that are new, or with `replace` also those that changed; how many."""
    known = bodies_of(connection, list(bodies))
    news = {
        item_id: body
        for item_id, body in bodies.items()
        if (known.get(item_id) != body if replace else item_id not in known)
    }
    if not news:
        return 0
    version = counted(connection, "item_version")
    values = [
        {"item_id": item_id, "version": version, "changed_ms": changed_ms, "body": body}
        for item_id, body in news.items()
    ]
    statement = upsert(connection, tables.items)
    said = {name: statement.excluded[name] for name in ("version", "changed_ms", "body")}
    known_too = statement.on_conflict_do_update(index_elements=["item_id"], set_=said)
    connection.execute(known_too, values)
    return len(values)


def insert_served(connection: Connection, lists: Sequence[ServedRow]) -> None:
    """Store served lists; an id that is there already keeps its list."""
    if lists:
        _statements(connection).insert_served.write(connection, lists)
