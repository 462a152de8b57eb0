"""What was refused at the door, as it came and why: rows that an operator looks at."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select

from data.record_tables import quarantined as table
from recsys.events import millis, moment

ROWS_KEPT = 100_000


class Quarantined(NamedTuple):
    """Something refused: as it came, and why."""

    at: datetime
    raw: bytes
    error: str
    detail: str


def set_aside(
    connection: Connection, rows: Sequence[tuple[bytes, str, str]], *, at: datetime, keep: int
) -> None:
    """Keep (as it came, error code, detail); only the last `keep` stay."""
    values = [
        {"at_ms": millis(at), "body": raw, "error": error, "detail": _storable(detail)}
        for raw, error, detail in rows
    ]
    connection.execute(insert(table), values)
    newest = select(table.c.row_idx).order_by(table.c.row_idx.desc()).limit(1)
    last = connection.execute(newest).scalar_one()
    connection.execute(delete(table).where(table.c.row_idx <= last - keep))


def newest_refused(connection: Connection, limit: int) -> list[Quarantined]:
    """What was refused last, newest first."""
    newest = (
        select(table.c.at_ms, table.c.body, table.c.error, table.c.detail)
        .order_by(table.c.row_idx.desc())
        .limit(limit)
    )
    return [Quarantined(moment(at), *rest) for at, *rest in connection.execute(newest)]


def _storable(text: str) -> str:
    # A reason quotes what was refused: that may be half a surrogate pair, or hold the character
    # that no text of PostgreSQL can.
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\x00")
