"""Conditions on columns, as a mapping writes them: `user < 2179 and is_like == 1`."""

import operator
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import polars as pl

from recsys.errors import ConfigError

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_COMPARISON = re.compile(
    r"""\s*(?:`(?P<quoted>[^`]+)`|(?P<bare>\w+))
        \s*(?P<sign>==|!=|<=|>=|<|>)
        \s*(?:(?P<number>-?\d+(?:\.\d+)?)|'(?P<text>[^']*)'|(?P<flag>true|false))
        \s*(?:(?P<more>\band\b)|$)""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One column against one value; a missing value never fits."""

    column: str
    sign: str
    value: float | str

    def holds(self, dtype: pl.DataType) -> pl.Expr:
        """Whether it holds, row by row, for a column of this type."""
        fits: pl.Expr = _COMPARE[self.sign](self._side(dtype), pl.lit(self.value))
        return fits.fill_null(value=False)

    def cannot_say(self, dtype: pl.DataType) -> pl.Expr:
        """Where the column holds something, but no number to compare with one."""
        return self._side(dtype).is_null() & ~is_empty(self.column, dtype)

    def _side(self, dtype: pl.DataType) -> pl.Expr:
        column = pl.col(self.column)
        if dtype.is_nested():
            # A list or an object is neither a number nor a text; one nothing a row.
            dtype = pl.String() if isinstance(self.value, str) else pl.Float64()
            return pl.when(column.is_null()).then(pl.lit(None, dtype=dtype))
        if isinstance(self.value, str):
            return column.cast(pl.String)
        return column.cast(pl.Float64, strict=False)


@dataclass(frozen=True, slots=True)
class Condition:
    """Comparisons that must all hold."""

    comparisons: tuple[Comparison, ...]

    def columns(self) -> set[str]:
        """The columns it reads."""
        return {one.column for one in self.comparisons}

    def about(self, columns: Collection[str], *, others: bool = False) -> "Condition | None":
        """Its comparisons of these columns, or of all others; None if there are none."""
        chosen = tuple(one for one in self.comparisons if (one.column in columns) is not others)
        return Condition(chosen) if chosen else None

    def holds(self, schema: pl.Schema) -> pl.Expr:
        """Whether it holds, row by row."""
        return pl.all_horizontal(one.holds(schema[one.column]) for one in self.comparisons)


def is_empty(column: str, dtype: pl.DataType) -> pl.Expr:
    """Where a column says nothing: null, or the empty text that a CSV has for it."""
    missing = pl.col(column).is_null()
    return missing | (pl.col(column) == "") if dtype == pl.String() else missing


def condition(text: object, place: str) -> Condition:
    """The condition a text says.

    Raises
    ------
    ConfigError
        It is none; `place` says where it stands.
    """
    comparisons, at, more = [], 0, True
    while more:
        found = _COMPARISON.match(text, at) if isinstance(text, str) else None
        if found is None:
            raise ConfigError(
                f"{place} is no condition, got {text!r}; allowed: comparisons like "
                "`user < 2179 and kind == 'video'`"
            )
        comparisons.append(_comparison(found))
        at, more = found.end(), found["more"] is not None
    return Condition(tuple(comparisons))


def _comparison(found: re.Match[str]) -> Comparison:
    column = found["quoted"] or found["bare"]
    if found["text"] is not None:
        return Comparison(column, found["sign"], found["text"])
    value = float(found["flag"] == "true") if found["flag"] else float(found["number"])
    return Comparison(column, found["sign"], value)
