import numpy as np
import pytest

from recsys.catalog import Catalog, Kind
from recsys.events import EventType
from recsys.interactions import Row
from recsys.pipeline import Context
from recsys.stages import barring
from tests.planted import NOW, event, history_of, item

# 0 rice cooker, 1 another rice cooker, 2 rice, 3 video, 4 a durable of no category, 5 sold out.
CATALOG = Catalog.of(
    [
        item(0, category=("厨房", "电饭煲"), durable=True),
        item(1, category=("厨房", "电饭煲"), durable=True),
        item(2, category=("食品", "大米"), durable=False),
        item(3, Kind.VIDEO),
        item(4),
        item(5, stock=0),
    ]
)


def left(stage, *events, basket=(), excluded=(), disliked=()):
    row = Row(np.array(disliked, dtype=np.int32), -np.ones(len(disliked), dtype=np.float32))
    context = Context(
        scene="home",
        k=10,
        kinds=(Kind.PRODUCT, Kind.VIDEO),
        history=history_of(CATALOG, *events),
        row=row,
        basket=Row(np.array(basket, dtype=np.int32), np.ones(len(basket), dtype=np.float32)),
        excluded=np.array(excluded, dtype=np.int32),
        at_ms=int(NOW.timestamp() * 1000),
    )
    return np.flatnonzero(
        ~barring([stage], context, CATALOG).removed(np.arange(6, dtype=np.int32))
    ).tolist()


def order(number, type=EventType.ORDER):
    return event(f"item-{1000 + number}", type)


def test_sold_out_goes():
    assert left("on_sale") == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("more"), [{"excluded": [2]}, {"disliked": [2]}])
def test_excluded_and_disliked_go(more):
    assert left("excluded", **more) == [0, 1, 3, 4, 5]


def test_bought_durable_goes_and_consumable_stays():
    assert left("bought", order(0), order(2)) == [1, 2, 3, 4, 5]


def test_refunded_durable_may_come_again():
    assert 0 in left("bought", order(0), order(0, EventType.REFUND))


@pytest.mark.parametrize("type", [EventType.PLAY, EventType.VIEW])
def test_played_video_and_viewed_note_go(type):
    assert 3 not in left("seen", order(3, type))


def test_an_impression_is_not_enough_to_be_seen():
    assert 3 in left("seen", order(3, EventType.IMPRESSION))


def test_a_second_durable_of_the_same_need_goes():
    assert left("same_need", basket=[0]) == [2, 3, 4, 5]


def test_a_consumable_in_the_basket_covers_only_itself():
    assert left("same_need", basket=[2]) == [0, 1, 3, 4, 5]


def test_no_category_is_no_need():
    assert left("same_need", basket=[4]) == [0, 1, 2, 3, 5]
