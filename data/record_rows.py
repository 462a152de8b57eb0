"""Events, items and served lists ↔ the values of the record's rows; no SQL here."""

import json
from dataclasses import MISSING, fields
from datetime import datetime
from hashlib import blake2b
from operator import attrgetter
from typing import Any, NamedTuple, get_args, get_origin

import orjson

from recsys.catalog import Item, Kind
from recsys.errors import InvalidInput, InvalidItem
from recsys.events import Event, EventType, Platform, ServedItem, ServedList, millis, moment
from recsys.ids import hash64

NUMBERS = frozenset({"play_s", "duration_s", "dwell_s"})
EVENT_TYPES = {int(kind): kind for kind in EventType}
EVENT_DEFAULTS: tuple[tuple[str, Any], ...] = tuple(
    (f.name, None if f.default is MISSING else f.default) for f in fields(Event)
)
# What few events say, in the order in which it is kept.
FEW = (
    *("play_s", "duration_s", "dwell_s", "quantity", "amount_minor"),
    *("order_id", "choice", "list_id", "position", "platform"),
)
_few_of = attrgetter(*FEW)


def signed_key(text: str) -> int:
    """The 64-bit hash of a text as SQL's signed integer."""
    key = hash64(text)
    return key - 2**64 if key >= 2**63 else key


class EventRow(NamedTuple):
    """One event as the record keeps it; `more` holds what few events say.

    Attributes
    ----------
    event_key
        Signed 64-bit hash of the event's id. A stranger's id is taken for another one with a
        chance of 1 in 2^64 for each event kept; it is then refused, never mixed up.
    body_hash
        16 bytes over everything the caller said: equal means the same body.
    """

    event_key: int
    user_id: str
    type: int
    at_ms: int | None
    event_id: str
    item_id: str
    more: bytes | None
    body_hash: bytes

    @classmethod
    def of(
        cls, ids: tuple[str, str, str], *, kind: int, at_ms: int | None, more: bytes | None
    ) -> "EventRow":
        """The row of what was said; ids are those of event, user and item."""
        event_id, user_id, item_id = ids
        body_hash = _body_hash((event_id, user_id, item_id, kind, at_ms), more)
        key = signed_key(event_id)
        return cls(key, user_id, kind, at_ms, event_id, item_id, more, body_hash)


def by_time(numbered: tuple[int, EventRow]) -> tuple[bool, int, int, int]:
    """What a person's rows with their numbers are ordered by: `Record.events_of` says why so."""
    seq, row = numbered
    if row.at_ms is None:
        return False, seq, 0, 0
    return True, row.at_ms, row.type, row.event_key


def event_row(event: Event) -> EventRow:
    """The values to keep of an event; times to the millisecond."""
    at = event.at
    return EventRow.of(
        (event.event_id, event.user_id, event.item_id),
        kind=int(event.type),
        at_ms=None if at is None else millis(at),
        more=_more(event),
    )


def event_of(row: EventRow) -> Event | None:
    """The event of a row; None if the row is not what was once written."""
    body = (row.event_id, row.user_id, row.item_id, row.type, row.at_ms)
    try:
        is_whole = _body_hash(body, row.more) == row.body_hash
    except TypeError:
        # A database that keeps a kind with every value gives back another kind when that is hit.
        is_whole = False
    if not is_whole:
        return None
    said: dict[str, Any] = orjson.loads(row.more) if row.more else {}
    if "platform" in said:
        said["platform"] = Platform(said["platform"])
    if "props" in said:
        said["props"] = json.loads(said["props"])
    said["event_id"], said["user_id"], said["item_id"] = body[:3]
    said["type"] = EVENT_TYPES[row.type]
    said["at"] = None if row.at_ms is None else moment(row.at_ms)
    return _born_before(said)


def _born_before(said: dict[str, Any]) -> Event:
    # An event is checked at birth, and the hash has just proved that this is the one that was
    # checked then; checking again would cost more than all the rest of reading it.
    event = object.__new__(Event)
    for name, default in EVENT_DEFAULTS:
        value = said.get(name, default)
        object.__setattr__(event, name, {} if value is None and name == "props" else value)
    return event


def _more(event: Event) -> bytes | None:
    said: dict[str, Any] = {
        name: value
        for name, value in zip(FEW, _few_of(event), strict=True)
        if value is not None and value is not Platform.OTHER
    }
    for name in NUMBERS & said.keys():
        said[name] = float(said[name])
    if event.props:
        # json and not orjson: it writes whatever an event may carry, deep nesting and all, and a
        # group of many callers' events must not fail because of one. Twice, because only then are
        # all keys texts that can be sorted.
        said["props"] = json.dumps(json.loads(json.dumps(event.props)), sort_keys=True)
    return orjson.dumps(said) if said else None


def _body_hash(plain: tuple[str | int | None, ...], more: bytes | None) -> bytes:
    return blake2b(orjson.dumps(plain) + (more or b""), digest_size=16).digest()


ITEM_DEFAULTS: dict[str, Any] = {
    f.name: f.default if f.default_factory is MISSING else f.default_factory()
    for f in fields(Item)
    if f.name != "item_id"
}
ITEM_TUPLES = frozenset(f.name for f in fields(Item) if get_origin(f.type) is tuple)
ITEM_TIMES = frozenset(f.name for f in fields(Item) if datetime in get_args(f.type))


def item_body(item: Item) -> bytes:
    """Everything about an item but its id; equal bytes mean nothing changed.

    Raises
    ------
    InvalidItem
        A text cannot be written as UTF-8.
    """
    said = {name: getattr(item, name) for name in ITEM_DEFAULTS}
    said = {name: value for name, value in said.items() if value != ITEM_DEFAULTS[name]}
    said |= {name: millis(said[name]) for name in ITEM_TIMES & said.keys()}
    try:
        return orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as cause:
        raise InvalidItem(f"item {item.item_id} cannot be written as JSON: {cause}") from cause


def item_of(item_id: str, body: bytes) -> Item:
    """The item of a row."""
    said: dict[str, Any] = orjson.loads(body)
    said |= {name: tuple(said[name]) for name in ITEM_TUPLES & said.keys()}
    said |= {name: moment(said[name]) for name in ITEM_TIMES & said.keys()}
    return Item(item_id=item_id, **(said | {"kind": Kind(said["kind"])}))


class ServedRow(NamedTuple):
    """One served list as the record keeps it, by the names of its columns."""

    list_key: int
    user_id: str | None
    at_ms: int
    body: bytes


def served_row(served: ServedList) -> ServedRow:
    """The values to keep of a served list.

    Raises
    ------
    InvalidInput
        A value cannot be written as JSON.
    """
    try:
        body = orjson.dumps(served, option=orjson.OPT_SERIALIZE_NUMPY)
    except orjson.JSONEncodeError as cause:
        raise InvalidInput(f"list {served.list_id!r} cannot be written as JSON: {cause}") from cause
    return ServedRow(signed_key(served.list_id), served.user_id, millis(served.at), body)


def served_of(body: bytes) -> ServedList:
    """The served list of a row."""
    said = orjson.loads(body)
    return ServedList(
        **said
        | {
            "at": datetime.fromisoformat(said["at"]),
            "degraded": tuple(said["degraded"]),
            "arms": tuple(said["arms"]),
            "relaxed": tuple(said.get("relaxed", ())),
            "items": tuple(ServedItem(**item) for item in said["items"]),
        }
    )
