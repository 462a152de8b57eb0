"""Items newer than the bundle: who they fit gets them, at their seats; models never see them."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from recsys.candidates import Candidates
from recsys.catalog import Catalog, Kind
from recsys.events import EventType
from recsys.fresh import seated
from recsys.ids import mark_of
from recsys.overlay import Overlay
from recsys.recommend import Request, recommend
from tests.planted import NOW, Fixed, FixedForAll, bundle_of, event, history_of, item

# Positions 0–9 products, 10–19 videos.
BASE = Catalog.of(
    [item(n, tags=("野" if n % 2 else "食",), creator_id=f"c{n % 2}") for n in range(10)]
    + [item(n, Kind.VIDEO, tags=("野" if n % 2 else "食",)) for n in range(10, 20)]
)


class Guarded(Fixed):
    """A model that fails loudly if it is ever told of an item it does not know."""

    def candidates(self, row, k, within):
        assert len(row) == 0 or row.items.max() < len(BASE)
        assert row.acts is None or (row.acts.events.item < len(BASE)).all()
        return Fixed.candidates(self, row, k, within)


def bundle(*new, **more):
    models = {
        "near": Guarded(items=tuple(range(20))),
        "popular": FixedForAll(items=tuple(range(19, -1, -1))),
    }
    made = bundle_of(BASE, models)
    return made.now_with(Overlay.of(BASE).with_items(new))


def shown(made, *events, k=10, scene="home", kinds=(Kind.PRODUCT,), **more):
    request = Request(scene=scene, user_id="user-5001", k=k, kinds=kinds, **more)
    history = history_of(made.catalog, *events)
    return recommend(request, history, made, at=NOW, list_id="list-1").served


def ids(served):
    return [one.item_id for one in served.items]


LIKES_WILD = [event(f"item-{1000 + n}", EventType.LIKE) for n in (1, 3)]


def test_a_new_item_is_shown_to_who_it_fits_and_says_why():
    made = bundle(item(77, tags=("野",)))
    served = shown(made, *LIKES_WILD)
    assert served.degraded == ()
    (new,) = [one for one in served.items if one.item_id == "item-1077"]
    assert (new.rank, new.source, new.reason) == (2, "new", "looked at 野 products")
    assert served.personalised


def test_a_new_item_takes_a_seat_and_leaves_the_others_their_order():
    before, after = shown(bundle(), *LIKES_WILD), shown(bundle(item(77, tags=("野",))), *LIKES_WILD)
    assert len(ids(after)) == 10
    assert [one for one in ids(after) if one != "item-1077"] == ids(before)[:9]
    scores = [one.score for one in after.items]
    assert scores == sorted(scores, reverse=True)


def test_what_fits_best_comes_first_and_no_more_than_a_fifth_is_new():
    new = [item(70 + n, tags=("野",) if n else ("食",)) for n in range(8)]
    served = shown(bundle(*new), *LIKES_WILD)
    fresh = [one for one in ids(served) if one >= "item-1070"]
    assert len(fresh) == 2
    assert "item-1070" not in fresh


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"creator_id": "c1"}, "from the shop's selection"),
        ({"category": ("类",)}, None),
        ({"tags": ("别",)}, None),
    ],
)
def test_a_creator_fits_and_other_tags_do_not(more, reason):
    served = shown(bundle(item(77, **more)), *LIKES_WILD)
    found = {one.item_id: (one.rank, one.reason) for one in served.items}
    assert found["item-1077"] == ((2, reason) if reason else (6, "from the shop's selection"))


def test_a_new_video_of_a_product_the_person_looked_at_fits():
    made = bundle(item(77, Kind.VIDEO, cards=("item-1004",)))
    served = shown(made, event("item-1004"), kinds=(Kind.VIDEO,))
    assert (ids(served)[2], served.items[2].reason) == (
        "item-1077",
        "shows 标题4, which you looked at",
    )


def test_nobody_in_particular_meets_new_items_too_but_rarely():
    served = shown(bundle(*[item(70 + n) for n in range(5)]))
    assert [place for place, one in enumerate(ids(served)) if one >= "item-1070"] == [6]
    assert not served.personalised


def test_the_newer_of_two_that_fit_alike_comes_first():
    old = item(70, tags=("野",), published_at=NOW - timedelta(days=9))
    new = item(71, tags=("野",), published_at=NOW - timedelta(days=1))
    assert ids(shown(bundle(old, new), *LIKES_WILD))[2] == "item-1071"


def test_what_is_not_out_yet_is_not_shown():
    made = bundle(item(77, tags=("野",), published_at=NOW + timedelta(minutes=1)))
    assert "item-1077" not in ids(shown(made, *LIKES_WILD, k=100))


@pytest.mark.parametrize(
    "more",
    [
        {"exclude": ("item-1077",)},
        {"shown": (mark_of("item-1077"),)},
    ],
)
def test_a_new_item_can_be_left_out(more):
    made = bundle(item(77, tags=("野",)))
    assert "item-1077" not in ids(shown(made, *LIKES_WILD, k=100, **more))


@pytest.mark.parametrize("off", [{"available": False}, {"stock": 0}])
def test_a_new_item_that_is_off_is_not_shown(off):
    assert "item-1077" not in ids(shown(bundle(item(77, tags=("野",), **off)), *LIKES_WILD, k=100))


@pytest.mark.parametrize("act", [EventType.DISLIKE, EventType.ORDER])
def test_stages_hold_for_new_items(act):
    made = bundle(item(77, tags=("野",)))
    served = shown(made, *LIKES_WILD, event("item-1077", act), k=100)
    assert "item-1077" not in ids(served)
    assert served.degraded == ()


def test_a_video_played_is_not_shown_again_though_models_do_not_know_it():
    made = bundle(item(77, Kind.VIDEO, tags=("野",)))
    played = event("item-1077", EventType.PLAY, play_s=9.0)
    assert "item-1077" not in ids(shown(made, *LIKES_WILD, played, kinds=(Kind.VIDEO,), k=100))


def test_who_acted_on_new_items_only_gets_more_like_them():
    made = bundle(item(76, tags=("奇",)), item(77, tags=("奇",)))
    served = shown(made, event("item-1076"), k=10)
    assert ids(served)[2] == "item-1076" or ids(served)[2] == "item-1077"
    assert "item-1077" in ids(served)[:8]


def test_beside_a_new_video_stand_its_products():
    made = bundle(item(77, Kind.VIDEO, cards=("item-1004",)))
    served = shown(made, scene="post_checkout", basket=("item-1077",))
    assert served.degraded == ()
    assert served.items[0].reason.startswith("goes with 标题77")


def test_both_kinds_keep_their_mix():
    made = bundle(item(77, tags=("野",)), item(78, Kind.VIDEO, tags=("野",)))
    both = (Kind.VIDEO, Kind.PRODUCT)
    before = shown(bundle(), *LIKES_WILD, kinds=both)
    after = shown(made, *LIKES_WILD, kinds=both)
    assert [one.kind for one in after.items] == [one.kind for one in before.items]
    assert {"item-1077", "item-1078"} <= set(ids(after))


def test_old_items_keep_their_bundle_positions_in_the_row():
    made = bundle(item(77))
    assert made.fresh.n_known == len(BASE)
    history = history_of(made.catalog, event("item-1077"), event("item-1003"))
    assert made.fresh.known(history).item.tolist() == [3]
    assert made.fresh.stand_ins(np.array([20, 4])).tolist() == [4]


def test_a_bundle_without_new_items_is_as_it_was():
    made = bundle(item(3, available=False))
    assert made.fresh is None
    assert "item-1003" not in ids(shown(made, k=100))
    assert replace(made, fresh=None).answering("home") == "home"


def test_beside_an_order_what_fits_is_what_fits_the_order():
    made = bundle(item(77, tags=("食",)), item(78, tags=("野",)))
    beside = {"scene": "post_checkout", "basket": ("item-1004",)}
    served = shown(made, *LIKES_WILD, **beside)
    assert (ids(served)[2], served.items[2].reason) == ("item-1077", "about 食, as this order")
    assert "item-1078" not in ids(served)[:8]
    assert not served.personalised


def test_what_a_video_sells_keeps_the_first_seats():
    new = item(77, Kind.VIDEO, cards=("item-1004", "item-1005", "item-1006"))
    made = bundle(new, item(78, tags=("食",)))
    items = np.array([4, 5, 6, 1, 2, 3], dtype=np.int32)
    old = Candidates(items, np.arange(6.0, 0, -1), np.ones((1, 6)))
    fresh = Candidates(np.array([20], dtype=np.int32), np.ones(1), np.ones((1, 1)))
    sold = made.catalog.cards.row(made.catalog.ids.find("item-1077"))
    assert seated(old, fresh, sold).items.tolist() == [4, 5, 6, 1, 2, 20, 3]
    assert seated(old, fresh, sold[:0]).items.tolist() == [4, 5, 20, 6, 1, 2, 3]
