"""Exposures: served lists joined with the impressions that prove what of them was on a screen."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from recsys.catalog import Idxs
from recsys.events import EventType, ServedList, millis
from recsys.histories import History
from recsys.ids import IdMap

# A page that is scrolled later than this was loaded anew before.
ON_SCREEN_MS = 3_600_000
# What a person does within a day after a list was shown, on what it showed, it brought about.
BROUGHT_MS = 86_400_000


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Exposure:
    """What of one list one person saw.

    Attributes
    ----------
    shown
        Distinct positions in the catalogue, ascending.
    """

    user_id: str
    scene: str
    at_ms: int
    shown: Idxs


def exposures(
    lists: Iterable[ServedList], ids: IdMap, of_user: Callable[[str], History]
) -> list[Exposure]:
    """The exposures of lists of which a person saw two items or more; one says nothing of order.

    Parameters
    ----------
    ids
        Of the catalogue's items.
    of_user
        A person's history, with its impressions.
    """
    found = []
    for served in lists:
        if served.user_id is None:
            continue
        at_ms = millis(served.at)
        events = of_user(served.user_id)
        on_screen = (
            (events.type == EventType.IMPRESSION)
            & (events.at_ms >= at_ms)
            & (events.at_ms < at_ms + ON_SCREEN_MS)
        )
        listed = ids.find_all([item.item_id for item in served.items])
        shown = np.intersect1d(events.item[on_screen], listed).astype(np.int32)
        if len(shown) > 1:
            found.append(
                Exposure(user_id=served.user_id, scene=served.scene, at_ms=at_ms, shown=shown)
            )
    return found
