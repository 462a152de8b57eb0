from datetime import timedelta

import pytest

from recsys.catalog import Catalog
from recsys.events import EventType, ServedItem, ServedList, millis
from recsys.histories import History
from tests.planted import NOW, event, history_of, item
from training.exposures import exposures

CATALOG = Catalog.of([item(n) for n in range(5)])


def listed(*numbers, user_id="user-5001"):
    items = tuple(
        ServedItem(
            item_id=f"item-{1000 + n}",
            kind="product",
            rank=rank,
            score=1.0,
            source="near",
            reason="",
            ad=False,
        )
        for rank, n in enumerate(numbers)
    )
    return ServedList(
        list_id="list-1",
        user_id=user_id,
        scene="home",
        at=NOW,
        bundle="bundle-1",
        pipeline="home",
        personalised=True,
        degraded=(),
        items=items,
    )


def on_screen(number, after_s=1):
    return event(f"item-{1000 + number}", EventType.IMPRESSION, at=NOW + timedelta(seconds=after_s))


def found(served, *events):
    histories = {"user-5001": history_of(CATALOG, *events)}
    return exposures([served], CATALOG.ids, lambda user_id: histories.get(user_id, History.empty()))


def test_what_was_on_the_screen_of_a_list_was_seen():
    (one,) = found(listed(3, 1, 0), on_screen(3), on_screen(1), on_screen(4))
    assert one.shown.tolist() == [1, 3]
    assert (one.user_id, one.scene, one.at_ms) == ("user-5001", "home", millis(NOW))


@pytest.mark.parametrize(
    "events",
    [
        (on_screen(3),),
        (on_screen(3), on_screen(1, after_s=4_000)),
        (on_screen(3), on_screen(1, after_s=-5)),
        (on_screen(3), event("item-1001", EventType.VIEW)),
    ],
    ids=["one item", "an hour later", "before", "no impression"],
)
def test_too_little_on_the_screen_is_no_exposure(events):
    assert found(listed(3, 1, 0), *events) == []


def test_a_list_of_nobody_is_no_exposure():
    assert found(listed(3, 1, user_id=None), on_screen(3), on_screen(1)) == []
