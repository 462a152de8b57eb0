"""Events a second and peak memory of `dapei import` from Parquet, text ids, a month of days."""

import json
import resource
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
import typer
from rich.console import Console
from rich.table import Table

from data.histories_file import Past
from data.home import Home
from data.importing import run_import

START_MS = 1_767_225_600_000
NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAYS = 30
N_ITEMS = 100_000
EVENTS_A_PERSON = 20
ROWS_A_GROUP = 250_000
MAPPING = """
name = "benchmark"
of = "events"

[fields]
user_id = { column = "user", prefix = "shop-" }
item_id = "item"
kind = { constant = "video" }
at = { column = "time", unit = "ms" }
type = { column = "act", values = { click = "view", watch = "play", like = "like", buy = "order" } }
play_s = { column = "watched_ms", unit = "ms" }
duration_s = { column = "length_ms", unit = "ms" }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured.

    Parameters
    ----------
    events_per_s
        Events over the time from the call to fresh histories.
    reading_s, sorting_s, histories_s
        Parts of that time: read, checked and put aside; sorted and written to the lake; histories.
    cpu_s
        Processor time of all threads; on two free cores the seconds are at least half of it.
    peak_rss_mb
        The process's highest resident memory, mapped files included.
    """

    events: int
    persons: int
    file_mb: float
    seconds: float
    events_per_s: float
    reading_s: float
    sorting_s: float
    histories_s: float
    cpu_s: float
    peak_rss_mb: float


def generate(path: Path, n_events: int, seed: int) -> None:
    """A log in order of time: active persons and popular items take most of it."""
    rng = np.random.default_rng(seed)
    n_users = max(n_events // EVENTS_A_PERSON, 1)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        for start in range(0, n_events, ROWS_A_GROUP):
            n = min(ROWS_A_GROUP, n_events - start)
            days = (start + np.arange(n)) / n_events * DAYS
            part = pl.DataFrame(
                {
                    "user": (n_users * rng.random(n) ** 1.5).astype(np.int64),
                    "item": (N_ITEMS * rng.random(n) ** 3).astype(np.int64),
                    "time": START_MS + (days * 86_400_000).astype(np.int64),
                    "act": rng.choice(["click", "watch", "watch", "watch", "like", "buy"], n),
                    "watched_ms": rng.integers(0, 60_000, n),
                    "length_ms": rng.integers(5_000, 60_000, n),
                }
            )
            part = part.with_columns(
                pl.format("user-{}", "user").alias("user"),
                pl.format("item-{}", "item").alias("item"),
                pl.when(pl.col("act") == "watch").then("watched_ms").alias("watched_ms"),
                pl.when(pl.col("act") == "watch").then("length_ms").alias("length_ms"),
            )
            part.write_parquet(Path(folder) / f"{start:012}.parquet")
        parts = pl.scan_parquet(Path(folder) / "*.parquet")
        parts.sink_parquet(path, row_group_size=ROWS_A_GROUP)


def measure(path: Path, folder: Path, n_events: int) -> Figures:
    """Import a file into a home of its own."""
    mapping = folder / "benchmark.toml"
    mapping.write_text(MAPPING)
    home = Home(folder / "home")
    began: dict[str, float] = {}

    def note(step: str, done: int, total: int | None) -> None:
        began.setdefault(step, time.perf_counter())

    start, cpu_s = time.perf_counter(), time.process_time()
    report = run_import(mapping, [path], home, now=NOW, progress=note)
    end = time.perf_counter()
    past = Past.open(home.histories)
    if past is None or len(past.histories.events) != n_events or report.events != n_events:
        raise SystemExit("the import lost or doubled events")
    return Figures(
        events=n_events,
        persons=len(past.user_ids),
        file_mb=round(path.stat().st_size / 2**20, 1),
        seconds=round(end - start, 2),
        events_per_s=round(n_events / (end - start)),
        reading_s=round(began["sorting"] - start, 2),
        sorting_s=round(began["histories"] - began["sorting"], 2),
        histories_s=round(end - began["histories"], 2),
        cpu_s=round(time.process_time() - cpu_s, 2),
        peak_rss_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    )


def main(
    events: Annotated[int, typer.Option(min=1, help="How many.")] = 2_000_000,
    seed: Annotated[int, typer.Option(help="Of the generated file.")] = 1,
    out: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
    file: Annotated[Path | None, typer.Option(help="Import this generated file.")] = None,
) -> None:
    """Generate a log, import it, print events a second and peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        path = file or Path(folder) / "log.parquet"
        if not path.exists():
            generate(path, events, seed)
        figures = measure(path, Path(folder), events)
    table = Table("figure", "value", title="dapei import")
    for name, value in asdict(figures).items():
        table.add_row(name, f"{value:,}")
    Console().print(table)
    if out is not None:
        out.write_text(json.dumps(asdict(figures), indent=2) + "\n")


if __name__ == "__main__":
    typer.run(main)
