from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from recsys.catalog import Catalog, Kind
from recsys.claims import sent_by_friends
from recsys.events import EventType, millis
from recsys.histories import Histories, History
from recsys.interactions import SENT
from recsys.models.next_basket import NextBasket
from recsys.recommend import Request, recommend
from tests.planted import NOW, FixedForAll, bundle_of, event, history_of, item, taste_of

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def live(name, begins, ends):
    return f"live:{name} {(NOW + begins).isoformat()}/{(NOW + ends).isoformat()}"


def served(bundle, history=None, at=NOW, **asked):
    request = Request(**({"scene": "home", "kinds": (Kind.PRODUCT,)} | asked))
    history = History.empty() if history is None else history
    return recommend(request, history, bundle, at=at, list_id="list-1").served.items


def numbers(items):
    return [int(one.item_id[-4:]) - 1000 for one in items]


@pytest.fixture
def rooms():
    """Goods 10 and 11 of a running session, 12 of another, 13 of one that is over, 14 sold out."""
    running = live("room-1", -HOUR, HOUR)
    goods = [
        item(10, campaigns=(running,)),
        item(11, campaigns=(running,)),
        item(12, campaigns=(live("room-2", -HOUR, 2 * HOUR),)),
        item(13, campaigns=(live("room-3", -3 * HOUR, -HOUR),)),
        item(14, campaigns=(running,), stock=0),
    ]
    catalog = Catalog.of([item(n) for n in range(10)] + goods)
    return bundle_of(catalog, {"all": FixedForAll(items=tuple(range(10)))}).ready()


def test_goods_of_a_running_session_come_first_while_it_runs(rooms):
    first = served(rooms, scene="live", k=6)
    assert set(numbers(first)[:3]) == {10, 11, 12}
    assert first[0].reason.startswith("in the live session room-")
    assert set(numbers(served(rooms, scene="live", k=6, at=NOW + HOUR))[:1]) == {12}
    over = numbers(served(rooms, scene="live", k=6, at=NOW + 2 * HOUR))
    assert not {10, 11, 12} & set(over)


def test_named_session_shows_its_own_goods(rooms):
    found = numbers(served(rooms, scene="live", k=6, session="room-1"))
    assert set(found[:2]) == {10, 11}
    assert 12 not in found
    assert 14 not in found


def test_live_goods_claim_no_seat_elsewhere(rooms):
    assert numbers(served(rooms, k=10)) == list(range(10))


def sent(number, **more):
    said = {"event_id": f"sent-{number}", "props": {"shared_by": "user-5009"}}
    return event(f"item-{1000 + number}", EventType.IMPRESSION, **(said | more))


def test_what_a_friend_sent_has_a_seat_until_something_is_done_with_it():
    catalog = Catalog.of([item(n) for n in range(12)])
    bundle = bundle_of(catalog, {"all": FixedForAll(items=tuple(range(10)))}).ready()
    history = history_of(catalog, sent(11))
    second = served(bundle, history, k=5)[1]
    assert (second.item_id, second.reason) == ("item-1011", "a friend sent you this")
    opened = history_of(catalog, sent(11), event("item-1011", EventType.VIEW))
    assert 11 not in numbers(served(bundle, opened, k=5))
    old = history_of(catalog, sent(11, at=NOW - 15 * DAY))
    assert 11 not in numbers(served(bundle, old, k=5))
    plain = history_of(catalog, sent(11, props={}))
    assert 11 not in numbers(served(bundle, plain, k=5))


def test_what_a_friend_sent_is_a_weak_vote():
    catalog = Catalog.of([item(n) for n in range(3)])
    taste = taste_of(catalog)
    history = history_of(
        catalog, sent(0), event("item-1001", EventType.VIEW), sent(2, props={"shared_by": ""})
    )
    assert taste.row(history, millis(NOW)).items.tolist() == [1]
    voting = replace(taste, weighting=replace(taste.weighting, sent=SENT))
    row = voting.row(history, millis(NOW))
    assert row.items.tolist() == [0, 1]
    assert row.weights.tolist() == pytest.approx([0.5, 1.0])
    # Models that learn from some acts only do not learn from what friends send.
    only = replace(voting, weighting=voting.weighting.only(frozenset({EventType.VIEW})))
    assert only.row(history, millis(NOW)).items.tolist() == [1]


