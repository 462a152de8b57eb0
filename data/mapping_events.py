"""Rows of a file → events, through a mapping: the good ones, and the lines that are not."""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from data.checking import checked
from data.lake_tables import EVENT_COLUMNS
from data.mapping_columns import Column, Fault, column_of, condition_fault, sentence, table_of
from data.mapping_fields import EVENT_FORMS, NEEDED, Behaviour, Mapping
from data.reading import BAD_COLUMNS, LINE

_BAD = "__bad__"


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of some lines.

    Attributes
    ----------
    events
        Fields of events as the lake names them, `kind` and `LINE`.
    bad
        Lines that broke the contract, as `BAD_COLUMNS`; nothing of them is in `events`.
    read, skipped
        How many lines there were, and how many the mapping leaves out.
    """

    events: pl.DataFrame
    bad: pl.DataFrame
    read: int
    skipped: int


def take_events(rows: pl.DataFrame, mapping: Mapping, *, latest_at: datetime) -> Taken:
    """Every event the rows mean; a line with anything wrong gives none.

    Parameters
    ----------
    latest_at
        Times behind it are wrong.
    """
    read = rows.height
    conditions = [mapping.where, *(behaviour.where_row for behaviour in mapping.behaviours)]
    bad = [undecided(rows, [condition_fault(one, rows.schema) for one in conditions if one])]
    if mapping.where is not None:
        # A line that cannot be judged is not skipped: it is bad, and told.
        judged_bad = pl.col(LINE).is_in(bad[0][LINE].implode())
        rows = rows.filter(mapping.where.holds(rows.schema) | judged_bad)
    events = []
    for behaviour in mapping.behaviours:
        of_one, bad_of_one = _take(rows, behaviour, mapping, latest_at)
        events.append(of_one)
        bad.append(bad_of_one)
    lines = pl.concat(bad).unique(LINE, keep="first", maintain_order=True).sort(LINE)
    together = pl.concat(events, how="diagonal")
    if lines.height:
        together = together.filter(~pl.col(LINE).is_in(lines[LINE].implode()))
    if mapping.undated and len(events) > 1:
        # Undated events are kept in order: all that a line means before what the next one does.
        together = together.sort(LINE, maintain_order=True)
    return Taken(together, lines, read, read - rows.height)


def _take(
    rows: pl.DataFrame, behaviour: Behaviour, mapping: Mapping, latest_at: datetime
) -> tuple[pl.DataFrame, pl.DataFrame]:
    bad = undecided(rows, _list_faults(rows.schema, behaviour))
    if bad.height:
        rows = rows.filter(~pl.col(LINE).is_in(bad[LINE].implode()))
    if behaviour.where_row is not None:
        rows = rows.filter(behaviour.where_row.holds(rows.schema))
    if behaviour.each:
        rows = _taken_apart(rows, behaviour)
    if behaviour.where_element is not None:
        fault = condition_fault(behaviour.where_element, rows.schema)
        bad = pl.concat([bad, undecided(rows, [fault])])
        rows = rows.filter(behaviour.where_element.holds(rows.schema))
    columns = {
        name: checked(name, column, needed=_is_needed(name, mapping), latest_at=latest_at)
        for name, column in _columns(behaviour, rows.schema).items()
    }
    values = [_as_kept(name, column) for name, column in columns.items()]
    wrong = [fault.here for column in columns.values() for fault in column.faults]
    is_bad = pl.any_horizontal(wrong).fill_null(value=False).alias(_BAD)
    # Lazily, because only then what several expressions share is worked out once.
    judged = rows.lazy().select(LINE, *values, is_bad).collect()
    if mapping.undated:
        judged = judged.with_columns(pl.lit(None, dtype=pl.Int64).alias("at_ms"))
    if judged[_BAD].any():
        bad = pl.concat([bad, told(rows.filter(judged[_BAD]), columns)])
        judged = judged.filter(~pl.col(_BAD))
    return judged.drop(_BAD), bad


def _is_needed(name: str, mapping: Mapping) -> bool:
    return name in NEEDED["events"] or name in ("at", "kind", "event_id")


def _columns(behaviour: Behaviour, schema: pl.Schema) -> dict[str, Column]:
    return {
        name: table_of(field, schema)
        if isinstance(field, dict)
        else column_of(name, EVENT_FORMS[name], field, schema)
        for name, field in behaviour.fields.items()
    }


def _as_kept(name: str, column: Column) -> pl.Expr:
    """The value as the lake keeps it."""
    kept = "at_ms" if name == "at" else name
    dtype = EVENT_COLUMNS.get(kept, pl.Int8())
    return column.value.cast(dtype, strict=False).alias(kept)


def told(rows: pl.DataFrame, columns: dict[str, Column]) -> pl.DataFrame:
    """For each row the first thing that is wrong with it."""
    ways = [
        pl.when(fault.here).then(
            pl.struct(
                pl.lit(name).alias("field"),
                column.said.alias("value"),
                fault.reason.alias("reason"),
            )
        )
        for name, column in columns.items()
        for fault in column.faults
    ]
    told = rows.select(LINE, pl.coalesce(ways).alias("told")).unnest("told")
    return told.match_to_schema(BAD_COLUMNS).unique(LINE, keep="first", maintain_order=True)


def undecided(rows: pl.DataFrame, faults: list[Fault]) -> pl.DataFrame:
    """Lines of which it cannot even be said what they mean."""
    if not faults:
        return pl.DataFrame(schema=BAD_COLUMNS)
    here = pl.any_horizontal(fault.here for fault in faults)
    wrong = rows.filter(here.fill_null(value=False))
    nothing = pl.lit(None, dtype=pl.String)
    return told(wrong, {"line": Column(nothing, nothing, tuple(faults))})


def _list_faults(schema: pl.Schema, behaviour: Behaviour) -> list[Fault]:
    if not behaviour.each:
        return []
    first, *others = [_list(name, schema, behaviour) for name in behaviour.each]
    names = " and ".join(behaviour.each)
    lengths = [one.list.len() for one in others]
    differ = [
        Fault(
            first.list.len() != length,
            sentence(f"{names} differ in length, got {{}} and {{}}", first.list.len(), length),
        )
        for length in lengths
    ]
    no_lists = [
        Fault(pl.col(name).is_not_null(), sentence(f"{name} is no list, got {{}}", pl.col(name)))
        for name in behaviour.each
        if not _is_list(schema[name]) and behaviour.split is None
    ]
    return [*no_lists, *differ]


def _is_list(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.List | pl.Array)


def _list(name: str, schema: pl.Schema, behaviour: Behaviour) -> pl.Expr:
    """A list column; written as text it is split, and the empty text is the empty list."""
    column = pl.col(name)
    if _is_list(schema[name]):
        return column.fill_null([])
    if behaviour.split is None:
        return pl.lit([], dtype=pl.List(pl.String))
    parts = column.cast(pl.String).str.split(behaviour.split)
    return parts.list.eval(pl.element().filter(pl.element() != "")).fill_null([])


def _taken_apart(rows: pl.DataFrame, behaviour: Behaviour) -> pl.DataFrame:
    """One row an element; `without` is left out by a join, which needs no list for each element."""
    each = list(behaviour.each)
    lists = {name: _list(name, rows.schema, behaviour).alias(name) for name in each}
    kept = rows.with_columns(lists.values()).filter(pl.col(each[0]).list.len() > 0)
    apart = kept.drop(*([behaviour.without] if behaviour.without else [])).explode(each)
    if behaviour.without is None:
        return apart
    other = _list(behaviour.without, rows.schema, behaviour).alias(each[0])
    out = rows.select(LINE, other).explode(each[0]).cast({each[0]: apart.schema[each[0]]})
    return apart.join(out, on=[LINE, each[0]], how="anti", maintain_order="left")
