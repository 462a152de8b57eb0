"""Tables of a benchmark set, found by their names and columns; nothing here knows one set."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from recsys.errors import RecsysError
from recsys.ids import Ints


class BrokenSet(RecsysError):
    """A set lacks something its protocol needs."""

    code = "broken_set"


class NothingToAsk(RecsysError):
    """A set holds nothing that its protocol asks about; it is left out."""

    code = "nothing_to_ask"


# What a column is for, and the names it goes by, the likeliest first.
COLUMNS: dict[str, tuple[str, ...]] = {
    "person": ("user", "user_id", "uid", "person", "customer", "customer_id", "visitor_id"),
    "session": ("session", "session_id", "visit", "visit_id"),
    "item": ("item", "item_id", "iid", "video", "video_id", "product", "product_id")
    + ("stock_code", "stockcode", "sku", "sku_id"),
    "items": ("items", "seq", "sequence", "item_seq"),
    "prefix": ("prefix", "history", "context"),
    "target": ("target", "next", "label"),
    "basket": ("basket_no", "basket", "basket_id", "invoice", "invoice_no", "order", "order_id"),
    "is_future": ("is_future", "future", "is_test"),
    "behaviour": ("behavior", "behaviour", "action", "event", "type"),
    "at": ("invoice_date", "invoicedate", "time_ms", "timestamp", "time", "datetime", "date"),
    "quantity": ("quantity", "qty", "pieces", "count"),
    "title": ("description", "title", "caption", "name"),
    "like": ("is_like", "like", "liked"),
    "click": ("is_click", "click", "clicked"),
    "published": ("upload_dt", "published_at", "publish_time"),
    "tab": ("tab", "page", "scene"),
    "long": ("long_view", "long_watch", "is_long_view"),
    "tags": ("tag", "tags", "topic_tag", "genres"),
    "creator": ("author_id", "author", "creator_id", "creator"),
    "duration": ("video_duration", "duration_ms", "duration", "duration_s"),
}
IDS = ("person", "item", "session", "target")


def tables(folder: Path) -> dict[str, Path]:
    """Every table of a folder by the name of its file."""
    return {p.stem: p for p in sorted(folder.iterdir()) if p.suffix in (".parquet", ".csv")}


def matching(folder: Path, word: str) -> list[Path]:
    """The tables that have a word in their names, between underlines.

    Raises
    ------
    BrokenSet
        There is none.
    """
    there = tables(folder)
    found = [path for stem, path in there.items() if re.search(rf"(^|_){word}s?(_|$)", stem)]
    # Of train and train_items the one that is called by the word alone is meant.
    found.sort(key=lambda path: len(path.stem))
    if not found:
        names = ", ".join(there) or "no table at all"
        raise BrokenSet(
            f"{folder.name} lacks a table that its protocol needs, got {names}; "
            f"allowed: a .parquet or .csv with {word} in its name"
        )
    return found


def read(path: Path, *wanted: str, maybe: Sequence[str] = ()) -> pl.DataFrame:
    """Some columns of a table, under the names of `COLUMNS`; ids as whole numbers or texts.

    Parameters
    ----------
    wanted
        Rows that lack one of these are left out.
    maybe
        Columns that may be missing.

    Raises
    ------
    BrokenSet
        A wanted column is missing.
    """
    frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path)
    chosen = {}
    for word in (*wanted, *maybe):
        named = _named(frame.columns, word)
        if named is not None:
            chosen[word] = named
        elif word in wanted:
            raise BrokenSet(
                f"{path.parent.name}/{path.name} has no column for the {word}, got "
                f"{', '.join(frame.columns)}; allowed: {', '.join(COLUMNS[word])}"
            )
    frame = frame.select(**{word: pl.col(name) for word, name in chosen.items()})
    return frame.drop_nulls(wanted).with_columns(
        pl.col(word).cast(_id_type(frame.schema[word])) for word in IDS if word in chosen
    )


def _named(columns: Sequence[str], word: str) -> str | None:
    """The column for a word, however its name is written: user_id, userId, UserID."""
    plain = {name.lower().replace("_", ""): name for name in columns}
    names = [name.replace("_", "") for name in COLUMNS[word]]
    return next((plain[name] for name in names if name in plain), None)


def with_columns(folder: Path, *words: str) -> list[Path]:
    """The tables that have a column for each of some words."""
    found = []
    for path in tables(folder).values():
        scan = pl.scan_parquet(path) if path.suffix == ".parquet" else pl.scan_csv(path)
        columns = scan.collect_schema().names()
        if all(_named(columns, word) is not None for word in words):
            found.append(path)
    return found


def _id_type(dtype: pl.DataType) -> type[pl.DataType]:
    return pl.Int64 if dtype.is_numeric() else pl.String


def coded(*columns: pl.Series) -> tuple[pl.Series, list[Ints]]:
    """The distinct values of some columns, ascending, and each column as positions in them."""
    distinct = pl.concat([column.rename("id") for column in columns]).unique().sort()
    codes = [distinct.search_sorted(column) for column in columns]
    return distinct, [np.asarray(code, dtype=np.int64) for code in codes]


def millis_of(column: pl.Series) -> Ints:
    """Milliseconds since 1970 of dates, times, texts of either, 20190616, or whole seconds."""
    if column.dtype == pl.String:
        column = column.str.to_datetime()
    if column.dtype.is_temporal():
        return column.cast(pl.Datetime("ms")).dt.epoch("ms").to_numpy().astype(np.int64)
    numbers = column.cast(pl.Int64)
    if len(numbers) and numbers.is_between(19_000_101, 21_001_231).all():
        return millis_of(numbers.cast(pl.String).str.to_date("%Y%m%d"))
    scale = 1 if int(np.abs(numbers.to_numpy()).max(initial=0)) > 10**11 else 1_000
    return np.asarray(numbers.to_numpy() * scale, dtype=np.int64)


def said(folder: Path) -> str:
    """What the set says of itself in its ABOUT.md; empty if it says nothing."""
    path = folder / "ABOUT.md"
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
