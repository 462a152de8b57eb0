from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np

from recsys.catalog import Catalog
from recsys.events import EventType, millis
from recsys.histories import Histories, History
from recsys.ids import IdMap
from recsys.mix import Mix
from recsys.overlay import Overlay
from serving.current import SHOWN_TOLD, Current, newest, until
from tests.planted import NOW, FixedForAll, bundle_of, event, history_of, item

CATALOG = Catalog.of([item(n) for n in range(5)])
BUNDLE = bundle_of(CATALOG, {"popular": FixedForAll(items=(0,))})


@dataclass
class SmallPast:
    """The histories on disk, in memory: its items have other positions than the bundle's."""

    item_ids: IdMap
    user_ids: IdMap
    histories: Histories
    record_seq: int = 7

    def of_user(self, user_id):
        user_idx = self.user_ids.find(user_id)
        return History.empty() if user_idx is None else self.histories.of_person(user_idx)


def past_of(*item_ids, type=EventType.VIEW) -> SmallPast:
    ids = IdMap.of(sorted(set(item_ids), reverse=True))
    own = History.of([(ids.find(one), event(one, type)) for one in item_ids])
    return SmallPast(ids, IdMap.of(["user-5001"]), Histories.of([own]))


def test_without_a_past_everybody_is_new():
    current = Current.of(BUNDLE, None)
    assert len(current.past_of("user-5001")) == 0
    assert current.record_seq == 0


def test_the_past_is_read_in_positions_of_the_bundle():
    current = Current.of(BUNDLE, past_of("item-1003", "item-9999", "item-1001"))
    assert current.past_of("user-5001").item.tolist() == [3, 1]
    assert len(current.past_of("user-5002")) == 0
    assert current.record_seq == 7


def test_events_of_items_the_bundle_does_not_know_are_left_out():
    current = Current.of(BUNDLE, None)
    placed = current.placed([event("item-1004"), event("item-9999"), event("item-1000")])
    assert placed.item.tolist() == [4, 0]


def test_items_are_switched_off_without_touching_the_bundle():
    current = Current.of(BUNDLE, None)
    overlay = Overlay.of(CATALOG).with_items([item(2, available=False)])
    changed = current.with_items(overlay)
    assert changed.bundle.catalog.on_sale.tolist() == [True, True, False, True, True]
    assert current.bundle.catalog.on_sale.all()


def test_orders_and_refunds_outlast_what_was_watched_since():
    views = [event("item-1001", at=NOW - timedelta(minutes=n)) for n in range(9)]
    old = NOW - timedelta(days=30)
    history = history_of(
        CATALOG,
        *views,
        event("item-1003", EventType.ORDER, at=old),
        event("item-1004", EventType.REFUND, at=old),
    )
    kept = newest(history, 2)
    assert kept.item.tolist() == [3, 4, 1, 1]
    assert kept.at_ms[-1] == millis(NOW)


def test_impressions_push_nothing_out():
    seen = [event("item-1000", EventType.IMPRESSION, event_id=f"event-{n}") for n in range(250)]
    history = history_of(CATALOG, event("item-1002", at=NOW - timedelta(hours=1)), *seen)
    assert newest(history, 3).item.tolist() == [2]
    assert newest(history, 3, 200).item.tolist() == [2] + [0] * 200


def test_shares_of_products_want_impressions_known():
    mixed = replace(BUNDLE, mixes={"home": Mix()})
    assert Current.of(BUNDLE, None).shown_limit == 0
    assert Current.of(mixed, None).shown_limit == SHOWN_TOLD


def test_times_ahead_of_the_clock_count_as_now():
    history = history_of(CATALOG, event("item-1001", at=NOW + timedelta(minutes=4)))
    assert until(history, millis(NOW)).at_ms.tolist() == [millis(NOW)]
    weights = BUNDLE.taste.row(until(history, millis(NOW)), millis(NOW)).weights
    assert np.all(weights > 0)
