"""Durable events a second, and the time of one person's read, on a record that is already large."""

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sqlalchemy import Engine, Index, event, insert

from data import record_tables as tables
from data.record import Record
from data.record_rows import EventRow, event_row
from data.record_store import file_url, sqlite_engines
from data.writer import Writer
from recsys.events import Event, EventType, Platform

START_AT = datetime(2026, 1, 1, tzinfo=UTC)
N_ITEMS = 100_000
EVENTS_A_PERSON = 20
FILL = 200_000
CALLERS = {1: (1, 64), 100: (1, 8), 1_000: (1, 4)}


class World:
    """Events of evenly active persons: the hardest case, no two events share a page."""

    def __init__(self, n_rows: int, seed: int, prefix: str = "event") -> None:
        self.n_users = max(n_rows // EVENTS_A_PERSON, 1_000)
        self._rng = np.random.default_rng(seed)
        self._prefix = prefix
        self._made = 0

    def rows(self, seq: int, n: int) -> Iterator[tuple[Any, ...]]:
        """The same n events as values of the table, in the order of its columns."""
        sample = event_row(self.events(1)[0])
        users = self._rng.integers(self.n_users, size=n).tolist()
        items = self._rng.integers(N_ITEMS, size=n).tolist()
        for i, (user, item) in enumerate(zip(users, items, strict=True), start=seq):
            ids = (f"event-{i:09}", f"user-{user:07}", f"item-{item:06}")
            at_ms = sample.at_ms + i * 10
            row = EventRow.of(ids, kind=sample.type, at_ms=at_ms, more=sample.more)
            yield (
                i,
                row.event_key,
                user,
                user,
                row.type,
                at_ms,
                at_ms,
                *ids[::2],
                row.more,
                row.body_hash,
            )

    def events(self, n: int) -> list[Event]:
        """The next n events."""
        users = self._rng.integers(self.n_users, size=n).tolist()
        items = self._rng.integers(N_ITEMS, size=n).tolist()
        first, self._made = self._made, self._made + n
        return [
            Event(
                event_id=f"{self._prefix}-{first + i:09}",
                user_id=f"user-{users[i]:07}",
                item_id=f"item-{items[i]:06}",
                type=EventType.PLAY,
                at=START_AT + timedelta(milliseconds=(first + i) * 10),
                play_s=12.5,
                duration_s=30.0,
                list_id=f"list-{first // 20:08}",
                position=i % 20,
                platform=Platform.DOUYIN,
            )
            for i in range(n)
        ]


def fill(path: Path, world: World, n_rows: int) -> None:
    """Fill a record without durability; the last tenth with its indexes, so that they are aged."""
    Record.open(path).close()
    engine = writing_engine(path)
    event.listen(engine, "connect", lambda c, _: c.execute("PRAGMA synchronous = OFF"))
    young = n_rows - n_rows // 10
    with engine.begin() as connection:
        for index in indexes():
            index.drop(connection)
        users = [
            {"user_idx": u, "user_id": f"user-{u:07}", "person_idx": u}
            for u in range(world.n_users)
        ]
        connection.execute(insert(tables.users), users)
    _insert(engine, world, range(0, young, FILL), young)
    with engine.begin() as connection:
        for index in indexes():
            index.create(connection)
    # A fresh index has full pages and splits one at every insert; in service they are looser.
    _insert(engine, world, range(young, n_rows, FILL), n_rows)
    with engine.begin() as connection:
        for name, value in {"seq": n_rows, "user": world.n_users}.items():
            change = tables.state.update().where(tables.state.c.name == name)
            connection.execute(change.values(value=value))
    engine.dispose()


def indexes() -> list[Index]:
    """Those of the events in a file."""
    return [one for one in tables.events.indexes if one.name != "events_of_person"]


def writing_engine(path: Path) -> Engine:
    """The connection that the record itself writes with."""
    return sqlite_engines(file_url(path), busy_s=60)[0]


def _insert(engine: Engine, world: World, firsts: range, end: int) -> None:
    insertion = str(insert(tables.events).compile(dialect=engine.dialect))
    for first in track(firsts, description="Filling"):
        with engine.begin() as connection:
            values = list(world.rows(first + 1, min(FILL, end - first)))
            connection.exec_driver_sql(insertion, values)


async def ingest(record: Record, batches: list[list[Event]], n_callers: int) -> dict[str, float]:
    """Submit all batches from so many callers, each waiting for its own acknowledgement."""
    writer = Writer(record, max_waiting_events=1_000_000)
    waits: list[float] = []
    rest = iter(batches)

    async def caller() -> None:
        for batch in rest:
            start = time.perf_counter()
            await writer.submit(batch, START_AT)
            waits.append(time.perf_counter() - start)

    n_events = sum(map(len, batches))
    start, start_cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(caller() for _ in range(n_callers)))
    took, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    writer.close()
    figures = {"events_per_s": n_events / took, "cpu_us_per_event": cpu / n_events * 1e6}
    return figures | _percentiles(waits)


