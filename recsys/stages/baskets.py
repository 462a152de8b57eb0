"""Filters about the order or cart a list is made for."""

import numpy as np

from recsys.bars import Bar
from recsys.catalog import Catalog
from recsys.pipeline import Context


def in_basket(context: Context, _catalog: Catalog) -> Bar:
    """What the list stands beside: nobody needs to be shown the page they are on."""
    return Bar(items=context.basket.items)


def same_need(context: Context, catalog: Catalog) -> Bar:
    """What is in the basket, and durables of a category a durable of the basket covers.

    Who just bought one rice cooker does not need another one; rice they may.
    """
    basket = context.basket.items
    if len(basket) == 0:
        return Bar()
    covered = np.unique(catalog.category[basket[catalog.durable[basket]]])
    # Position 0 is "no category": it says nothing about what two items are for.
    return Bar(items=basket, needs=covered[covered > 0])
