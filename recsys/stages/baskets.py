"""Filters about the order or cart a list is made for."""

import numpy as np

from recsys.catalog import Catalog
from recsys.pipeline import Candidates, Context, among


def in_basket(candidates: Candidates, context: Context, _catalog: Catalog) -> Candidates:
    """Remove what the list stands beside: nobody needs to be shown the page they are on."""
    return candidates.take(~among(candidates.items, context.basket.items))


def same_need(candidates: Candidates, context: Context, catalog: Catalog) -> Candidates:
    """Remove what is in the basket, and durables of a category a durable of the basket covers.

    Who just bought one rice cooker does not need another one; rice they may.
    """
    basket = context.basket.items
    covered = np.unique(catalog.category[basket[catalog.durable[basket]]])
    # Position 0 is "no category": it says nothing about what two items are for.
    covered = covered[covered > 0]
    repeats = catalog.durable[candidates.items] & among(catalog.category[candidates.items], covered)
    return candidates.take(~(repeats | among(candidates.items, basket)))
