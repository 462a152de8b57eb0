"""Fields of a mapping → columns: an expression for the value and some for what is wrong with it.

Text files give every column as text, Parquet as what it is; both come through the same ways.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import polars as pl

from data.mapping_fields import UNITS, WORDS, Form, Origin
from data.mapping_where import Condition, is_empty

_ISO = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d")
_FLAGS = {"true": True, "false": False, "1": True, "0": False}
# A value is shown to whoever must mend it up to this many characters.
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that may be wrong: where it is, and the sentence that says so."""

    here: pl.Expr
    reason: pl.Expr


@dataclass(frozen=True, slots=True)
class Column:
    """One field of all rows.

    Attributes
    ----------
    value
        The field's value; null where the source says nothing.
    said
        What the source says, as text.
    faults
        What may be wrong; the first that is true counts.
    """

    value: pl.Expr
    said: pl.Expr
    faults: tuple[Fault, ...] = ()

    def also(self, *faults: Fault) -> "Column":
        """The same with further faults."""
        return Column(self.value, self.said, (*self.faults, *faults))


def column_of(name: str, form: Form, origins: tuple[Origin, ...], schema: pl.Schema) -> Column:
    """The column of a field; which origin speaks is decided row by row."""
    columns = [_FORMS[form](name, origin, schema) for origin in origins]
    if len(origins) == 1 and origins[0].where is None:
        return columns[0]
    chosen = [_chosen(origins[:number], origin, schema) for number, origin in enumerate(origins)]
    faults = [
        Fault(here & fault.here, fault.reason)
        for here, column in zip(chosen, columns, strict=True)
        for fault in column.faults
    ]
    doubts = [condition_fault(origin.where, schema) for origin in origins if origin.where]
    value = _first(chosen, [column.value for column in columns])
    said = _first(chosen, [column.said for column in columns])
    return Column(value, said, (*doubts, *faults))


def _chosen(before: tuple[Origin, ...], origin: Origin, schema: pl.Schema) -> pl.Expr:
    """Where this origin is the first whose condition holds."""
    tests = [~one.where.holds(schema) for one in before if one.where]
    tests += [origin.where.holds(schema)] if origin.where else []
    return reduce(pl.Expr.__and__, tests)


def _first(chosen: list[pl.Expr], values: list[pl.Expr]) -> pl.Expr:
    ways = [pl.when(here).then(value) for here, value in zip(chosen, values, strict=True)]
    return pl.coalesce(ways)


def condition_fault(condition: Condition, schema: pl.Schema) -> Fault:
    """Where a condition compares with a number and the column holds something else."""
    doubts = pl.any_horizontal(one.cannot_say(schema[one.column]) for one in condition.comparisons)
    names = ", ".join(sorted(condition.columns()))
    said = pl.concat_str(
        [_Raw(pl.col(name), schema[name]).text() for name in sorted(condition.columns())],
        separator=", ",
        ignore_nulls=True,
    )
    return Fault(doubts, sentence(f"{names} is not a number, got {{}}; a condition asks", said))


def sentence(text: str, *values: pl.Expr) -> pl.Expr:
    """A sentence with values in the places of its braces, long ones cut."""
    shown = [value.cast(pl.String).str.slice(0, _SHOWN).fill_null("nothing") for value in values]
    return pl.format(text, *shown)


@dataclass(frozen=True, slots=True)
class _Raw:
    """What the source has for one origin, null where it says nothing."""

    expr: pl.Expr
    dtype: pl.DataType

    def text(self) -> pl.Expr:
        """As text; whole numbers without a point, since ids come as floats where some miss."""
        if self.dtype.is_float():
            whole = self.expr.cast(pl.Int64, strict=False)
            return (
                pl.when(whole == self.expr)
                .then(whole.cast(pl.String))
                .otherwise(self.expr.cast(pl.String))
            )
        if isinstance(self.dtype, pl.List | pl.Array):
            return self.expr.cast(pl.List(pl.String)).list.join(", ")
        if isinstance(self.dtype, pl.Struct):
            return self.expr.struct.json_encode()
        return self.expr.cast(pl.String)

    def number(self) -> pl.Expr:
        """As a number; null where it is none."""
        if self.dtype.is_numeric() or self.dtype == pl.Null():
            return self.expr.cast(pl.Float64)
        return self.text().cast(pl.Float64, strict=False)


