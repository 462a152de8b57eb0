"""Rows of a file → items, through a mapping: the good ones, and the lines that are not."""

from dataclasses import dataclass
from typing import Any

import orjson
import polars as pl

from data.mapping_columns import Column, column_of, condition_fault, table_of
from data.mapping_events import told, undecided
from data.mapping_fields import ITEM_FORMS, NEEDED, Form, Mapping
from data.reading import LINE, bad_lines
from recsys.blocked import NOTHING_BLOCKED, Blocked
from recsys.catalog import Item, Kind
from recsys.controls import check_tags
from recsys.errors import InvalidItem
from recsys.events import moment

_BAD = "__bad__"
_DTYPES: dict[Form, pl.DataType] = {
    Form.WORD: pl.Int8(),
    Form.TIME: pl.Int64(),
    Form.MONEY: pl.Int64(),
    Form.WHOLE: pl.Int64(),
    Form.SECONDS: pl.Float64(),
}


@dataclass(frozen=True, slots=True)
class TakenItems:
    """What became of some lines; `bad` as `reading.BAD_COLUMNS`."""

    items: list[Item]
    bad: pl.DataFrame
    read: int
    skipped: int


def take_items(
    rows: pl.DataFrame, mapping: Mapping, blocked: Blocked = NOTHING_BLOCKED
) -> TakenItems:
    """Every item the rows mean."""
    read = rows.height
    bad = pl.DataFrame()
    if mapping.where is not None:
        bad = undecided(rows, [condition_fault(mapping.where, rows.schema)])
        rows = rows.filter(mapping.where.holds(rows.schema))
    columns = _columns(mapping, rows.schema)
    wrong = [fault.here for column in columns.values() for fault in column.faults]
    values = [_as_kept(name, column) for name, column in columns.items()]
    judged = rows.select(LINE, *values, pl.any_horizontal(wrong).fill_null(value=False).alias(_BAD))
    told_bad = told(rows.filter(judged[_BAD]), columns)
    items, refused = _born(judged.filter(~pl.col(_BAD)).drop(_BAD), blocked)
    together = pl.concat([told_bad, bad_lines(refused), *([bad] if bad.height else [])])
    return TakenItems(items, together, read, read - rows.height - bad.height)


def _columns(mapping: Mapping, schema: pl.Schema) -> dict[str, Column]:
    (behaviour,) = mapping.behaviours
    return {
        name: table_of(field, schema)
        if isinstance(field, dict)
        else column_of(name, ITEM_FORMS[name], field, schema)
        for name, field in behaviour.fields.items()
    }


def _as_kept(name: str, column: Column) -> pl.Expr:
    dtype = _DTYPES.get(ITEM_FORMS[name])
    value = column.value if dtype is None else column.value.cast(dtype, strict=False)
    return value.alias(name)


def _born(
    rows: pl.DataFrame, blocked: Blocked
) -> tuple[list[Item], list[tuple[int, str, str, str]]]:
    """The items, and the lines that make none."""
    items, refused = [], []
    for row in rows.iter_rows(named=True):
        line = row.pop(LINE)
        try:
            item = _item(row)
            check_tags(item, blocked)
            items.append(item)
        except InvalidItem as cause:
            field = str(cause).split(" ", 1)[0]
            refused.append((line, field, str(row.get(field)), str(cause)))
    return items, refused


def _item(row: dict[str, Any]) -> Item:
    said = {name: value for name, value in row.items() if value is not None}
    for name in NEEDED["items"]:
        if name not in said:
            raise InvalidItem(f"{name} is missing, got nothing; allowed: a value")
    said["kind"] = Kind(said["kind"])
    for name, value in said.items():
        if ITEM_FORMS[name] is Form.TEXTS:
            said[name] = tuple(value)
        elif ITEM_FORMS[name] is Form.TIME:
            said[name] = moment(value)
    if "attributes" in said:
        said["attributes"] = _attributes(said["attributes"])
    return Item(**said)


def _attributes(text: str) -> dict[str, str]:
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError as cause:
        raise InvalidItem(f"attributes is no JSON: {cause}") from cause
    return {
        name: value if isinstance(value, str) else orjson.dumps(value).decode()
        for name, value in said.items()
        if value is not None
    }
