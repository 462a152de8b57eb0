"""Rows of persons whose acts, with their order and times, a test says."""

import numpy as np

from recsys.events import EventType, millis
from recsys.histories import UNDATED, Histories, History
from recsys.interactions import DAY_MS, Acts, Rows
from tests.planted import NOW

NOW_MS = millis(NOW)
# An act: the item, its type, how many days ago (None: not known), and the number of its order.
Act = tuple[int, EventType, float | None, int]


def ordered(days_ago: float | None, *items: int, order: int = 0) -> list[Act]:
    """One order of some items."""
    return [(item, EventType.ORDER, days_ago, order) for item in items]


def viewed(*items: int, days_ago: float | None = None) -> list[Act]:
    """Views one after the other."""
    return [(item, EventType.VIEW, days_ago, 0) for item in items]


def rows_of(persons: list[list[Act]], n_items: int) -> Rows:
    """A row for each person, every act weighing 1; acts are said in the order they happened."""
    histories = Histories.of([_history(acts) for acts in persons])
    weights = np.ones(len(histories.events), dtype=np.float32)
    return Rows.of_acts(Acts(histories, weights, NOW_MS), n_items)


def _history(acts: list[Act]) -> History:
    n = len(acts)
    times = [UNDATED if days is None else NOW_MS - int(days * DAY_MS) for _, _, days, _ in acts]
    return History(
        item=np.array([item for item, _, _, _ in acts], dtype=np.int32),
        type=np.array([type for _, type, _, _ in acts], dtype=np.int8),
        at_ms=np.array(times, dtype=np.int64),
        value=np.full(n, np.nan, dtype=np.float32),
        duration_s=np.full(n, np.nan, dtype=np.float32),
        order=np.array([order for _, _, _, order in acts], dtype=np.int64),
        platform=np.zeros(n, dtype=np.int8),
    )
