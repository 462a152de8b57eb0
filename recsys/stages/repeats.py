"""Filters against showing again what was bought, watched, refused or asked to be left out."""

import numpy as np

from recsys.catalog import Catalog, Kind
from recsys.events import EventType
from recsys.ids import Mask
from recsys.pipeline import Candidates, Context, among

# Plain numbers: to compare an array with a member of an enumeration costs several times as much.
ORDER = EventType.ORDER
PRODUCT, VIDEO = int(Kind.PRODUCT), int(Kind.VIDEO)

# A note has nothing to play: who read it viewed it.
SEEN_TYPES = (EventType.PLAY, EventType.VIEW)


def excluded(candidates: Candidates, context: Context, _catalog: Catalog) -> Candidates:
    """Remove what the caller excluded and what the person disliked."""
    disliked = context.row.items[context.row.weights < 0]
    refused = np.concatenate([context.excluded, disliked])
    return candidates.without(among(candidates.items, refused))


def bought(candidates: Candidates, context: Context, catalog: Catalog) -> Candidates:
    """Remove durable products the person bought and did not give back, and what is not used up."""
    owned = among(candidates.items, context.history.standing(context.at_ms).items_of(ORDER))
    removed = _of_kind(owned, candidates, catalog, PRODUCT, catalog.durable)
    if context.resting is not None and len(context.resting):
        removed |= among(candidates.items, context.resting)
    return candidates.without(removed)


def seen(candidates: Candidates, context: Context, catalog: Catalog) -> Candidates:
    """Remove videos the person played, and notes of pictures and text they looked at."""
    known = among(candidates.items, context.history.items_of(*SEEN_TYPES))
    return candidates.without(_of_kind(known, candidates, catalog, VIDEO))


def _of_kind(known: Mask, candidates: Candidates, catalog: Catalog, kind: int, *also: Mask) -> Mask:
    """Those of the known candidates that are of a kind and of what else is asked; few are known."""
    at = np.flatnonzero(known)
    items = candidates.items[at]
    known[at] = catalog.kind[items] == kind
    for one in also:
        known[at] &= one[items]
    return known
