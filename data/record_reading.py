"""Reading events one after the other, past whatever the disk damaged."""

import sqlite3
from collections.abc import Iterator

from sqlalchemy.exc import DBAPIError

from data.record_erasures import erased_between
from data.record_statements import BETWEEN, Found, counter
from data.record_store import Store
from recsys.errors import StoreUnavailable

# Each is looked for alone; a file of which so much is gone needs a copy and no patience.
MAX_DAMAGED = 100_000


def rows_between(
    store: Store, after_seq: int, upto_seq: int, batch: int, damaged: set[int]
) -> Iterator[Found]:
    """Rows (seq, received_ms, *values) in order, in batches; what cannot be read is left out.

    Parameters
    ----------
    damaged
        Gets the numbers that cannot be read, whether there was an event of that number or not.

    Raises
    ------
    StoreUnavailable
        Something else than damage is in the way, or there is too much of it to look past.
    """
    before = len(damaged)
    with store.reading() as connection:
        upto_seq = min(upto_seq, counter(connection, "seq") or 0)
    while after_seq < upto_seq:
        if len(damaged) - before > MAX_DAMAGED:
            raise StoreUnavailable(
                f"the record is damaged, got {MAX_DAMAGED} events that cannot be read; "
                "put a copy back"
            )
        first = after_seq + 1
        rows, after_seq = _next_rows(store, after_seq, upto_seq, batch, damaged)
        # Numbers have no gaps but those of what was erased, so an event that damage hides from the
        # walk is seen to be missing.
        if len(rows) < after_seq + 1 - first:
            missing = set(range(first, after_seq + 1)) - {row[0] for row in rows}
            with store.reading() as connection:
                damaged.update(missing - erased_between(connection, first, after_seq))
        if rows:
            yield rows


def _next_rows(
    store: Store, after_seq: int, upto_seq: int, batch: int, damaged: set[int]
) -> tuple[Found, int]:
    """Rows after a number, and the number up to which they are all."""
    asked = {"after_seq": after_seq, "upto_seq": upto_seq, "k": batch}
    try:
        with store.reading() as connection:
            rows = connection.execute(BETWEEN, asked).all()
    except StoreUnavailable as failure:
        if not _is_damage(failure):
            raise
    else:
        return rows, rows[-1][0] if len(rows) == batch else upto_seq
    if upto_seq - after_seq == 1:
        damaged.add(upto_seq)
        return [], upto_seq
    # Half as far, until what is before the damage has been read and the damage is alone.
    half = (min(upto_seq - after_seq, batch) + 1) // 2
    return _next_rows(store, after_seq, after_seq + half, batch, damaged)


def _is_damage(failure: StoreUnavailable) -> bool:
    cause = failure.__cause__
    orig = cause.orig if isinstance(cause, DBAPIError) else None
    # Beside SQLite's own code: a text whose bytes are no text any more has none.
    is_text = isinstance(orig, sqlite3.OperationalError) and "decode" in str(orig)
    return is_text or getattr(orig, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CORRUPT