def _raw(origin: Origin, schema: pl.Schema) -> _Raw:
    if not origin.columns:
        return _Raw(pl.lit(origin.constant), pl.select(pl.lit(origin.constant)).dtypes[0])
    column = origin.columns[0]
    dtype = schema[column]
    raw = _Raw(pl.col(column), dtype)
    if dtype == pl.String():
        raw = _Raw(pl.when(~is_empty(column, dtype)).then(raw.expr), dtype)
    if origin.missing and not dtype.is_nested():
        there = ~raw.text().is_in(origin.missing)
        raw = _Raw(pl.when(there).then(raw.expr), dtype)
    return raw


def _known(name: str, origin: Origin, raw: _Raw, words: dict[str, Any]) -> Column:
    """A column of words that stand for values; the source's own words first, if it has some."""
    said = raw.text()
    if origin.values is None:
        table, asked = words, said.str.to_lowercase()
    else:
        table = {one: words[str(ours).lower()] for one, ours in origin.values.items()}
        asked = said
    value = _looked_up(asked, table)
    reason = sentence(f"{name} is unknown, got {{}}; allowed: {', '.join(table)}", said)
    return Column(value, said, (Fault(value.is_null() & said.is_not_null(), reason),))


def _looked_up(asked: pl.Expr, table: dict[str, Any]) -> pl.Expr:
    """What the table says; a few comparisons are several times faster than a join with it."""
    value = pl.lit(None)
    for word, meant in table.items():
        value = pl.when(asked == word).then(pl.lit(meant)).otherwise(value)
    return value


def _text(name: str, origin: Origin, schema: pl.Schema) -> Column:
    raw = _raw(origin, schema)
    text = raw.text()
    if origin.values is not None:
        ours = {word: str(value) for word, value in origin.values.items()}
        text = text.replace_strict(ours, default=text, return_dtype=pl.String)
    value = pl.lit(origin.prefix) + text if origin.prefix else text
    return Column(value, raw.text())


def _texts(name: str, origin: Origin, schema: pl.Schema) -> Column:
    ways = [
        _raw(Origin(columns=(column,), missing=origin.missing), schema) for column in origin.columns
    ]
    parts = [_elements(way, origin.split) for way in ways or [_raw(origin, schema)]]
    element = pl.element()
    kept = element.is_not_null() & ~element.is_in(["", *origin.missing])
    value = pl.concat_list(parts).list.eval(pl.lit(origin.prefix) + element.filter(kept))
    said = pl.concat_str([way.text() for way in ways], separator=", ", ignore_nulls=True)
    return Column(value, said if ways else pl.lit(str(origin.constant)))


def _elements(raw: _Raw, split: str | None) -> pl.Expr:
    if isinstance(raw.dtype, pl.List | pl.Array):
        return raw.expr.cast(pl.List(pl.String)).fill_null([])
    if split is not None:
        pieces = raw.text().str.split(split).list.eval(pl.element().str.strip_chars())
        return pieces.fill_null([])
    return pl.concat_list(raw.text())


def _word(name: str, origin: Origin, schema: pl.Schema) -> Column:
    return _known(name, origin, _raw(origin, schema), WORDS[name])


def _flag(name: str, origin: Origin, schema: pl.Schema) -> Column:
    return _known(name, origin, _raw(origin, schema), _FLAGS)


def _number(name: str, origin: Origin, schema: pl.Schema) -> Column:
    raw = _raw(origin, schema)
    number = raw.number()
    reason = sentence(f"{name} is not a number, got {{}}", raw.text())
    return Column(number, raw.text(), (Fault(number.is_null() & raw.expr.is_not_null(), reason),))


