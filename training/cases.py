"""Who is tested on what: test persons from a split by time, or from held-out events."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from recsys.catalog import Catalog, Idxs, Kind
from recsys.evaluation import Case
from recsys.events import EventType, moment
from recsys.histories import Histories, History
from recsys.ids import Mask
from recsys.interactions import Taste, Weighting
from training.shop import Shop

# A play is a target if it was longer than half of the plays of similarly long videos.
TARGET_STRENGTH = 0.5


class HeldOut(NamedTuple):
    """One held-out act."""

    user_id: str
    item_id: str
    type: EventType


def home_cases(before: Shop, since: Shop, taste: Taste, split_ms: int) -> Iterator[Case]:
    """Everybody who did something after the split, asked at the split."""
    is_target = _targets(since.histories, taste, since.until_ms)
    at = moment(split_ms)
    for user_idx in _persons(since.histories):
        span = _span(since.histories, user_idx)
        items = since.histories.events.item[span][is_target[span]]
        yield Case(
            user_id=before.user_ids[user_idx],
            history=before.histories.of_person(user_idx),
            at=at,
            targets=np.unique(items).astype(np.int32),
        )


def checkout_cases(before: Shop, since: Shop, taste: Taste) -> Iterator[Case]:
    """Everybody who ordered after the split, asked right after their first order then.

    Targets are products of later orders, and videos with cards of the order that they then play.
    """
    is_target = _targets(since.histories, taste, since.until_ms)
    for user_idx in _persons(since.histories):
        span = _span(since.histories, user_idx)
        events, kept = since.histories.events.take(span), is_target[span]
        basket = _first_order(events)
        if not basket.any():
            continue
        last = int(np.flatnonzero(basket)[-1])
        at_ms = int(events.at_ms[last])
        upto = events.at_ms <= at_ms
        items = np.unique(events.item[basket])
        later = events.take(~upto & kept)
        yield Case(
            user_id=before.user_ids[user_idx],
            history=before.histories.of_person(user_idx).merged(events.take(upto)),
            at=moment(at_ms),
            targets=_checkout_targets(later, items, before.catalog),
            basket=tuple(before.catalog.ids[int(item_idx)] for item_idx in items),
        )


def _targets(since: Histories, taste: Taste, until_ms: int) -> Mask:
    """Which events speak for their item and were not taken back; plays only if watched enough."""
    speaking = {kind: 1.0 for kind, weight in taste.weighting.by_type.items() if weight > 0}
    plain = Weighting(by_type=speaking, half_life_days=0, watch=taste.weighting.watch)
    strength = plain.of_events(since.events, taste.video_s, until_ms)
    return np.asarray((strength >= TARGET_STRENGTH) & ~since.undone(until_ms))


def _persons(histories: Histories) -> list[int]:
    return np.flatnonzero(np.diff(histories.offsets)).tolist()


def _span(histories: Histories, user_idx: int) -> slice:
    return slice(int(histories.offsets[user_idx]), int(histories.offsets[user_idx + 1]))


def _first_order(events: History) -> Mask:
    """The events of one person's first order: of its id, or where it has none, of its moment."""
    is_order = events.type == EventType.ORDER
    if not is_order.any():
        return np.asarray(is_order)
    first = int(np.flatnonzero(is_order)[0])
    same = events.order if events.order[first] else events.at_ms
    return np.asarray(is_order & (same == same[first]))


def _checkout_targets(later: History, basket: Idxs, catalog: Catalog) -> Idxs:
    ordered = later.item[later.type == EventType.ORDER]
    played = later.item[later.type == EventType.PLAY]
    showing = np.unique(catalog.shown_by.rows(basket))
    products = ordered[catalog.kind[ordered] == Kind.PRODUCT]
    found = np.concatenate([products, played[np.isin(played, showing)]])
    return np.setdiff1d(found, basket).astype(np.int32)


def held_out_cases(shop: Shop, acts: Sequence[HeldOut], taste: Taste) -> Iterator[Case]:
    """Everybody of a file of held-out events, asked after the last event of the home.

    Not before all that is asked for came out: events without times, or of another part of the
    shop, say nothing of when the others were held out. An item that the catalogue does not hold
    gets a position beyond it: nobody can find it.
    """
    beyond: dict[str, int] = {}
    targets: dict[str, set[int]] = {}
    for act in acts:
        if taste.weighting.by_type.get(act.type, 0) <= 0:
            continue
        item_idx = shop.catalog.ids.find(act.item_id)
        if item_idx is None:
            item_idx = beyond.setdefault(act.item_id, len(shop.catalog) + len(beyond))
        targets.setdefault(act.user_id, set()).add(item_idx)
    asked = {item_idx for items in targets.values() for item_idx in items}
    known = sorted(asked - set(beyond.values()))
    at_ms = max(shop.until_ms, int(shop.catalog.published_ms[known].max(initial=0)))
    for user_id, items in targets.items():
        yield Case(
            user_id=user_id,
            history=shop.of_user(user_id),
            at=moment(at_ms),
            targets=np.array(sorted(items), dtype=np.int32),
        )
