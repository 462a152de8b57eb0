from datetime import timedelta

import numpy as np
import pytest

from recsys.catalog import Catalog, Kind
from recsys.events import EventType, millis
from recsys.facts import COLUMNS, Facts
from recsys.histories import Histories
from tests.planted import NOW, event, history_of, item, taste_of

# Positions 0–2 products of two categories; 3 and 4 videos of one creator, 5 of nobody.
CATALOG = Catalog.of(
    [
        item(0, category=("a",), price_minor=1_000),
        item(1, category=("a",), price_minor=4_000),
        item(2, category=("b",)),
        item(3, Kind.VIDEO, creator_id="creator-1", tags=("t",), duration_s=10.0),
        item(4, Kind.VIDEO, creator_id="creator-1", duration_s=10.0),
        item(5, Kind.VIDEO, duration_s=10.0),
    ]
)


def learned(*events, at=NOW):
    histories = Histories.of([history_of(CATALOG, *events)])
    return Facts.learned(histories, taste_of(CATALOG), CATALOG, millis(at))


def fact(facts, name, idx):
    return float(facts.values[idx, COLUMNS.index(name)])


def plays(number, n, play_s):
    return [
        event(f"item-{1000 + number}", EventType.PLAY, play_s=play_s, event_id=f"play-{number}-{i}")
        for i in range(n)
    ]


def test_popularity_is_the_logarithm_of_acts():
    facts = learned(event("item-1000"), event("item-1000", EventType.ORDER))
    assert fact(facts, "popularity", 0) == pytest.approx(np.log(3))
    assert fact(facts, "popularity", 1) == 0


def test_what_is_popular_now_forgets():
    facts = learned(event("item-1000", at=NOW - timedelta(days=7)), event("item-1001"))
    assert fact(facts, "popularity_now", 0) == pytest.approx(np.log(1.5))
    assert fact(facts, "popularity_now", 1) == pytest.approx(np.log(2))


def test_an_item_without_acts_has_the_rate_of_its_creator():
    facts = learned(*plays(3, 200, 10.0), *plays(5, 200, 0.1))
    assert fact(facts, "watched", 4) == pytest.approx(fact(facts, "creator_watched", 4))
    assert fact(facts, "watched", 4) > 0.9 * fact(facts, "watched", 3) > fact(facts, "watched", 5)


def test_rates_of_tags_are_not_known_without_tags():
    facts = learned(*plays(3, 10, 10.0))
    assert fact(facts, "tag_watched", 3) > 0
    assert np.isnan(fact(facts, "tag_watched", 4))
    assert np.isnan(fact(facts, "watched", 0))


def test_few_likes_move_a_rate_little():
    facts = learned(*plays(3, 1, 10.0), event("item-1003", EventType.LIKE), *plays(5, 98, 10.0))
    # One like in a hundred acts of everybody; the creator has two acts, then the item the same two.
    creator = (1 + 50 * 0.01) / (2 + 50)
    assert fact(facts, "liked", 3) == pytest.approx((1 + 50 * creator) / (2 + 50))


def test_a_price_is_told_against_those_of_its_category():
    facts = learned(event("item-1000"))
    gap = np.log1p(4_000) - np.log1p(1_000)
    assert fact(facts, "price_in_category", 1) == pytest.approx(gap / 2, rel=1e-5)
    assert np.isnan(fact(facts, "price", 2))


def test_clicks_are_not_known_without_impressions():
    assert np.isnan(fact(learned(event("item-1000")), "clicked", 0))
    seen = [event(f"item-{1000 + n}", EventType.IMPRESSION) for n in (0, 1)]
    facts = learned(event("item-1000"), *seen)
    assert fact(facts, "clicked", 0) > fact(facts, "clicked", 2) > fact(facts, "clicked", 1)


def test_later_events_change_nothing():
    past = [event("item-1000"), *plays(3, 3, 10.0)]
    later = [
        event(f"item-{1000 + n}", EventType.ORDER, at=NOW + timedelta(seconds=1)) for n in range(6)
    ]
    np.testing.assert_array_equal(learned(*past).values, learned(*past, *later).values)


def test_an_order_given_back_counts_nothing():
    refund = event("item-1000", EventType.REFUND, at=NOW + timedelta(hours=1))
    later = NOW + timedelta(hours=2)
    given_back = learned(event("item-1000", EventType.ORDER), refund, at=later)
    assert fact(given_back, "popularity", 0) == 0
