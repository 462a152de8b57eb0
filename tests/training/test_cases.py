from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from recsys.catalog import Catalog, Kind
from recsys.events import EventType, millis
from recsys.histories import Histories
from recsys.ids import IdMap
from recsys.interactions import Taste, Weighting
from recsys.watching import WatchCurve
from tests.planted import NOW, event, history_of, item
from training.cases import HeldOut, checkout_cases, held_out_cases, home_cases
from training.shop import Shop

# Positions 0–4 products, 5–9 videos; video 5 sells product 0, video 6 sells product 1.
CATALOG = Catalog.of(
    [item(n) for n in range(5)]
    + [item(5, Kind.VIDEO, cards=("item-1000",)), item(6, Kind.VIDEO, cards=("item-1001",))]
    + [item(n, Kind.VIDEO) for n in range(7, 10)]
)
TASTE = Taste(weighting=Weighting(watch=WatchCurve.prior()), video_s=CATALOG.duration_s)
SPLIT_MS = millis(NOW)


def at(hours, number, type=EventType.VIEW, **more):
    """An event so many hours after the split."""
    return event(f"item-{1000 + number}", type, at=NOW + timedelta(hours=hours), **more)


def halves(*events):
    shop = Shop(
        catalog=CATALOG,
        user_ids=IdMap.of(["user-5000", "user-5001"]),
        histories=Histories.of([history_of(CATALOG), history_of(CATALOG, *events)]),
    )
    return shop.before(SPLIT_MS), shop.since(SPLIT_MS)


def home(*events):
    return list(home_cases(*halves(*events), TASTE, SPLIT_MS))


def checkout(*events):
    return list(checkout_cases(*halves(*events), TASTE))


def test_history_is_before_the_split_and_targets_after():
    (case,) = home(at(-1, 3), at(0, 4), at(1, 2))
    assert case.user_id == "user-5001"
    assert case.history.item.tolist() == [3]
    assert case.targets.tolist() == [2, 4]
    assert case.at == NOW


def test_person_without_later_events_is_no_case():
    assert home(at(-1, 3)) == []


@pytest.mark.parametrize(
    ("type", "is_target"),
    [
        (EventType.IMPRESSION, False),
        (EventType.DISLIKE, False),
        (EventType.UNCART, False),
        (EventType.LIKE, True),
        (EventType.ORDER, True),
    ],
)
def test_only_acts_that_speak_for_an_item_are_targets(type, is_target):
    (case,) = home(at(1, 2, type))
    assert case.targets.tolist() == [2] * is_target


@pytest.mark.parametrize(("play_s", "is_target"), [(1.0, False), (60.0, True), (None, True)])
def test_play_is_a_target_if_it_was_watched(play_s, is_target):
    (case,) = home(at(1, 7, EventType.PLAY, play_s=play_s, duration_s=60.0))
    assert case.targets.tolist() == [7] * is_target


def test_order_that_was_taken_back_is_no_target():
    (case,) = home(at(1, 2, EventType.ORDER), at(2, 2, EventType.REFUND), at(3, 4))
    assert case.targets.tolist() == [4]


def test_old_events_of_a_short_half_life_are_targets_all_the_same():
    weighting = replace(TASTE.weighting, half_life_days=0.001)
    since = halves(at(1, 2), at(200, 3))
    (case,) = home_cases(*since, replace(TASTE, weighting=weighting), SPLIT_MS)
    assert case.targets.tolist() == [2, 3]


def order(hours, number, order_id=None):
    return at(hours, number, EventType.ORDER, order_id=order_id)


def test_basket_is_the_first_order_after_the_split():
    (case,) = checkout(order(-1, 4), order(1, 0, "a"), order(1.1, 1, "a"), order(2, 2, "b"))
    assert case.basket == ("item-1000", "item-1001")
    assert case.history.item.tolist() == [4, 0, 1]
    assert case.targets.tolist() == [2]
    assert case.at == NOW + timedelta(hours=1.1)


def test_order_without_id_is_what_was_bought_at_one_moment():
    (case,) = checkout(order(1, 0), order(1, 1), order(2, 2))
    assert case.basket == ("item-1000", "item-1001")
    assert case.targets.tolist() == [2]


def test_videos_about_the_basket_are_targets_other_videos_are_not():
    plays = [at(2, n, EventType.PLAY) for n in (5, 6, 7)]
    (case,) = checkout(order(1, 0), *plays)
    assert case.targets.tolist() == [5]


def test_what_was_only_looked_at_or_bought_again_is_no_target_after_checkout():
    (case,) = checkout(order(1, 0), at(2, 3), order(3, 0))
    assert case.targets.tolist() == []


def test_who_orders_nothing_is_not_asked_after_checkout():
    assert checkout(at(1, 2)) == []


def test_held_out_acts_become_targets_of_each_person():
    shop, _ = halves(at(-1, 3))
    acts = [
        HeldOut("user-5001", "item-1002", EventType.ORDER),
        HeldOut("user-5001", "item-1001", EventType.VIEW),
        HeldOut("user-5001", "item-1002", EventType.VIEW),
        HeldOut("user-7777", "item-1004", EventType.VIEW),
        HeldOut("user-5000", "item-1004", EventType.DISLIKE),
    ]
    known, stranger = held_out_cases(shop, acts, TASTE)
    assert (known.user_id, known.targets.tolist()) == ("user-5001", [1, 2])
    assert known.history.item.tolist() == [3]
    assert (stranger.user_id, len(stranger.history)) == ("user-7777", 0)


def test_held_out_item_that_is_unknown_lies_beyond_the_catalogue():
    shop, _ = halves(at(-1, 3))
    acts = [HeldOut("user-5001", f"item-{n}", EventType.VIEW) for n in (8888, 9999, 8888)]
    (case,) = held_out_cases(shop, acts, TASTE)
    assert case.targets.tolist() == [len(CATALOG), len(CATALOG) + 1]
    assert case.targets.dtype == np.int32


def test_held_out_events_are_asked_about_when_their_items_are_out():
    shop, _ = halves(at(-1, 3))
    later = NOW + timedelta(days=900)
    catalog = Catalog.of([item(0, published_at=later), *(item(n) for n in range(1, 10))])
    shop = replace(shop, catalog=catalog)
    acts = [HeldOut("user-5001", f"item-{n}", EventType.VIEW) for n in (1000, 9999)]
    (case,) = held_out_cases(shop, acts, TASTE)
    assert case.at == later
