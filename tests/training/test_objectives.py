from datetime import timedelta

import pytest

from recsys.catalog import Catalog, Kind
from recsys.events import EventType, millis
from tests.planted import NOW, event, history_of, item, taste_of
from training.objectives import Valued

# Positions 0–2 products of 10, 20 and 80 yuan, 3 without price; 4 a video.
CATALOG = Catalog.of(
    [
        *(item(n, price_minor=price) for n, price in enumerate((1_000, 2_000, 8_000))),
        item(3),
        item(4, Kind.VIDEO, duration_s=10.0),
    ]
)
VALUED = Valued.of(taste_of(CATALOG), CATALOG)
LATER = NOW + timedelta(days=1)


def gained(objective, *events):
    items, gains = VALUED.gains(history_of(CATALOG, *events), objective, millis(LATER))
    return dict(zip(items.tolist(), gains.tolist(), strict=True))


@pytest.mark.parametrize(
    ("word", "brings"),
    [
        ("watch", {0: 0, 1: 0, 4: 1}),
        ("click", {0: 1, 1: 0, 4: 1}),
        ("like", {0: 0, 1: 0, 4: 1}),
        ("buy", {0: 0, 1: 1, 4: 0}),
        ("value", {0: 0, 1: 1, 4: 0}),
    ],
)
def test_each_word_counts_its_own_acts(word, brings):
    acts = (
        event("item-1000"),
        event("item-1001", EventType.ORDER),
        event("item-1004", EventType.PLAY, play_s=10.0),
        event("item-1004", EventType.LIKE),
    )
    assert gained({word: 1.0}, *acts) == brings


def test_a_play_that_broke_off_is_a_click_and_was_not_watched():
    play = event("item-1004", EventType.PLAY, play_s=0.5)
    assert gained({"watch": 1.0, "click": 0.1}, play) == {4: pytest.approx(0.1)}


def test_value_is_the_price_against_that_of_the_median_product():
    orders = [event(f"item-{1000 + n}", EventType.ORDER) for n in range(4)]
    worth = {0: 0.5, 1: 1.0, 2: 4.0, 3: 1.0}
    assert gained({"value": 1.0}, *orders) == pytest.approx(worth)


def test_gains_of_a_mix_add_up_and_repeats_count_once():
    acts = [event("item-1001", EventType.ORDER, event_id=f"event-{n}") for n in range(3)]
    assert gained({"click": 1.0, "buy": 3.0}, event("item-1001"), *acts) == {1: 4.0}


def test_what_was_given_back_brought_nothing():
    refund = event("item-1001", EventType.REFUND, at=NOW + timedelta(hours=1))
    assert gained({"buy": 1.0}, event("item-1001", EventType.ORDER), refund) == {1: 0.0}
