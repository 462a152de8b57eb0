"""A mapping as a value: what the columns of somebody's file mean; docs/mappings.md."""

from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from data.mapping_where import Condition
from recsys.catalog import KIND_WORDS
from recsys.events import EVENT_WORDS, Platform


class Form(StrEnum):
    """What kind of value a field holds."""

    TEXT = "text"
    TEXTS = "texts"
    WORD = "word"
    TIME = "time"
    SECONDS = "seconds"
    MONEY = "money"
    WHOLE = "whole"
    FLAG = "flag"
    TABLE = "table"


EVENT_FORMS: dict[str, Form] = {
    "event_id": Form.TEXT,
    "user_id": Form.TEXT,
    "item_id": Form.TEXT,
    "kind": Form.WORD,
    "type": Form.WORD,
    "at": Form.TIME,
    "play_s": Form.SECONDS,
    "duration_s": Form.SECONDS,
    "dwell_s": Form.SECONDS,
    "quantity": Form.WHOLE,
    "amount_minor": Form.MONEY,
    "order_id": Form.TEXT,
    "choice": Form.TEXT,
    "list_id": Form.TEXT,
    "position": Form.WHOLE,
    "platform": Form.WORD,
    "props": Form.TABLE,
}
ITEM_FORMS: dict[str, Form] = {
    "item_id": Form.TEXT,
    "kind": Form.WORD,
    "title": Form.TEXT,
    "tags": Form.TEXTS,
    "category": Form.TEXTS,
    "creator_id": Form.TEXT,
    "shop_id": Form.TEXT,
    "price_minor": Form.MONEY,
    "member_price_minor": Form.MONEY,
    "available": Form.FLAG,
    "stock": Form.WHOLE,
    "published_at": Form.TIME,
    "expires_at": Form.TIME,
    "cards": Form.TEXTS,
    "duration_s": Form.SECONDS,
    "durable": Form.FLAG,
    "attributes": Form.TABLE,
    "cover": Form.TEXT,
    "link": Form.TEXT,
    "sponsored": Form.FLAG,
    "promotional": Form.FLAG,
    "audience": Form.TEXTS,
    "restricted": Form.FLAG,
    "commission_bp": Form.WHOLE,
    "media": Form.TEXT,
    "campaigns": Form.TEXTS,
}
# Words a field may hold, and the number that tables hold for each (a platform stays a word).
WORDS: dict[str, dict[str, Any]] = {
    "kind": {word: int(kind) for word, kind in KIND_WORDS.items()},
    "type": {word: int(kind) for word, kind in EVENT_WORDS.items()},
    "platform": {one.value: one.value for one in Platform},
}
# What a unit is worth in the field's own: milliseconds, seconds, fen.
UNITS: dict[Form, dict[str, float]] = {
    Form.TIME: {"ms": 1.0, "s": 1_000.0},
    Form.SECONDS: {"s": 1.0, "ms": 0.001, "min": 60.0},
    Form.MONEY: {"fen": 1.0, "yuan": 100.0},
}
NEEDED = {"events": ("user_id", "item_id", "type"), "items": ("item_id", "kind")}
FORMATS = ("csv", "jsonl", "parquet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a field's value comes from, and how it is read.

    Parameters
    ----------
    columns
        The column; several only for texts, whose values then stand one behind the other.
    constant
        The value itself, for every row; then there is no column.
    missing
        Values, as texts, that stand for nothing.
    values
        The source's word → ours.
    where
        Rows it is for; None for all.
    """

    columns: tuple[str, ...] = ()
    constant: Any = None
    prefix: str = ""
    unit: str | None = None
    format: str | None = None
    zone: str = "UTC"
    values: Table[str, Any] | None = None
    missing: tuple[str, ...] = ()
    split: str | None = None
    where: Condition | None = None

    def read(self) -> set[str]:
        """The columns it reads."""
        return set(self.columns) | (self.where.columns() if self.where else set())


# The first origin whose condition holds says the value; a table has one a name.
Field = tuple[Origin, ...] | dict[str, Origin]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """One event a row may mean, or, with `each`, one event an element of its lists.

    Parameters
    ----------
    where
        Rows that mean it; what it asks of a column of `each` is asked of the element.
    each
        List columns taken apart together, in order; in `fields` such a column is its element.
    split
        What stands between the elements where a list is written as text.
    without
        A list column whose elements are left out of the first of `each`.
    """

    fields: Table[str, Field]
    where: Condition | None = None
    each: tuple[str, ...] = ()
    split: str | None = None
    without: str | None = None

    @property
    def where_row(self) -> Condition | None:
        """What is asked of the whole row."""
        return self.where.about(self.each, others=True) if self.where else None

    @property
    def where_element(self) -> Condition | None:
        """What is asked of each element of its lists."""
        return self.where.about(self.each) if self.where else None

    def read(self) -> set[str]:
        """The columns it reads."""
        found = set(self.each) | ({self.without} if self.without else set())
        found |= self.where.columns() if self.where else set()
        for one in self.fields.values():
            for origin in one.values() if isinstance(one, dict) else one:
                found |= origin.read()
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """What a file of one source means.

    Parameters
    ----------
    name
        The source; part of every derived event id, so two sources never share one.
    of
        "events" or "items".
    behaviours
        What a row means; one for items and for logs of one event a row.
    said
        The whole mapping as it was read, for telling imports apart.
    where
        Rows that matter; the others are skipped.
    format, separator, header
        How files are written; the format of a file is told by its name where none is said.
    """

    name: str
    of: str
    behaviours: tuple[Behaviour, ...]
    said: dict[str, Any] = field(repr=False)
    undated: bool = False
    where: Condition | None = None
    format: str | None = None
    separator: str = ","
    header: tuple[str, ...] = ()

    def read(self) -> set[str]:
        """The columns it reads."""
        found = self.where.columns() if self.where else set()
        return found.union(*(behaviour.read() for behaviour in self.behaviours))
