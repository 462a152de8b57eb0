"""What lists are made from at one moment: a bundle, and everybody's past in its positions."""

from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from data.histories_file import Past
from recsys.bundle import Bundle
from recsys.events import Event, EventType, moment
from recsys.histories import UNDATED, History
from recsys.ids import Ints, Mask
from recsys.overlay import Overlay
from serving.shelf import Shelf

# Twenty pages of twenty for rules; ten tell what share of products a person sees.
SHOWN_KEPT, SHOWN_TOLD = 400, 200


@dataclass(frozen=True, slots=True, eq=False)
class Current:
    """A bundle with the histories on disk; replaced as a whole, never changed.

    Attributes
    ----------
    positions, known
        Shape (n items of the past,). Where each stands in the bundle, and whether it is there.
    shelf
        The bundle's items as pages show them.
    """

    bundle: Bundle
    past: Past | None
    positions: Ints
    known: Mask
    shelf: Shelf = field(init=False)

    def __post_init__(self) -> None:
        """Another bundle, or other items, are another shelf."""
        object.__setattr__(self, "shelf", Shelf(self.bundle.catalog))

    @classmethod
    def of(cls, bundle: Bundle, past: Past | None) -> Self:
        """Both together; the ids of the past are looked up once, here."""
        if past is None:
            return cls(bundle, None, np.empty(0, dtype=np.int64), np.empty(0, dtype=np.bool_))
        return cls(bundle, past, *bundle.catalog.ids.translate(past.item_ids))

    @property
    def record_seq(self) -> int:
        """Events of the record up to this number are in the past already."""
        return 0 if self.past is None else self.past.record_seq

    @property
    def shown_limit(self) -> int:
        """How many of a person's newest impressions lists are made from."""
        rules = self.bundle.rules
        has_caps = rules is not None and rules.has_caps
        return SHOWN_KEPT if has_caps else SHOWN_TOLD if self.bundle.mixes else 0

    def with_items(self, overlay: Overlay) -> "Current":
        """The same with items as they are now, and with those that came since."""
        bundle = self.bundle.now_with(overlay)
        if self.past is None or bundle.fresh is None:
            return replace(self, bundle=bundle)
        # Only new items can be elsewhere than before: a look at all ids would take a while.
        new = list(overlay.fresh)
        places, known = self.past.item_ids.look_up(new)
        positions, is_known = self.positions.copy(), self.known.copy()
        positions[places[known]] = len(overlay.base) + np.flatnonzero(known)
        is_known[places[known]] = True
        return replace(self, bundle=bundle, positions=positions, known=is_known)

    def past_of(self, user_id: str) -> History:
        """What a person did according to the disk; items the bundle does not know are left out."""
        if self.past is None:
            return History.empty()
        history = self.past.of_user(user_id)
        history = history.take(self.known[history.item])
        return replace(history, item=self.positions[history.item].astype(np.int32))

    def placed(self, events: list[Event]) -> History:
        """Events with their items' positions; those the bundle does not know are left out."""
        # All at once: looking ids up one by one would cost more than reading the events.
        positions, known = self.bundle.catalog.ids.look_up([event.item_id for event in events])
        placed = zip(positions.tolist(), events, strict=True)
        return History.of([one for one, is_known in zip(placed, known, strict=True) if is_known])


def newest(history: History, limit: int, n_shown: int = 0) -> History:
    """The newest `limit` events, and every order and refund however old.

    What was bought must not be shown again because much was watched since. Of impressions only
    `n_shown` are kept: twenty a page, they would push out all that the person did.
    """
    bought = np.isin(history.type, (EventType.ORDER, EventType.REFUND))
    shown = history.type == EventType.IMPRESSION
    kept = bought
    kept[np.flatnonzero(~bought & ~shown)[-limit:]] = True
    if n_shown:
        kept[np.flatnonzero(shown)[-n_shown:]] = True
    return history.take(kept)


def until(history: History, now_ms: int) -> History:
    """The same with times ahead of now taken as now: a fast clock must not hide a fresh act."""
    # The last is the latest.
    if len(history) == 0 or history.at_ms[-1] <= now_ms:
        return history
    return replace(history, at_ms=np.minimum(history.at_ms, now_ms))


def told_past(past: Past, user_id: str, limit: int) -> list[dict[str, Any]]:
    """What the disk keeps of a person's newest events, newest first, as the API tells it."""
    history = past.of_user(user_id)
    if limit <= 0 or len(history) == 0:
        return []
    kept = history.take(slice(-limit, None))
    rows = zip(kept.item.tolist(), kept.type.tolist(), kept.at_ms.tolist(), strict=True)
    return [
        {
            "user_id": user_id,
            "item_id": past.item_ids[item_idx],
            "type": EventType(kind).word,
            "at": None if at_ms == UNDATED else moment(at_ms).isoformat(),
        }
        for item_idx, kind, at_ms in reversed(list(rows))
    ]
