"""Filters about what can be shown at all: to anybody, now, to this person."""

import numpy as np
from numpy.typing import NDArray

from recsys.bars import Bar
from recsys.campaigns import Campaigns, Offer
from recsys.candidates import among
from recsys.catalog import Catalog, Idxs
from recsys.events import EventType
from recsys.histories import History
from recsys.pipeline import (
    Context,
)

ORDER = int(EventType.ORDER)


def on_sale(_context: Context, catalog: Catalog) -> Bar:
    """What is switched off or sold out."""
    return Bar(open=catalog.on_sale)


def in_time(context: Context, catalog: Catalog) -> Bar:
    """What is not out yet, what has expired, and flash sales outside their window.

    A flash sale of which the person had all pieces they may have is over for them.
    """
    if not len(catalog.campaigns):
        return Bar(timed=True)
    closed = closed_sales(catalog.campaigns, context.history, context.at_ms)
    return Bar(items=closed, timed=True)


def closed_sales(campaigns: Campaigns, history: History, at_ms: int) -> Idxs:
    """Items that are sold in flash sales only, none of which is open to this person now."""
    sales = campaigns.of_offer(Offer.FLASH)
    open_now = sales.running(at_ms)
    limited = np.flatnonzero(open_now.per_person > 0)
    if len(limited):
        had = _pieces_had(open_now.take(limited), history, at_ms)
        is_used_up = had >= open_now.per_person[limited]
        open_now = open_now.take(np.delete(np.arange(len(open_now)), limited[is_used_up]))
    return np.setdiff1d(sales.item, open_now.item).astype(np.int32)


def _pieces_had(sales: Campaigns, history: History, at_ms: int) -> NDArray[np.float64]:
    """How many pieces of each sale's item the person ordered in its window and did not give back.

    An order that does not say how many is of one.
    """
    places = np.flatnonzero((history.type == ORDER) & among(history.item, np.unique(sales.item)))
    had = np.zeros(len(sales))
    if len(places) == 0:
        return had
    orders = history.take(places[~history.undone(at_ms)[places]])
    pieces = np.nan_to_num(orders.value, nan=1.0)
    for sale in range(len(sales)):
        is_of_it = (orders.item == sales.item[sale]) & (orders.at_ms >= sales.starts_ms[sale])
        had[sale] = pieces[is_of_it].sum()
    return had


def audience(context: Context, _catalog: Catalog) -> Bar:
    """What is meant for others: new customers, members."""
    return Bar(meant=context.standing.mask)


def blocked(context: Context, _catalog: Catalog) -> Bar:
    """What the shop's rules keep out of lists."""
    return Bar() if context.blocked is None else Bar(closed=(context.blocked,))
