"""Sorting events by day and person with less memory than they need: an external sort.

Batches go to disk as runs sorted by day; then the days come back one after the other, a large one
in ranges of persons.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

# Rows that may be in memory together while they are sorted.
ROWS_TOGETHER = 1_500_000
# The number of a day stands for "no day" where rows are grouped: before every real day.
NO_DAY = -1
# A day's rows are read in blocks of this many.
_ROWS_A_BLOCK = 32_768


@dataclass(frozen=True, slots=True)
class _Span:
    """Rows of one day inside one run."""

    run: Path
    start: int
    length: int


@dataclass(slots=True)
class Runs:
    """Events on their way to be sorted.

    Parameters
    ----------
    folder
        Where runs may lie; the caller removes it.
    """

    folder: Path
    rows_together: int = ROWS_TOGETHER
    _waiting: list[pl.DataFrame] = field(default_factory=list)
    _spans: dict[int, list[_Span]] = field(default_factory=dict)
    _n_runs: int = 0

    def add(self, events: pl.DataFrame) -> None:
        """Put a batch aside; it has the columns `day` (Int32, days since 1970) and `person`."""
        if events.height:
            self._waiting.append(events)
        if sum(batch.height for batch in self._waiting) >= self.rows_together // 2:
            self._write_run()

    def _write_run(self) -> None:
        if not self._waiting:
            return
        events = _by_day(pl.concat(self._waiting, how="diagonal"))
        self._waiting = []
        run = self.folder / f"{self._n_runs:06}.arrow"
        self._n_runs += 1
        events.drop("day").write_ipc(run, record_batch_size=_ROWS_A_BLOCK)
        days, starts = np.unique(events["day"].to_numpy(), return_index=True)
        ends = [*starts[1:].tolist(), events.height]
        for day, start, end in zip(days.tolist(), starts.tolist(), ends, strict=True):
            self._spans.setdefault(day, []).append(_Span(run, start, end - start))

    def sizes(self) -> Counter[int]:
        """How many rows each day has."""
        return Counter(
            {day: sum(span.length for span in spans) for day, spans in self._spans.items()}
        )

    def days(self) -> Iterator[tuple[int, pl.DataFrame]]:
        """Every day's rows sorted by person, then time, then as they came; large days in parts."""
        self._write_run()
        for day, size in sorted(self.sizes().items()):
            if size > self.rows_together:
                yield from self._in_ranges(day, size)
            else:
                yield day, _by_person(pl.concat([_read(span) for span in self._spans[day]]))

    def _in_ranges(self, day: int, size: int) -> Iterator[tuple[int, pl.DataFrame]]:
        for of_range in person_ranges(-(-size // self.rows_together)):
            parts = [_read(span).filter(of_range) for span in self._spans[day]]
            part = pl.concat(parts)
            if part.height:
                yield day, _by_person(part)


def person_ranges(n: int) -> list[pl.Expr]:
    """Conditions that cut all persons into n parts of about the same size."""
    edges = [2**64 * part // n for part in range(n + 1)]
    person = pl.col("person")
    return [
        (person >= pl.lit(low, dtype=pl.UInt64)) & (person <= pl.lit(high - 1, dtype=pl.UInt64))
        for low, high in zip(edges, edges[1:], strict=False)
    ]


def day_of(at_ms: pl.Expr) -> pl.Expr:
    """The day of a time, UTC, as a number since 1970; `NO_DAY` for none."""
    return (at_ms // 86_400_000).cast(pl.Int32).fill_null(NO_DAY)


def _by_day(events: pl.DataFrame) -> pl.DataFrame:
    if events["day"].is_sorted():
        return events
    return events.sort("day", maintain_order=True)


def _by_person(events: pl.DataFrame) -> pl.DataFrame:
    # Most logs are in order of time already, and sorting twice by one column is no slower.
    if not events["at_ms"].is_sorted():
        events = events.sort("at_ms", maintain_order=True)
    return events.sort("person", maintain_order=True)


def _read(span: _Span) -> pl.DataFrame:
    return pl.scan_ipc(span.run, glob=False).slice(span.start, span.length).collect()
