"""Files and homes for tests of the import."""

import gzip
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from data.histories_file import Past
from data.home import Home
from data.importing import ImportReport, run_import
from data.reading import Batch, read
from recsys.events import EventType

NOW = datetime(2026, 6, 1, tzinfo=UTC)
START_MS = 1_767_225_600_000
LOG = """
name = "log"
of = "events"

[fields]
user_id = "user"
item_id = "item"
kind = { constant = "video" }
type = { column = "act", values = { watch = "play", buy = "order" } }
at = { column = "ms", unit = "ms" }
play_s = "seconds"
"""
HEADER = "user,item,act,ms,seconds"


def line(number: int) -> str:
    """One good line of a log as CSV."""
    act = "buy" if number % 3 == 0 else "watch"
    seconds = "" if act == "buy" else f"{number % 30}.5"
    at_ms = START_MS + number * 40_000
    return f"user-{5001 + number % 97},item-{1001 + number % 31},{act},{at_ms},{seconds}"


def csv_of(path: Path, lines: list[str]) -> Path:
    """A CSV of these lines below the header."""
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    return path


def log_of(path: Path, n: int) -> Path:
    """A CSV of n good lines."""
    return csv_of(path, [line(number) for number in range(n)])


def mapping_of(folder: Path, text: str = LOG, name: str = "mapping.toml") -> Path:
    """A mapping file."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def packed(path: Path, how: str) -> Path:
    """The same file as it is, or as .gz or .zst."""
    if how == "":
        return path
    target = path.with_name(path.name + how)
    if how == ".gz":
        target.write_bytes(gzip.compress(path.read_bytes()))
    else:
        subprocess.run(["zstd", "-q", "-f", str(path), "-o", str(target)], check=True)
    path.unlink()
    return target


def bring(folder: Path, text: str, *files: Path, **options) -> ImportReport:
    """Import files into the home in this folder."""
    options = {"now": NOW} | options
    return run_import(mapping_of(folder, text), files, Home(folder / "home"), **options)


def past_of(folder: Path) -> Past:
    """The histories of the home in this folder."""
    past = Past.open(Home(folder / "home").histories)
    assert past is not None
    return past


def acts(folder: Path, user_id: str) -> list[tuple[str, str, int]]:
    """One person's history as item id, type and time."""
    past = past_of(folder)
    history = past.of_user(user_id)
    return [
        (past.item_ids[int(item)], EventType(kind).word, int(at_ms))
        for item, kind, at_ms in zip(history.item, history.type, history.at_ms, strict=True)
    ]


def told(folder: Path) -> list[dict]:
    """Every quarantined line of the home in this folder."""
    files = sorted((folder / "home" / "quarantine").glob("*.jsonl"))
    return [row for file in files for row in pl.read_ndjson(file).to_dicts()]


def batches(path: Path, mapping, rows: int = 1_000) -> list[Batch]:
    """A file as the reader gives it."""
    return list(read(path, mapping, rows=rows))
