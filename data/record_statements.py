"""What the record asks and writes inside one transaction; nothing here begins or ends one."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import orjson
from sqlalchemy import Connection, Row, Select, bindparam, func, insert, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert as upsert

from data import record_tables as tables
from data.record_rows import EventRow, ServedRow


class Outcome(StrEnum):
    """What became of one event; only a conflict was not stored now or before."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"


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
_WITH_USER = tables.events.join(tables.users, tables.users.c.user_idx == tables.events.c.user_idx)
_NEWEST_OF_USER = (
    select(tables.events.c.seq, *_EVENT_COLUMNS)
    .select_from(_WITH_USER)
    .where(tables.users.c.user_id == bindparam("user_id"))
    .where(tables.events.c.seq > bindparam("after_seq"))
    .order_by(tables.events.c.seq.desc())
    .limit(bindparam("k"))
)
BETWEEN = (
    select(tables.events.c.seq, tables.events.c.received_ms, *_EVENT_COLUMNS)
    .select_from(_WITH_USER)
    .where(tables.events.c.seq > bindparam("after_seq"))
    .where(tables.events.c.seq <= bindparam("upto_seq"))
    .order_by(tables.events.c.seq)
    .limit(bindparam("k"))
)
# The keys come as one JSON list: a statement with a thousand places costs more than its answer.
_KEYS = select(func.json_each(bindparam("keys")).table_valued("value").c.value)
_KNOWN_EVENTS = select(tables.events.c.event_key, tables.events.c.body_hash).where(
    tables.events.c.event_key.in_(_KEYS)
)
_KNOWN_USERS = select(tables.users.c.user_id, tables.users.c.user_idx).where(
    tables.users.c.user_id.in_(_KEYS)
)
_KNOWN_ITEMS = select(tables.items.c.item_id, tables.items.c.body).where(
    tables.items.c.item_id.in_(_KEYS)
)
# As text and with values by place, which is twice as fast as by name through the compiler.
_INSERT_EVENTS = str(insert(tables.events).compile(dialect=sqlite.dialect()))
_NEWEST_OF_USER_TEXT = str(_NEWEST_OF_USER.compile(dialect=sqlite.dialect()))
_INSERT_USERS = str(insert(tables.users).compile(dialect=sqlite.dialect()))
_COUNTER = select(tables.state.c.value).where(tables.state.c.name == bindparam("counter"))


def counter(connection: Connection, name: str) -> int | None:
    """The value of a counter; None before the record is prepared."""
    return connection.execute(_COUNTER, {"counter": name}).scalar()


def _set_counter(connection: Connection, name: str, value: int) -> None:
    change = update(tables.state).where(tables.state.c.name == bindparam("counter"))
    connection.execute(change, {"counter": name, "value": value})


def _known(connection: Connection, query: Select[Any], keys: Sequence[Any]) -> dict[Any, Any]:
    asked = {"keys": orjson.dumps(keys).decode()}
    found = connection.execute(query, asked)
    return {row[0]: row[1] for row in found}


def newest_of_user(
    connection: Connection, user_id: str, *, after_seq: int, limit: int
) -> Sequence[Row[Any]]:
    """The newest rows of a person after a number, newest first: (seq, *values of the event)."""
    # The last value is the offset that SQLAlchemy writes beside every limit.
    asked = (user_id, after_seq, limit, 0)
    return connection.exec_driver_sql(_NEWEST_OF_USER_TEXT, asked).all()


def insert_events(
    connection: Connection, batches: list[list[EventRow]], received: list[int]
) -> list[list[Outcome]]:
    """Store what is new; `received` has one time (ms) a batch, the answer one outcome an event."""
    keys = sorted({row.event_key for rows in batches for row in rows})
    known = _known(connection, _KNOWN_EVENTS, keys)
    outcomes, fresh = [], []
    for rows, received_ms in zip(batches, received, strict=True):
        outcomes.append([_judge(row, known) for row in rows])
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
    user_idxs = _user_idxs(connection, {row.user_id for row, _ in fresh})
    seq = counter(connection, "seq") or 0
    values = [
        (
            seq + n,
            row.event_key,
            user_idxs[row.user_id],
            row.type,
            row.at_ms,
            received_ms,
            row.event_id,
            row.item_id,
            row.more,
            row.body_hash,
        )
        for n, (row, received_ms) in enumerate(fresh, start=1)
    ]
    connection.exec_driver_sql(_INSERT_EVENTS, values)
    _set_counter(connection, "seq", seq + len(fresh))


def _user_idxs(connection: Connection, user_ids: set[str]) -> dict[str, int]:
    known: dict[str, int] = _known(connection, _KNOWN_USERS, sorted(user_ids))
    strangers = sorted(user_ids - known.keys())
    if strangers:
        last = counter(connection, "user") or 0
        news = {user_id: last + n for n, user_id in enumerate(strangers, start=1)}
        values = [(user_idx, user_id) for user_id, user_idx in news.items()]
        connection.exec_driver_sql(_INSERT_USERS, values)
        _set_counter(connection, "user", last + len(news))
        known |= news
    return known


def write_items(
    connection: Connection, bodies: dict[str, bytes], *, changed_ms: int, replace: bool
) -> int:
    """Store the items that are new, or with `replace` also those that changed; how many."""
    known: dict[str, bytes] = _known(connection, _KNOWN_ITEMS, list(bodies))
    version = (counter(connection, "item_version") or 0) + 1
    values = [
        {"item_id": item_id, "version": version, "changed_ms": changed_ms, "body": body}
        for item_id, body in bodies.items()
        if (known.get(item_id) != body if replace else item_id not in known)
    ]
    if values:
        statement = upsert(tables.items)
        said = {name: statement.excluded[name] for name in ("version", "changed_ms", "body")}
        connection.execute(statement.on_conflict_do_update(["item_id"], set_=said), values)
        _set_counter(connection, "item_version", version)
    return len(values)


def insert_served(connection: Connection, lists: Sequence[ServedRow]) -> None:
    """Store served lists; an id that is there already keeps its list."""
    if lists:
        values = [row._asdict() for row in lists]
        connection.execute(upsert(tables.served).on_conflict_do_nothing(), values)
