"""CSV, JSON lines and Parquet, plain, gz or zst → batches of rows with their line numbers.

A line that cannot be read is told by its number and never stops the file.
"""

import csv
import gzip
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import polars as pl
from backports import zstd

from data.mapping_fields import FORMATS, Mapping
from recsys.errors import ConfigError, InvalidInput

# The column of line numbers, from 1: data rows of Parquet, lines of text files.
LINE = "__line__"
BAD_COLUMNS = pl.Schema(
    {LINE: pl.Int64(), "field": pl.String(), "value": pl.String(), "reason": pl.String()}
)
SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
_PACKED = (".gz", ".zst")
# A quoted text of a CSV that does not end within so many lines was never meant to begin.
_LINES_IN_QUOTES = 50
_SHOWN = 200
_NOT_UTF8 = "\ufffd"


@dataclass(frozen=True, slots=True)
class Batch:
    """Some lines of a file.

    Attributes
    ----------
    rows
        The mapped columns as the file has them, and `LINE`.
    bad
        Lines that could not be read, as `BAD_COLUMNS`.
    """

    rows: pl.DataFrame
    bad: pl.DataFrame


def format_of(path: Path, mapping: Mapping) -> str:
    """The format of a file: what the mapping says, else what its name says.

    Raises
    ------
    ConfigError
        Neither says one.
    """
    if mapping.format is not None:
        return mapping.format
    suffixes = [suffix for suffix in path.suffixes if suffix not in _PACKED]
    if not suffixes or suffixes[-1] not in SUFFIXES:
        raise ConfigError(
            f"the format of {path.name} is not clear from its name; allowed: "
            f"{', '.join(SUFFIXES)}, each also .gz or .zst, or file.format = {FORMATS}"
        )
    return SUFFIXES[suffixes[-1]]


def read(path: Path, mapping: Mapping, *, rows: int) -> Iterator[Batch]:
    """A file in batches of about so many rows.

    Raises
    ------
    ConfigError
        The file lacks a column that the mapping names.
    InvalidInput
        The file as a whole cannot be read.
    """
    if not path.is_file():
        raise InvalidInput(f"there is no file {path}")
    try:
        yield from _READERS[format_of(path, mapping)](path, mapping, rows)
    except (pl.exceptions.PolarsError, zstd.ZstdError, OSError, EOFError) as cause:
        raise InvalidInput(f"{path.name} cannot be read: {cause}") from cause


def n_rows(path: Path, mapping: Mapping) -> int | None:
    """How many rows a file has, where that is known without reading it."""
    if format_of(path, mapping) != "parquet" or path.suffix in _PACKED:
        return None
    try:
        return int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())
    except pl.exceptions.PolarsError as cause:
        raise InvalidInput(f"{path.name} cannot be read: {cause}") from cause


def bad_lines(rows: list[tuple[int, str, str, str]]) -> pl.DataFrame:
    """Rows of `BAD_COLUMNS`."""
    return pl.DataFrame(rows, schema=BAD_COLUMNS, orient="row")


def _check_columns(path: Path, mapping: Mapping, there: list[str]) -> None:
    missing = sorted(mapping.read() - set(there))
    if missing:
        raise ConfigError(
            f"{path.name} has no column {', '.join(missing)}; it has: {', '.join(there)}"
        )


def _parquet(path: Path, mapping: Mapping, rows: int) -> Iterator[Batch]:
    with _unpacked(path) as plain:
        table = pl.scan_parquet(plain, glob=False)
        _check_columns(path, mapping, table.collect_schema().names())
        wanted = table.select(sorted(mapping.read()))
        first = 1
        for part in wanted.collect_batches(chunk_size=rows, maintain_order=True):
            yield Batch(part.with_row_index(LINE, first).cast({LINE: pl.Int64}), bad_lines([]))
            first += part.height


@contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """A file that can be read at any place."""
    if path.suffix not in _PACKED:
        yield path
        return
    opened = gzip.open if path.suffix == ".gz" else zstd.open
    with TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.parquet"
        with opened(path) as packed, plain.open("wb") as file:
            shutil.copyfileobj(packed, file, 1 << 20)
        yield plain


