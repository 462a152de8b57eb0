"""What has been kept as long as `[privacy]` allows goes: events, served lists, what was refused."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl
from sqlalchemy import Table

from data.erasing import clear_histories
from data.home import Home
from data.lake import Lake
from data.record import Record
from data.record_tables import quarantined, served
from recsys.events import millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Trimmed:
    """How much went; `lake` are rows of the lake."""

    events: int = 0
    lake: int = 0
    lists: int = 0
    refused: int = 0
    deeds: int = 0


def trim(home: Home, *, now: datetime) -> Trimmed:
    """Delete what is past its limit; what no limit is set for stays."""
    record = Record.of(home)
    try:
        limits = record.choices.privacy
        gone = Trimmed(
            events=_events(record, limits.events_days, now),
            lists=_rows(record, served, limits.lists_days, now),
            refused=_rows(record, quarantined, limits.quarantine_days, now),
            deeds=_deeds(record, limits.audit_days, now),
            lake=_lake(home, limits.events_days, now),
        )
        if gone != Trimmed():
            record.erasing.clean_pages(())
    finally:
        record.close()
    return gone


def _before(days: int, now: datetime) -> int:
    return millis(now - timedelta(days=days))


def _events(record: Record, days: int | None, now: datetime) -> int:
    return 0 if days is None else record.erasing.drain_events(_before(days, now))


def _rows(record: Record, table: Table, days: int | None, now: datetime) -> int:
    return 0 if days is None else record.erasing.drain(table, _before(days, now))


def _deeds(record: Record, days: int | None, now: datetime) -> int:
    return 0 if days is None else record.audit.cut(_before(days, now), at=now)


def _lake(home: Home, days: int | None, now: datetime) -> int:
    """Undated events stay: nobody knows how old they are."""
    if days is None or not home.lake.exists():
        return 0
    at_ms = pl.col("at_ms")
    gone = Lake(home.lake).keep_only(at_ms.is_null() | (at_ms >= _before(days, now)))
    if gone:
        clear_histories(home)
    return gone
