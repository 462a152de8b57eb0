"""The items a list stands beside: what the caller names, or what the person's history says."""

import numpy as np
from numpy.typing import NDArray

from recsys.catalog import Idxs
from recsys.events import EventType
from recsys.histories import History
from recsys.interactions import Row
from recsys.scenes import About

# What puts an item into the cart, and what takes it out again.
CART_ACTS = (EventType.CART, EventType.UNCART, EventType.ORDER)
LOOKED_AT = (EventType.PLAY, EventType.VIEW, EventType.TRY_ON)


def evenly(items: Idxs | NDArray[np.int64]) -> Row:
    """These items, each once, each counting 1."""
    # Most lists stand beside nothing.
    distinct = (np.unique(items) if len(items) else items).astype(np.int32)
    return Row(distinct, np.ones(len(distinct), dtype=np.float32))


def latest(about: About, history: History, at_ms: int) -> Idxs:
    """What a scene's list stands beside as far as the history knows; nobody's is empty."""
    if about is About.ORDER:
        return _latest_order(history.take(~history.undone(at_ms)))
    if about is About.CART:
        return _in_cart(history)
    return history.items_of(*LOOKED_AT)[-1:] if about is About.ITEM else history.item[:0]


def _latest_order(history: History) -> Idxs:
    orders = history.of_types(EventType.ORDER)
    if len(orders) == 0:
        return orders.item
    last = orders.order[-1]
    return orders.item[orders.order == last] if last else orders.item[-1:]


def _in_cart(history: History) -> Idxs:
    """What was put in the cart and neither taken out nor ordered since."""
    acts = history.of_types(*CART_ACTS)
    # The last act on an item counts; np.unique finds first ones, so look from the end.
    items, firsts = np.unique(acts.item[::-1], return_index=True)
    in_cart: Idxs = items[acts.type[::-1][firsts] == EventType.CART]
    return in_cart