def _lines(path: Path, rows: int) -> Iterator[pl.Series]:
    """The lines of a text file; a null is an empty one.

    Reading one column of text unpacks gz and zst on the way and keeps every line. Its separator is
    the carriage return: at the end of a line it belongs to the line's end, and anywhere else it is
    put back to where a check finds it.
    """
    table = pl.scan_csv(
        path,
        glob=False,
        has_header=False,
        separator="\r",
        quote_char=None,
        encoding="utf8-lossy",
        schema={"line": pl.String, "rest": pl.String},
        missing_columns="insert",
        truncate_ragged_lines=True,
    )
    whole = (
        pl.when(pl.col("rest").is_null())
        .then("line")
        .otherwise(pl.col("line").fill_null("") + pl.lit("\r") + pl.col("rest"))
    )
    waiting: list[pl.Series] = []
    for part in table.select(whole.alias("line")).collect_batches(maintain_order=True):
        waiting.append(part["line"])
        if sum(map(len, waiting)) >= rows:
            yield pl.concat(waiting)
            waiting = []
    if waiting:
        yield pl.concat(waiting)


def _jsonl(path: Path, mapping: Mapping, rows: int) -> Iterator[Batch]:
    names = sorted(mapping.read())
    first = 1
    for lines in _lines(path, rows):
        numbers: list[int] = []
        columns: dict[str, list[Any]] = {name: [] for name in names}
        bad: list[tuple[int, str, str, str]] = []
        for number, line in enumerate(lines.to_list(), first):
            if line is None or not line.strip():
                continue
            found = _object(line)
            if isinstance(found, str):
                bad.append((number, "line", line[:_SHOWN], found))
                continue
            numbers.append(number)
            for name in names:
                columns[name].append(_said(_at(found, name)))
        series = [_json_column(name, values) for name, values in columns.items()]
        yield Batch(
            pl.DataFrame([pl.Series(LINE, numbers, dtype=pl.Int64), *series]), bad_lines(bad)
        )
        first += len(lines)


def _object(line: str) -> dict[str, Any] | str:
    """The object of a line, or why it is none."""
    if _NOT_UTF8 in line:
        return "the line is not UTF-8"
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError as cause:
        return f"the line is no JSON: {cause}"
    return found if isinstance(found, dict) else "the line is no JSON object"


def _at(row: dict[str, Any], name: str) -> Any:
    """What an object holds under a name; a name with points is a path, if nothing is called so."""
    if name in row or "." not in name:
        return row.get(name)
    return _inside(row, name.split("."))


def _inside(value: Any, path: list[str]) -> Any:
    """What lies at the end of a path; in a list of objects, of each in turn."""
    if not path:
        return value
    if isinstance(value, list):
        return [_inside(one, path) for one in value]
    return _inside(value.get(path[0]), path[1:]) if isinstance(value, dict) else None