def test_last_thing_sent_comes_first():
    catalog = Catalog.of([item(n) for n in range(3)])
    history = history_of(catalog, sent(2, at=NOW - HOUR), sent(0), sent(1, at=NOW - DAY))
    assert sent_by_friends(history, millis(NOW)).tolist() == [0, 2, 1]


DIAPERS, RICE, FRIDGE = 0, 1, 2


def orders(number, *days_ago):
    return [
        event(
            f"item-{1000 + number}",
            EventType.ORDER,
            event_id=f"order-{number}-{days}",
            order_id=f"order-{number}-{days}",
            at=NOW - days * DAY,
        )
        for days in days_ago
    ]


@pytest.fixture(scope="module")
def household():
    """Everybody buys diapers every 28 days, rice every 50, and one fridge."""
    catalog = Catalog.of(
        [item(DIAPERS, durable=False), item(RICE, durable=False), item(FRIDGE, durable=True)]
        + [item(n) for n in range(3, 30)]
    )
    people = [
        history_of(
            catalog,
            *orders(DIAPERS, *range(person, 200, 28)),
            *orders(RICE, *range(person, 200, 50)),
            *orders(FRIDGE, 100),
        )
        for person in range(25)
    ]
    model = NextBasket(horizon_days=7.0, others=0.0)
    rows = taste_of(catalog).rows(Histories.of(people), millis(NOW))
    bundle = bundle_of(catalog, {"all": FixedForAll(items=tuple(range(3, 30)))})
    bundle.models["repurchase"] = model.fit(rows, catalog)
    return catalog, bundle.ready()


@pytest.mark.parametrize("scene", ["home", "post_checkout"])
@pytest.mark.parametrize(
    ("number", "days", "is_due"),
    [(DIAPERS, 27, True), (DIAPERS, 5, False), (RICE, 27, False), (RICE, 49, True)],
)
def test_consumables_are_shown_near_their_own_time(household, scene, number, days, is_due):
    catalog, bundle = household
    interval = {DIAPERS: 28, RICE: 50}[number]
    history = history_of(catalog, *orders(number, *range(days, 200, interval)))
    found = served(bundle, history, scene=scene, k=5, basket=("item-1003",))
    assert (number in numbers(found)) == is_due
    if is_due:
        assert found[1].reason == "it may be time to buy it again"


@pytest.mark.parametrize(("days", "is_there"), [(2, False), (20, True)])
def test_what_was_just_bought_does_not_come_back_at_once(household, days, is_there):
    catalog, bundle = household
    rows = taste_of(catalog).rows(Histories.of([]), millis(NOW))
    first = FixedForAll(items=(DIAPERS, 4, 5)).fit(rows, catalog)
    loud = replace(bundle, models={**bundle.models, "all": first})
    history = history_of(catalog, *orders(DIAPERS, days))
    assert (DIAPERS in numbers(served(loud, history, k=3))) == is_there
    # Without the model of repurchase nobody knows when it is used up.
    forgetful = replace(loud, models={"all": first})
    assert DIAPERS in numbers(served(forgetful, history, k=3))


def test_durable_is_never_due(household):
    catalog, bundle = household
    history = history_of(catalog, *orders(FRIDGE, 27, 55, 83, 111))
    assert FRIDGE not in numbers(served(bundle, history, k=5))


def test_order_given_back_is_no_rhythm(household):
    catalog, bundle = household
    times = range(27, 200, 28)
    back = [
        event(
            "item-1000",
            EventType.REFUND,
            event_id=f"refund-{days}",
            order_id=f"order-0-{days}",
        )
        for days in times
    ]
    history = history_of(catalog, *orders(DIAPERS, *times), *back)
    assert DIAPERS not in numbers(served(bundle, history, k=5))


