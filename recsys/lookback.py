"""What a scorer looked at when a list was made, kept with the list, and worked out once more later.

Where the two differ, a ranker is asked other questions than it learned to answer.
"""

import base64
from typing import Any

import numpy as np

from recsys.bundle import Bundle
from recsys.candidates import Candidates
from recsys.catalog import Catalog, Idxs
from recsys.events import ServedList, millis
from recsys.features import Asked, Values, features
from recsys.histories import History
from recsys.ids import hash64
from recsys.recommend import Answer, Request, context_of, course_of

# The features of so many of a list's first items are kept, about 4 kB.
MAX_ITEMS = 20


def is_drawn(list_id: str, share: float) -> bool:
    """Whether a list is among those that are kept with features; the same for the same id."""
    return hash64(list_id) < share * 2**64


def looked_at(answer: Answer, catalog: Catalog) -> dict[str, Any] | None:
    """What is kept of an answer: JSON values; None if its scorer looked at no features."""
    scored = answer.scored
    if scored is None or scored.features is None:
        return None
    items = scored.racing.items
    first = answer.items[:MAX_ITEMS]
    order = np.argsort(items)
    at = order[np.minimum(np.searchsorted(items[order], first), len(items) - 1)]
    at = at[items[at] == first]
    return {
        "candidates": [catalog.ids[idx] for idx in items.tolist()],
        "basket": [catalog.ids[idx] for idx in scored.basket.tolist()],
        "places": at.tolist(),
        "values": base64.b64encode(scored.features[at].astype("<f4").tobytes()).decode(),
    }


def kept_values(said: dict[str, Any]) -> Values:
    """Shape (n items, n features). The features as they were."""
    raw = np.frombuffer(base64.b64decode(said["values"]), dtype="<f4")
    return raw.reshape(len(said["places"]), -1)


def values_again(served: ServedList, history: History, bundle: Bundle) -> Values:
    """Shape (n items, n features). The same features from the history as it is known now.

    Parameters
    ----------
    history
        What the person did up to the moment of the list.

    Raises
    ------
    ValueError
        Nothing was kept of the list, or the bundle has no facts.
    """
    said, facts = served.looked_at, bundle.facts
    if said is None or facts is None:
        raise ValueError(f"list {served.list_id} cannot be looked at again: nothing was kept")
    request = Request(scene=served.scene, user_id=served.user_id, basket=tuple(said["basket"]))
    context = context_of(request, history, bundle, served.at)
    course = course_of(bundle, context)
    items = _positions(said["candidates"], bundle.catalog)
    racing = course.told_of(of_items(course.sourced(), items))
    asked = Asked(row=context.row, basket=context.basket.items, at_ms=millis(served.at))
    table = features(racing, asked, bundle.catalog, facts)
    places: list[int] = said["places"]
    return table[places]


def _positions(item_ids: list[str], catalog: Catalog) -> Idxs:
    positions, _ = catalog.ids.look_up(item_ids)
    return positions.astype(np.int32)


def of_items(candidates: Candidates, items: Idxs) -> Candidates:
    """The candidates of given items, in their order; what no source sent has no part in it."""
    parts = np.zeros((len(candidates.parts), len(items)))
    order = np.argsort(candidates.items)
    known = candidates.items[order]
    if len(known):
        at = np.minimum(np.searchsorted(known, items), len(known) - 1)
        was_sent = known[at] == items
        parts[:, was_sent] = candidates.parts[:, order[at[was_sent]]]
    return Candidates(items, parts.sum(axis=0), parts)
