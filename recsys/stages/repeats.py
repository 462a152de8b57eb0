"""Filters against showing again what was bought, watched, refused or asked to be left out."""

import numpy as np

from recsys.catalog import Catalog, Kind
from recsys.events import EventType
from recsys.pipeline import Candidates, Context, among

# Plain numbers: to compare an array with a member of an enumeration costs several times as much.
ORDER, PRODUCT, VIDEO = int(EventType.ORDER), int(Kind.PRODUCT), int(Kind.VIDEO)

# A note has nothing to play: who read it viewed it.
SEEN_TYPES = (EventType.PLAY, EventType.VIEW)


def excluded(candidates: Candidates, context: Context, _catalog: Catalog) -> Candidates:
    """Remove what the caller excluded and what the person disliked."""
    disliked = context.row.items[context.row.weights < 0]
    refused = np.concatenate([context.excluded, disliked])
    if len(refused) == 0:
        return candidates
    return candidates.without(among(candidates.items, refused))


def bought(candidates: Candidates, context: Context, catalog: Catalog) -> Candidates:
    """Remove durable products the person bought and did not give back."""
    history = context.history
    orders = (history.type == ORDER) & ~history.undone(context.at_ms)
    items = candidates.items
    owned = among(items, history.item[orders])
    return candidates.without(owned & catalog.durable[items] & (catalog.kind[items] == PRODUCT))


def seen(candidates: Candidates, context: Context, catalog: Catalog) -> Candidates:
    """Remove videos the person played, and notes of pictures and text they looked at."""
    history = context.history
    known = among(candidates.items, history.items_of(*SEEN_TYPES))
    return candidates.without(known & (catalog.kind[candidates.items] == VIDEO))
