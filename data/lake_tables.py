"""Events and items ↔ the lake's tables."""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
import polars as pl

from data.keys import content_keys, numbered, text_keys
from data.runs import day_of
from recsys.catalog import Item, Kind
from recsys.events import Event, millis

# Every field of an event, and the two keys: `person` sorts, (`person`, `key`) tells events apart.
EVENT_COLUMNS: dict[str, pl.DataType] = {
    "person": pl.UInt64(),
    "key": pl.UInt64(),
    "user_id": pl.String(),
    "item_id": pl.String(),
    "type": pl.Int8(),
    "at_ms": pl.Int64(),
    "play_s": pl.Float32(),
    "duration_s": pl.Float32(),
    "dwell_s": pl.Float32(),
    "quantity": pl.Int32(),
    "amount_minor": pl.Int64(),
    "order_id": pl.String(),
    "choice": pl.String(),
    "list_id": pl.String(),
    "position": pl.Int32(),
    "platform": pl.String(),
    "props": pl.String(),
    "event_id": pl.String(),
}
_NOT_AS_SAID = {"person", "key", "type", "at_ms", "platform", "props"}
_AS_SAID = tuple(name for name in EVENT_COLUMNS if name not in _NOT_AS_SAID)

_MOMENT = pl.Datetime("ms", "UTC")
_TEXTS = pl.List(pl.String())
ITEM_COLUMNS: dict[str, pl.DataType] = {
    "item_id": pl.String(),
    "kind": pl.String(),
    "title": pl.String(),
    "tags": _TEXTS,
    "category": _TEXTS,
    "creator_id": pl.String(),
    "shop_id": pl.String(),
    "price_minor": pl.Int64(),
    "member_price_minor": pl.Int64(),
    "available": pl.Boolean(),
    "stock": pl.Int64(),
    "published_at": _MOMENT,
    "expires_at": _MOMENT,
    "cards": _TEXTS,
    "duration_s": pl.Float64(),
    "durable": pl.Boolean(),
    "attributes": pl.String(),
    "cover": pl.String(),
    "link": pl.String(),
    "sponsored": pl.Boolean(),
    "promotional": pl.Boolean(),
    "audience": _TEXTS,
    "restricted": pl.Boolean(),
    "commission_bp": pl.Int32(),
    "media": pl.String(),
    "campaigns": _TEXTS,
}
_KINDS = {kind.word: kind for kind in Kind}


def events_table(events: Sequence[Event]) -> pl.DataFrame:
    """Checked events as the lake's columns, with `day` and the keys."""
    rows = {name: [getattr(event, name) for event in events] for name in _AS_SAID}
    rows["type"] = [int(event.type) for event in events]
    rows["at_ms"] = [None if event.at is None else millis(event.at) for event in events]
    rows["platform"] = [event.platform.value for event in events]
    rows["props"] = [_json(event.props) for event in events]
    schema = {name: EVENT_COLUMNS[name] for name in rows}
    return with_keys(pl.DataFrame(rows, schema=schema), source="record")


def _json(props: dict[str, Any]) -> str | None:
    return orjson.dumps(props).decode() if props else None


def with_keys(events: pl.DataFrame, *, source: str) -> pl.DataFrame:
    """The events with `day`, `person`, `item` and either `key`, from their id, or `content`.

    `item` is the key of the item's id, for whoever wants to know which items there are.
    """
    known = {name: text_keys(events[name]) for name in ("user_id", "item_id")}
    if "event_id" in events.columns:
        own = pl.Series("key", text_keys(events["event_id"]))
    else:
        own = pl.Series("content", content_keys(events, source, known))
    keys = [pl.Series("person", known["user_id"]), pl.Series("item", known["item_id"]), own]
    return events.with_columns(day_of(pl.col("at_ms")).alias("day"), *keys)


def keyed(events: pl.DataFrame) -> pl.DataFrame:
    """The events with `key`; a `content` becomes one here, where all equal rows have met."""
    if "content" not in events.columns:
        return events
    key = pl.Series("key", numbered(events["content"].to_numpy()))
    return events.drop("content").with_columns(key)


def conformed(events: pl.DataFrame) -> pl.DataFrame:
    """The lake's columns in their order; those in which nothing was said are left out.

    Writing columns of nulls would take a third of the time of writing; a reader puts them back.
    """
    said = {column.name for column in events.iter_columns() if column.null_count() < len(column)}
    kept = said | {"at_ms"}
    return events.select(
        pl.col(name).cast(dtype) for name, dtype in EVENT_COLUMNS.items() if name in kept
    )


def items_table(items: Iterable[Item]) -> pl.DataFrame:
    """Items as the snapshot's columns."""
    listed = list(items)
    rows = {name: [getattr(item, name) for item in listed] for name in ITEM_COLUMNS}
    rows["kind"] = [kind.word for kind in rows["kind"]]
    rows["attributes"] = [_json(said) for said in rows["attributes"]]
    columns = {
        name: _lists(rows[name]) if dtype == _TEXTS else pl.Series(rows[name], dtype=dtype)
        for name, dtype in ITEM_COLUMNS.items()
    }
    return pl.DataFrame(columns)


def _lists(rows: list[tuple[str, ...]]) -> pl.Series:
    """A column of lists; ten times faster than from Python's own lists."""
    numbers = pl.DataFrame({"row": range(len(rows))})
    texts = [text for row in rows for text in row]
    repeated = [number for number, row in enumerate(rows) for _ in row]
    flat = pl.DataFrame(
        {"row": repeated, "text": texts}, schema={"row": pl.Int64, "text": pl.String}
    )
    lists = flat.group_by("row", maintain_order=True).agg("text")
    placed = numbers.join(lists, on="row", how="left", maintain_order="left")
    return placed["text"].fill_null([])


def items_of(table: pl.DataFrame) -> list[Item]:
    """The items of a snapshot, in its order."""
    return [_item(row) for row in table.iter_rows(named=True)]


def _item(row: dict[str, Any]) -> Item:
    for name, dtype in ITEM_COLUMNS.items():
        if dtype == _TEXTS:
            row[name] = tuple(row[name])
    row["kind"] = _KINDS[row["kind"]]
    row["attributes"] = orjson.loads(row["attributes"]) if row["attributes"] else {}
    return Item(**row)
