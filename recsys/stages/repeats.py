"""Filters against showing again what was bought, watched, refused or asked to be left out."""

import numpy as np

from recsys.bars import Bar
from recsys.catalog import Catalog
from recsys.events import EventType
from recsys.pipeline import Context

# A note has nothing to play: who read it viewed it.
SEEN_TYPES = (EventType.PLAY, EventType.VIEW)
ORDER = EventType.ORDER


def excluded(context: Context, _catalog: Catalog) -> Bar:
    """What the caller excluded and what the person disliked."""
    disliked = context.row.items[context.row.weights < 0]
    return Bar(items=np.concatenate([context.excluded, disliked]))


def bought(context: Context, _catalog: Catalog) -> Bar:
    """Durable products the person bought and did not give back, and what is not used up yet."""
    durables = context.history.standing(context.at_ms).items_of(ORDER)
    return (
        Bar(durables=durables)
        if context.resting is None
        else Bar(durables=durables, items=context.resting)
    )


def seen(context: Context, _catalog: Catalog) -> Bar:
    """Videos the person played, and notes of pictures and text they looked at."""
    return Bar(videos=context.history.items_of(*SEEN_TYPES))