def _whole(name: str, origin: Origin, schema: pl.Schema) -> Column:
    column = _number(name, origin, schema)
    reason = sentence(f"{name} is not a whole number, got {{}}", column.said)
    return column.also(Fault(column.value != column.value.floor(), reason))


def _seconds(name: str, origin: Origin, schema: pl.Schema) -> Column:
    column = _number(name, origin, schema)
    unit = UNITS[Form.SECONDS][origin.unit or "s"]
    return column if unit == 1.0 else Column(column.value * unit, column.said, column.faults)


def _money(name: str, origin: Origin, schema: pl.Schema) -> Column:
    if origin.unit != "yuan":
        return _whole(name, origin, schema)
    column = _number(name, origin, schema)
    fen = (column.value * UNITS[Form.MONEY]["yuan"]).round()
    return Column(fen, column.said, column.faults)


def _time(name: str, origin: Origin, schema: pl.Schema) -> Column:
    raw = _raw(origin, schema)
    if origin.unit is not None:
        column = _number(name, origin, schema)
        value = column.value * UNITS[Form.TIME][origin.unit]
        return Column(value, column.said, column.faults)
    at = _zoned(raw, origin) if raw.dtype.is_temporal() else _parsed(raw.text(), origin)
    at_ms = at.dt.epoch("ms").cast(pl.Float64)
    wanted = origin.format or "ISO 8601"
    reason = sentence(f"{name} is no time, got {{}}; allowed: {wanted}", raw.text())
    return Column(at_ms, raw.text(), (Fault(at_ms.is_null() & raw.expr.is_not_null(), reason),))


def _zoned(raw: _Raw, origin: Origin) -> pl.Expr:
    """A column that holds times already; one without zone is read in the mapping's."""
    if isinstance(raw.dtype, pl.Datetime) and raw.dtype.time_zone is not None:
        return raw.expr
    return _in_zone(raw.expr.cast(pl.Datetime("ms")), origin.zone)


def _parsed(text: pl.Expr, origin: Origin) -> pl.Expr:
    if origin.format is None:
        aware = text.str.to_datetime("%+", strict=False, time_unit="ms", time_zone="UTC")
        plain = [text.str.to_datetime(one, strict=False, time_unit="ms") for one in _ISO]
        return pl.coalesce([aware, *(_in_zone(one, origin.zone) for one in plain)])
    if "%z" in origin.format or "%:z" in origin.format:
        return text.str.to_datetime(origin.format, strict=False, time_unit="ms", time_zone="UTC")
    at = text.str.to_datetime(origin.format, strict=False, time_unit="ms")
    return _in_zone(at, origin.zone)


def _in_zone(at: pl.Expr, zone: str) -> pl.Expr:
    there = at.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return there.dt.convert_time_zone("UTC")


def _whole_table(name: str, origin: Origin, schema: pl.Schema) -> Column:
    raw = _raw(origin, schema)
    reason = sentence(f"{name} is no object, got {{}}", raw.text())
    is_object = raw.text().str.starts_with("{")
    return Column(raw.text(), raw.text(), (Fault(~is_object.fill_null(value=True), reason),))


def table_of(origins: dict[str, Origin], schema: pl.Schema) -> Column:
    """The column of a table of names: JSON of those that say something, with their own types."""
    ways = {name: _raw(origin, schema) for name, origin in origins.items()}
    there = pl.any_horizontal(way.expr.is_not_null() for way in ways.values())
    whole = pl.struct(way.expr.alias(name) for name, way in ways.items()).struct.json_encode()
    return Column(pl.when(there).then(whole), whole)


_FORMS: dict[Form, Callable[[str, Origin, pl.Schema], Column]] = {
    Form.TEXT: _text,
    Form.TEXTS: _texts,
    Form.WORD: _word,
    Form.TIME: _time,
    Form.SECONDS: _seconds,
    Form.MONEY: _money,
    Form.WHOLE: _whole,
    Form.FLAG: _flag,
    Form.TABLE: _whole_table,
}