def read(record: Record, world: World, *, back: int, n: int = 2_000) -> dict[str, float]:
    """Read persons' events among the last `back` of the record."""
    after_seq = max(record.last_seq() - back, 0)
    waits, found = [], 0
    for user in np.random.default_rng(1).integers(world.n_users, size=n):
        start = time.perf_counter()
        found += len(record.events_of(f"user-{user:07}", after_seq=after_seq, limit=200))
        waits.append(time.perf_counter() - start)
    return {"events_found": found / n} | _percentiles(waits)


def _percentiles(waits: list[float]) -> dict[str, float]:
    p50, p99 = np.percentile(waits, [50, 99]) * 1_000
    return {"p50_ms": float(p50), "p99_ms": float(p99)}


def measure(path: Path, n_rows: int, seconds: float) -> dict[str, dict[str, float]]:
    """Every figure, by name."""
    world = World(n_rows, seed=0)
    if not path.exists():
        fill(path, world, n_rows)
    figures = {}
    # A kept record may be measured again, so the ids must be new ones each time.
    later = World(n_rows, seed=1, prefix=f"event-{time.time_ns():x}")
    record = Record.open(path)
    for size, callers in CALLERS.items():
        for n_callers in callers:
            n_batches = max(int(seconds * 10_000 / (size + 40)), 20)
            batches = [later.events(size) for _ in range(n_batches)]
            name = f"{size} a batch, {n_callers} callers"
            figures[name] = asyncio.run(ingest(record, batches, n_callers))
    figures["read, last 100,000 events"] = read(record, world, back=100_000)
    figures["read, all events"] = read(record, world, back=n_rows * 2)
    record.close()
    return figures


def main(
    rows: Annotated[int, typer.Option(help="Events the record holds before.")] = 1_000_000,
    seconds: Annotated[float, typer.Option(help="About how long each row measures.")] = 10.0,
    at: Annotated[Path | None, typer.Option(help="Keep the record in this file.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures.")] = None,
) -> None:
    """Measure the record and print a table."""
    with tempfile.TemporaryDirectory(prefix="record-") as folder:
        figures = measure(at or Path(folder) / "record.db", rows, seconds)
    columns = ("events_per_s", "cpu_us_per_event", "events_found", "p50_ms", "p99_ms")
    table = Table(title=f"Record of {rows:,} events")
    table.add_column("", no_wrap=True)
    for column in columns:
        table.add_column(column.replace("_", " "), justify="right")
    for name, values in figures.items():
        table.add_row(name, *(f"{values[c]:,.2f}" if c in values else "" for c in columns))
    Console().print(table)
    if json_file is not None:
        json_file.write_text(json.dumps({"rows": rows, "figures": figures}, indent=2))


if __name__ == "__main__":
    typer.run(main)