def _said(value: Any) -> Any:
    """A JSON value as text, a list as a list of texts: what a CSV would have said."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list):
        return [_said(one) if not isinstance(one, list) else json.dumps(one) for one in value]
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _json_column(name: str, values: list[Any]) -> pl.Series:
    if any(isinstance(one, list) for one in values):
        lists = [one if one is None or isinstance(one, list) else [one] for one in values]
        return pl.Series(name, lists, dtype=pl.List(pl.String))
    return pl.Series(name, values, dtype=pl.String)


def _csv(path: Path, mapping: Mapping, rows: int) -> Iterator[Batch]:
    table: _Table | None = None
    carried, first = pl.Series(dtype=pl.String), 1
    parts = _lines(path, rows)
    part = next(parts, None)
    while part is not None:
        upcoming = next(parts, None)
        lines = pl.concat([carried, part])
        if table is None:
            table, skipped = _table(path, mapping, lines)
            lines, first = lines.slice(skipped), first + skipped
        batch, used = table.batch(lines, first, is_last=upcoming is None)
        yield batch
        carried, first, part = lines.slice(used), first + used, upcoming


def _table(path: Path, mapping: Mapping, lines: pl.Series) -> tuple["_Table", int]:
    """The columns of a CSV, and how many lines said so."""
    header, skipped = list(mapping.header), 0
    if not header:
        said = (lines[0] or "").removeprefix("\ufeff")
        header, skipped = next(csv.reader([said], delimiter=mapping.separator), []), 1
    if len(set(header)) < len(header):
        raise ConfigError(f"{path.name} names a column twice: {', '.join(header)}")
    _check_columns(path, mapping, header)
    return _Table(header, sorted(mapping.read()), mapping.separator), skipped


@dataclass(slots=True)
class _Table:
    """Lines of a CSV → rows."""

    header: list[str]
    wanted: list[str]
    separator: str
    places: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.places = [self.header.index(name) for name in self.wanted]

    def batch(self, lines: pl.Series, first: int, *, is_last: bool) -> tuple[Batch, int]:
        """The rows of these lines, and how many lines were used up."""
        numbered = pl.DataFrame(
            {LINE: pl.int_range(first, first + len(lines), eager=True), "line": lines}
        )
        line = pl.col("line")
        quotes = line.str.count_matches('"', literal=True)
        if numbered.select((quotes % 2 == 1).any()).item():
            return self._slow(lines, first, is_last=is_last)
        # Without a quote a line is its pieces between separators; nothing else needs a parser.
        pieces = line.str.count_matches(self.separator, literal=True) + 1
        plain = (quotes == 0) & (pieces == len(self.header))
        plain &= ~line.str.contains(_NOT_UTF8, literal=True)
        numbered = numbered.filter(line.is_not_null()).with_columns(plain.alias("plain"))
        quick = self._quick(numbered.filter("plain"))
        rest = numbered.filter(~pl.col("plain"))
        slow = self._parsed(zip(rest[LINE], rest["line"], strict=True))
        rows = pl.concat([quick, slow.rows]).sort(LINE) if slow.rows.height else quick
        return Batch(rows, slow.bad), len(lines)

    def _quick(self, numbered: pl.DataFrame) -> pl.DataFrame:
        pieces = pl.col("line").str.split_exact(self.separator, len(self.header) - 1)
        named = pieces.struct.rename_fields(self.header).struct.field(self.wanted)
        return numbered.select(LINE, named).select(LINE, *self.wanted)

    def _slow(self, lines: pl.Series, first: int, *, is_last: bool) -> tuple[Batch, int]:
        """Some quoted text may go over several lines: join those that belong together."""
        texts = lines.to_list()
        joined: list[tuple[int, str]] = []
        at = 0
        while at < len(texts):
            n_lines = self._length(texts, at)
            if n_lines is None:
                if not is_last and len(texts) - at < _LINES_IN_QUOTES:
                    break
                n_lines = 1
            if texts[at] is not None:
                record = "\n".join(text or "" for text in texts[at : at + n_lines])
                joined.append((first + at, record))
            at += n_lines
        return self._parsed(iter(joined)), at

    def _length(self, texts: list[str | None], at: int) -> int | None:
        """How many lines the record that begins here has; None if its quotes never close."""
        text = texts[at] or ""
        if text.count('"') % 2 == 0:
            return 1
        for n_lines, more in enumerate(texts[at + 1 : at + _LINES_IN_QUOTES], 2):
            text = f"{text}\n{more or ''}"
            if text.count('"') % 2 == 0:
                return n_lines if isinstance(self._fields(text), list) else 1
        return None

    def _parsed(self, lines: Iterator[tuple[int, str]]) -> Batch:
        rows: list[tuple[Any, ...]] = []
        bad: list[tuple[int, str, str, str]] = []
        for number, line in lines:
            found = self._fields(line)
            if isinstance(found, str):
                bad.append((number, "line", line[:_SHOWN], found))
            else:
                rows.append((number, *(found[place] for place in self.places)))
        schema = {LINE: pl.Int64} | dict.fromkeys(self.wanted, pl.String)
        return Batch(pl.DataFrame(rows, schema=schema, orient="row"), bad_lines(bad))

    def _fields(self, line: str) -> list[str] | str:
        """The fields of a record, or why it is none."""
        if _NOT_UTF8 in line:
            return "the line is not UTF-8"
        try:
            found = next(csv.reader([line], delimiter=self.separator, strict=True))
        except csv.Error as cause:
            return f"the line is no CSV: {cause}"
        if len(found) != len(self.header):
            return f"the line has {len(found)} fields; allowed: {len(self.header)}, as the header"
        return found


_READERS = {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}
