"""Filters about what can be shown at all: to anybody, now, to this person."""

import numpy as np

from recsys.campaigns import Campaigns, Offer
from recsys.catalog import Catalog, Idxs
from recsys.histories import History
from recsys.offers import open_to
from recsys.pipeline import Candidates, Context, among


def on_sale(candidates: Candidates, _context: Context, catalog: Catalog) -> Candidates:
    """Remove what is switched off or sold out."""
    return candidates.without(~catalog.on_sale[candidates.items])


def in_time(candidates: Candidates, context: Context, catalog: Catalog) -> Candidates:
    """Remove what is not out yet, what has expired, and flash sales outside their window.

    A flash sale of which the person had all pieces they may have is over for them.
    """
    items, at_ms = candidates.items, context.at_ms
    expires_ms = catalog.expires_ms[items]
    is_gone = ((expires_ms != 0) & (expires_ms <= at_ms)) | (catalog.published_ms[items] > at_ms)
    if len(catalog.campaigns):
        is_gone |= among(items, closed_sales(catalog.campaigns, context.history, at_ms))
    return candidates.without(is_gone) if is_gone.any() else candidates


def closed_sales(campaigns: Campaigns, history: History, at_ms: int) -> Idxs:
    """Items that are sold in flash sales only, none of which is open to this person now."""
    sales = campaigns.of_offer(Offer.FLASH)
    return np.setdiff1d(sales.item, open_to(sales, history, at_ms).item).astype(np.int32)


def audience(candidates: Candidates, context: Context, catalog: Catalog) -> Candidates:
    """Remove what is meant for others: new customers, members."""
    meant = catalog.audience[candidates.items]
    if not meant.any():
        return candidates
    return candidates.without((meant != 0) & ((meant & context.standing.mask) == 0))


def blocked(candidates: Candidates, context: Context, _catalog: Catalog) -> Candidates:
    """Remove what the shop's rules keep out of lists."""
    if context.blocked is None:
        return candidates
    return candidates.without(context.blocked[candidates.items])
