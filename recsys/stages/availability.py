"""Filters about what can be shown at all: to anybody, now, to this person."""

import numpy as np

from recsys.bars import Bar
from recsys.campaigns import Campaigns, Offer
from recsys.catalog import Catalog, Idxs
from recsys.histories import History
from recsys.offers import open_to
from recsys.pipeline import Context


def on_sale(_context: Context, _catalog: Catalog) -> Bar:
    """What is switched off or sold out."""
    return Bar(on_sale=True)


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
    return np.setdiff1d(sales.item, open_to(sales, history, at_ms).item).astype(np.int32)


def audience(context: Context, _catalog: Catalog) -> Bar:
    """What is meant for others: new customers, members."""
    return Bar(meant=context.standing.mask)


def blocked(context: Context, _catalog: Catalog) -> Bar:
    """What the shop's rules keep out of lists."""
    return Bar() if context.blocked is None else Bar(closed=(context.blocked,))
