from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from data.home import Home
from recsys.catalog import Catalog
from recsys.errors import ConfigError
from recsys.events import EARLIEST_AT, EventType, millis
from recsys.histories import UNDATED, Histories, History
from recsys.ids import IdMap
from recsys.interactions import DAY_MS
from tests.planted import NOW, event, item
from training.shop import Shop, load

DAY = DAY_MS
START = millis(NOW)


def history(*pairs):
    """A history from (item position, milliseconds)."""
    n = len(pairs)
    empty = History.of([(0, event("item-1000"))] * n) if n else History.empty()
    items, times = zip(*pairs, strict=True) if n else ((), ())
    return replace(empty, item=np.array(items, np.int32), at_ms=np.array(times, np.int64))


def shop_of(*histories):
    return Shop(
        catalog=Catalog.of([item(n) for n in range(5)]),
        user_ids=IdMap.of([f"user-{5000 + n}" for n in range(len(histories))]),
        histories=Histories.of(list(histories)),
    )


def past_of(item_ids, *histories):
    user_ids = IdMap.of([f"user-{5000 + n}" for n in range(len(histories))])
    return SimpleNamespace(
        user_ids=user_ids, item_ids=IdMap.of(item_ids), histories=Histories.of(list(histories))
    )


def test_items_become_positions_of_the_catalogue():
    past = past_of(["item-1003", "item-1001"], history((0, 1), (1, 2)), history((1, 3)))
    shop = Shop.of([item(n) for n in range(5)], past)
    assert shop.histories.events.item.tolist() == [3, 1, 1]
    assert shop.histories.events.item.dtype == np.int32
    assert shop.n_left_out == 0


def test_events_of_unknown_items_are_left_out_and_counted():
    past = past_of(["item-1003", "item-9999"], history((1, 1), (0, 2)), history((1, 3)))
    shop = Shop.of([item(n) for n in range(5)], past)
    assert [shop.of_user(one).item.tolist() for one in ("user-5000", "user-5001")] == [[3], []]
    assert shop.n_left_out == 2


def test_a_stranger_has_an_empty_history():
    assert len(shop_of(history((0, 1))).of_user("user-9999")) == 0


def test_last_tenth_is_held_out_by_default():
    shop = shop_of(history(*((0, START + n) for n in range(100))))
    split_ms = shop.split_ms(None)
    assert len(shop.before(split_ms).histories.events) == 90
    assert len(shop.since(split_ms).histories.events) == 10


def test_last_days_are_held_out():
    shop = shop_of(history(*((0, START + n * DAY) for n in range(10))))
    assert shop.split_ms(3) == START + 6 * DAY + 1
    assert len(shop.since(shop.split_ms(3)).histories.events) == 3


def test_undated_events_are_always_learned_from():
    shop = shop_of(history((0, UNDATED), (1, START), (2, START + DAY)))
    split_ms = shop.split_ms(0.5)
    assert shop.before(split_ms).histories.events.item.tolist() == [0, 1]
    assert shop.since(split_ms).histories.events.item.tolist() == [2]


@pytest.mark.parametrize("days", [0, 1, 30])
def test_split_that_leaves_nothing_is_refused(days):
    shop = shop_of(history((0, START), (1, START + DAY // 2)))
    with pytest.raises(ConfigError, match="leaves nothing to learn from or to test on, got"):
        shop.split_ms(days)


def test_undated_shop_cannot_be_split():
    shop = shop_of(history((0, UNDATED)))
    with pytest.raises(ConfigError, match="no event has a time; use --test"):
        shop.split_ms(None)
    assert shop.until_ms == millis(EARLIEST_AT)


def test_an_undated_shop_is_asked_when_all_its_items_are_out():
    """Or what is not out yet would be hidden from every list of an evaluation."""
    shop = shop_of(history((0, UNDATED)))
    items = [item(n, published_at=NOW + timedelta(days=n)) for n in range(5)]
    shop = replace(shop, catalog=Catalog.of(items))
    assert shop.until_ms == millis(NOW + timedelta(days=4))


def test_last_event_is_the_moment_of_the_data():
    assert shop_of(history((0, UNDATED), (0, START))).until_ms == START


def test_empty_home_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="holds no items or no events; allowed: `dapei import`"):
        load(Home(tmp_path))


def test_event_types_survive(tmp_path):
    past = past_of(["item-1001"], History.of([(0, event("item-1001", EventType.CART))]))
    assert Shop.of([item(1)], past).of_user("user-5000").type.tolist() == [EventType.CART]