def test_list_after_checkout_is_about_no_order_that_was_given_back():
    catalog = Catalog.of([item(n) for n in range(6)])
    bundle = bundle_of(catalog, {"all": FixedForAll(items=tuple(range(6)))})
    first, second = orders(0, 2), orders(1, 1)
    refund = event("item-1001", EventType.REFUND, order_id="order-1-1")
    history = history_of(catalog, *first, *second, refund)
    found = numbers(served(bundle, history, scene="post_checkout"))
    # Durables of the order the list is about are left out; the other one was given back.
    assert 0 not in found
    assert 1 in found


def test_claims_are_seated_once_each_and_never_make_a_list_longer():
    window = f"flash:f {(NOW - HOUR).isoformat()}/{(NOW + HOUR).isoformat()}"
    catalog = Catalog.of([item(n, campaigns=(window,)) for n in range(30)])
    bundle = bundle_of(catalog, {"all": FixedForAll(items=tuple(range(30)))}).ready()
    for k in (1, 2, 7, 30):
        found = numbers(served(bundle, k=k))
        assert len(found) == len(set(found)) == k
    scores = [one.score for one in served(bundle, k=30)]
    assert np.all(np.isfinite(scores))


@pytest.fixture
def notebook():
    """A note that sells item 9 and then 8, a video that sells 7, and goods that all like more."""
    goods = [item(n) for n in range(10)]
    note = item(20, Kind.VIDEO, duration_s=0.0, cards=("item-1009", "item-1008"))
    video = item(21, Kind.VIDEO, duration_s=40.0, cards=("item-1007",))
    catalog = Catalog.of([*goods, note, video, item(22, Kind.VIDEO, duration_s=40.0)])
    return catalog, bundle_of(catalog, {"all": FixedForAll(items=tuple(range(10)))}).ready()


def read(dwell_s: float | None = 30.0, **more):
    return event("item-1020", EventType.VIEW, event_id="read", dwell_s=dwell_s, **more)


def play(number: int, play_s: float, **more):
    return event(f"item-{1000 + number}", EventType.PLAY, event_id="play", play_s=play_s, **more)


def first_sold(notebook, *acts, **asked) -> list[str]:
    """The reasons of what is in the seat of claims, if it is no list of everybody's."""
    catalog, bundle = notebook
    served_ = served(bundle, history_of(catalog, *acts), k=4, **asked)
    return [one.item_id for one in served_ if one.reason.startswith("sold in")]


@pytest.mark.parametrize(
    ("act", "sold"),
    [
        (read(), ["item-1009"]),
        (play(21, 30.0), ["item-1007"]),
        (read(2.0), []),
        (read(None), []),
        (play(21, 10.0), []),
        (play(22, 40.0), []),
        (read(at=NOW - timedelta(days=2)), []),
    ],
)
def test_what_was_just_watched_sells_one_thing_in_the_home_list(notebook, act, sold):
    assert first_sold(notebook, act) == sold


def test_only_the_last_that_was_watched_sells_and_nothing_that_was_looked_at(notebook):
    earlier = play(21, 40.0, at=NOW - HOUR)
    assert first_sold(notebook, earlier, read()) == ["item-1009"]
    looked = event("item-1009", EventType.VIEW, event_id="looked")
    assert first_sold(notebook, read(at=NOW - HOUR), looked) == []
    assert first_sold(notebook, read(), scene="post_checkout", basket=("item-1003",)) == []


def test_what_the_shop_puts_in_comes_before_what_is_this_persons(notebook):
    catalog, _ = notebook
    sale = f"flash:618 {(NOW - HOUR).isoformat()}/{(NOW + HOUR).isoformat()}"
    goods = [item(n, campaigns=(sale,) if n < 2 else ()) for n in range(10)]
    note = item(20, Kind.VIDEO, duration_s=0.0, cards=("item-1009",))
    catalog = Catalog.of([*goods, note])
    bundle = bundle_of(catalog, {"all": FixedForAll(items=tuple(range(2, 9)))}).ready()
    found = numbers(served(bundle, history_of(catalog, read()), k=10))
    assert {found[1], found[9]} <= {0, 1} and found[6] == 9
