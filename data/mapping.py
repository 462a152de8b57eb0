"""A file of held-out events through a mapping, as evaluation wants it."""

from datetime import datetime
from pathlib import Path

import polars as pl

from data.mapping_events import take_events
from data.mapping_read import load_mapping
from data.reading import read
from recsys.errors import ConfigError, TooManyBadRows
from recsys.events import LATEST_AT

ROWS_A_BATCH = 100_000
COLUMNS = ["user_id", "item_id", "type", "at_ms"]


def held_out(
    mapping_path: Path, file: Path, *, max_bad: float = 0.01, latest_at: datetime = LATEST_AT
) -> pl.DataFrame:
    """The events of a file that stays out of the home.

    Returns
    -------
    Columns `user_id`, `item_id`, `type` (the number of an `EventType`) and `at_ms` (null where
    undated), in the file's order.

    Raises
    ------
    ConfigError
        The mapping is wrong or not one of events.
    TooManyBadRows
        More than `max_bad` of the lines broke the contract.
    """
    mapping = load_mapping(mapping_path)
    if mapping.of != "events":
        raise ConfigError(f"{mapping_path.name} is of {mapping.of}; allowed: events")
    events, n_read, n_bad = [], 0, 0
    for batch in read(file, mapping, rows=ROWS_A_BATCH):
        taken = take_events(batch.rows, mapping, latest_at=latest_at)
        events.append(taken.events.select(COLUMNS))
        n_read += taken.read + batch.bad.height
        n_bad += taken.bad.height + batch.bad.height
    if n_bad > max_bad * n_read:
        raise TooManyBadRows(
            f"{file.name} has too many bad lines, got {n_bad} of {n_read}; allowed: {max_bad:.2%}"
        )
    return pl.concat(events) if events else pl.DataFrame(schema=dict.fromkeys(COLUMNS, pl.String))
