"""Campaigns that are open to one person now: in their window, with pieces left for this person."""

import numpy as np
from numpy.typing import NDArray

from recsys.campaigns import Campaigns, Offer
from recsys.catalog import Idxs
from recsys.events import EventType
from recsys.histories import History

ORDER = int(EventType.ORDER)


def open_to(campaigns: Campaigns, history: History, at_ms: int) -> Campaigns:
    """Those that run and of which the person did not have all pieces they may have."""
    running = campaigns.running(at_ms)
    limited = np.flatnonzero(running.per_person > 0)
    if len(limited) == 0:
        return running
    had = _pieces_had(running.take(limited), history, at_ms)
    return running.take(np.delete(np.arange(len(running)), limited[had >= _limits(running)]))


def coupons_on(items: Idxs, campaigns: Campaigns, history: History, at_ms: int) -> dict[int, str]:
    """By item the name of its coupon that the person may use now; what has none is left out.

    It is the same for everybody who did not use theirs up.
    """
    if len(campaigns) == 0:
        return {}
    starts, ends = (np.searchsorted(campaigns.item, items, side=side) for side in ("left", "right"))
    owners = np.flatnonzero(ends > starts)
    entries = [
        np.arange(start, end) for start, end in zip(starts[owners], ends[owners], strict=True)
    ]
    if not entries:
        return {}
    found = open_to(campaigns.take(np.concatenate(entries)).of_offer(Offer.COUPON), history, at_ms)
    named = zip(found.item.tolist(), found.name.tolist(), strict=True)
    return {item_idx: campaigns.names[name] for item_idx, name in named}


def _limits(running: Campaigns) -> NDArray[np.int32]:
    return running.per_person[running.per_person > 0]


def _pieces_had(limited: Campaigns, history: History, at_ms: int) -> NDArray[np.float64]:
    """How many pieces of each one's item the person ordered in its window and did not give back.

    An order that does not say how many is of one.
    """
    is_of_any = np.isin(history.item, np.unique(limited.item))
    places = np.flatnonzero((history.type == ORDER) & is_of_any)
    had = np.zeros(len(limited))
    if len(places) == 0:
        return had
    orders = history.take(places[~history.undone(at_ms)[places]])
    pieces = np.nan_to_num(orders.value, nan=1.0)
    for one in range(len(limited)):
        is_of_it = (orders.item == limited.item[one]) & (orders.at_ms >= limited.starts_ms[one])
        had[one] = pieces[is_of_it].sum()
    return had
