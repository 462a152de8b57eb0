"""What scorers learn in planted worlds, when they are used, and what they must not see."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from recsys.catalog import Catalog, Item, Kind
from recsys.events import Event, EventType, millis
from recsys.facts import Facts
from recsys.features import Asked, Racing, features, names_of
from recsys.histories import UNDATED, Histories, History
from recsys.ids import IdMap
from recsys.recommend import Request, recommend
from tests.planted import taste_of
from training.config import train_config
from training.exposures import Exposure
from training.fit import fit
from training.lessons import Lesson, discounted, thinned
from training.rank import learned_ranker
from training.scorers import (
    MIN_EXPOSURES,
    MIN_GROUP,
    better,
    blended,
    by_groups,
    cross_fitted,
    ways,
)
from training.shop import Shop

NOW = datetime(2026, 5, 20, tzinfo=UTC)
N_ITEMS, N_PEOPLE, N_CANDIDATES, N_SHOPPERS = 120, 150, 20, 350
NAMES = names_of(["near"])


def goods():
    """Products of ten creators and ten prices, each price with every creator."""
    return [
        Item(
            item_id=f"item-{1000 + n}",
            kind=Kind.PRODUCT,
            creator_id=f"creator-{n % 10}",
            price_minor=1_000 * 2 ** (n // 10 % 10),
        )
        for n in range(N_ITEMS)
    ]


CATALOG = Catalog.of(goods())
TASTE = taste_of(CATALOG)
FACTS = Facts.learned(Histories.of([]), TASTE, CATALOG, millis(NOW))
CREATOR, PRICE = np.arange(N_ITEMS) % 10, np.arange(N_ITEMS) // 10 % 10


def lesson(person, trait, rng):
    """A person who bought what has one value of a trait, and of new items wants the same."""
    liked = rng.integers(10)
    own = rng.choice(np.flatnonzero(trait == liked), size=4, replace=False)
    history = History.of([(int(i), order(person, int(i))) for i in own])
    items = np.sort(rng.choice(np.setdiff1d(np.arange(N_ITEMS), own), N_CANDIDATES, replace=False))
    items = items.astype(np.int32)
    racing = Racing(
        items=items,
        fused=rng.random(N_CANDIDATES),
        opinions=rng.random((1, N_CANDIDATES)).astype(np.float32),
        sources=("near",),
    )
    asked = Asked(
        row=TASTE.row(history, millis(NOW)), basket=np.empty(0, np.int32), at_ms=millis(NOW)
    )
    gains = (trait[items] == liked).astype(np.float64)
    return Lesson(
        person=person,
        group="product: dated, own",
        opinions=racing.opinions,
        table=features(racing, asked, CATALOG, FACTS),
        fused=racing.fused,
        gains=gains,
        is_known=np.zeros(N_CANDIDATES, dtype=np.bool_),
        best=discounted(-np.sort(-gains)),
        best_new=discounted(-np.sort(-gains)),
    )


def order(person, item_idx):
    return Event(
        event_id=f"event-{person}-{item_idx}",
        user_id=f"user-{5000 + person}",
        item_id=f"item-{1000 + item_idx}",
        type=EventType.ORDER,
        at=NOW - timedelta(days=1),
    )


@pytest.mark.parametrize(
    ("trait", "feature"), [(CREATOR, "creator_buy"), (PRICE, "price_gap")], ids=["creator", "price"]
)
def test_what_matters_to_people_is_found(trait, feature):
    rng = np.random.default_rng(1)
    lessons = [one for p in range(N_PEOPLE) if (one := lesson(p, trait, rng)).best > 0]
    scores = cross_fitted(lessons, ways(NAMES, 1)["ranker"], seed=1)
    found = np.mean([one.ndcg(s) for one, s in zip(lessons, scores, strict=True)])
    assert found > 0.9 > np.mean([one.ndcg(one.fused) for one in lessons])
    _, told = learned_ranker(lessons, NAMES, seed=1)
    assert next(iter(told)) == feature


def test_a_blend_counts_the_source_that_tells_what_is_wanted():
    rng = np.random.default_rng(1)
    whole = [one for p in range(N_PEOPLE) if (one := lesson(p, CREATOR, rng)).best > 0]
    told = [
        replace(one, opinions=np.stack([one.opinions[0], one.gains + 0.1 * rng.random(20)]))
        for one in whole
    ]
    assert blended(told).weights[1] > 0.9
    scores = cross_fitted(told, ways(names_of(["near", "wise"]), 1)["blend"], seed=1)
    assert np.mean([one.ndcg(s) for one, s in zip(told, scores, strict=True)]) > 0.95


def test_the_same_seed_learns_the_same():
    rng = np.random.default_rng(1)
    lessons = [one for p in range(60) if (one := lesson(p, CREATOR, rng)).best > 0]
    first, again = (learned_ranker(lessons, NAMES, seed=3)[0] for _ in range(2))
    np.testing.assert_array_equal(first.trees.leaf, again.trees.leaf)
    np.testing.assert_array_equal(first.trees.threshold, again.trees.threshold)


def test_thinning_keeps_whatever_brought_something():
    rng = np.random.default_rng(1)
    whole = [one for p in range(30) if (one := lesson(p, CREATOR, rng)).best > 0]
    few = thinned(whole, 3, rng)
    for one, thin in zip(whole, few, strict=True):
        assert thin.gains.sum() == one.gains.sum()
        assert (thin.gains == 0).sum() == 3


def test_a_list_is_judged_by_its_gains_and_the_places_they_stand_at():
    one = lesson(1, CREATOR, np.random.default_rng(1)).take(np.arange(3))
    one = replace(
        one, gains=np.array([0.0, 2.0, 1.0]), is_known=np.array([False, True, False]), best_new=1.0
    )
    one = replace(one, best=discounted(np.array([2.0, 1.0])))
    # The list 0, 1, 2: 2 at the second place, 1 at the third.
    ideal = 2 + 1 / np.log2(3)
    assert one.ndcg(np.array([3.0, 2.0, 1.0])) == pytest.approx((2 / np.log2(3) + 0.5) / ideal)
    assert one.ndcg_new(np.array([3.0, 2.0, 1.0])) == pytest.approx(0.5)


def shop_of_creators(days=20, seed=5):
    """Everybody views random products, and buys those of their own creator."""
    rng = np.random.default_rng(seed)
    histories = []
    for person in range(N_SHOPPERS):
        events = []
        for day in range(days):
            at = NOW - timedelta(days=days - day, minutes=int(rng.integers(600)))
            viewed = int(rng.integers(N_ITEMS))
            own = int(rng.choice(np.flatnonzero(person % 10 == CREATOR)))
            events += [(viewed, act(person, viewed, EventType.VIEW, at, day))]
            if rng.random() < 0.7:
                events += [(own, act(person, own, EventType.ORDER, at, day))]
        histories.append(History.of(events))
    ids = IdMap.of([f"user-{5000 + n}" for n in range(N_SHOPPERS)])
    return Shop(catalog=CATALOG, user_ids=ids, histories=Histories.of(histories))


def act(person, item_idx, kind, at, day):
    return Event(
        event_id=f"event-{person}-{day}-{kind.word}",
        user_id=f"user-{5000 + person}",
        item_id=f"item-{1000 + item_idx}",
        type=kind,
        at=at,
    )


SHOP = shop_of_creators()
POPULAR_ONLY = {
    "sources": {
        **{
            name: {"weight": 0}
            for name in (
                *("item_knn", "als", "tags", "cards", "newness", "transitions"),
                *("creators", "choices"),
            )
        },
        "popular": {"weight": 1.0, "limit": N_ITEMS},
    },
    "objective": {"buy": 1},
}


def configured(**home):
    said = {"home": POPULAR_ONLY | home, "post_checkout": {"scorer": "rrf"}}
    return train_config({"models": {"als": {"factors": 4}}, "pipelines": said})


@pytest.fixture(scope="module")
def bundle():
    return fit(SHOP, configured(), bundle_id="bundle-1")


def test_a_ranker_that_beats_reciprocal_ranks_is_used(bundle):
    said = bundle.origin["scorers"]["home"]
    assert said["used"] == bundle.pipelines["home"].scorer == "ranker"
    assert said["ndcg@20"]["ranker − rrf"]["low"] > 0
    assert bundle.pipelines["post_checkout"].scorer == ""
    assert "post_checkout" not in bundle.origin["scorers"]


def test_it_is_used_where_it_was_judged_and_nowhere_else(bundle):
    said = bundle.origin["scorers"]["home"]
    assert said["reach"] == bundle.reach["home"] == ("product: dated, own",)
    assert said["ranker − rrf by group"]["product: dated, own"]["low"] > 0
    request = Request(scene="home", kinds=(Kind.PRODUCT,), k=6)
    known = SHOP.of_user("user-5003")
    undated = replace(known, at_ms=np.full_like(known.at_ms, UNDATED))
    for history, is_judged in ((known, True), (undated, False), (known.take(slice(0, 0)), False)):
        found = recommend(request, history, bundle, at=NOW, list_id="list-1")
        assert (found.scored is not None) == is_judged


def test_an_order_is_judged_in_each_group_of_lists_apart():
    rng = np.random.default_rng(1)
    whole = [one for p in range(N_PEOPLE) if (one := lesson(p, CREATOR, rng)).best > 0]
    groups = ["product: dated, own", "product: undated, other"]
    dealt = [replace(one, group=groups[place % 2]) for place, one in enumerate(whole)]
    # What is right for the one group is upside down for the other.
    scores = [one.gains if place % 2 == 0 else -one.gains for place, one in enumerate(dealt)]
    gains = by_groups(dealt, scores)
    assert gains[groups[0]].mean() > 0 > gains[groups[1]].mean()


def test_a_group_of_few_people_is_not_judged():
    rng = np.random.default_rng(1)
    whole = [one for p in range(N_PEOPLE) if (one := lesson(p, CREATOR, rng)).best > 0]
    few = [replace(one, group="video: no past") for one in whole[: MIN_GROUP - 1]]
    gains = by_groups([*few, *whole[MIN_GROUP:]], [one.gains for one in [*few, *whole[MIN_GROUP:]]])
    assert list(gains) == ["product: dated, own"]


def test_its_lists_show_what_matters_to_the_person(bundle):
    history = SHOP.of_user("user-5003")
    request = Request(scene="home", kinds=(Kind.PRODUCT,), k=6)
    found = recommend(request, history, bundle, at=NOW, list_id="list-1")
    assert found.served.degraded == ()
    assert (CREATOR[found.items] == 3).mean() > 0.6


def test_a_scene_may_ask_for_reciprocal_ranks():
    made = fit(SHOP, configured(scorer="rrf"), bundle_id="bundle-1")
    assert made.pipelines["home"].scorer == ""
    assert made.origin["scorers"] == {}
    assert made.facts is None


def test_where_nothing_is_gained_reciprocal_ranks_stay():
    rng = np.random.default_rng(1)
    events = SHOP.histories.events
    noise = rng.integers(N_ITEMS, size=len(events)).astype(np.int32)
    shop = replace(SHOP, histories=Histories(replace(events, item=noise), SHOP.histories.offsets))
    made = fit(shop, configured(), bundle_id="bundle-1")
    said = made.origin["scorers"]["home"]
    assert said["used"] == made.pipelines["home"].scorer == ""
    assert said["ndcg@20"]["ranker − rrf"]["low"] <= 0
    assert dict(made.rankers) == {}


def test_too_few_people_leave_reciprocal_ranks():
    events, offsets = SHOP.histories.events, SHOP.histories.offsets
    few = replace(SHOP, histories=Histories(events.take(slice(0, int(offsets[30]))), offsets[:31]))
    made = fit(few, configured(), bundle_id="bundle-1")
    assert made.pipelines["home"].scorer == ""
    assert made.origin["scorers"]["home"]["note"].endswith("allowed: 100 or more")


def test_the_held_out_events_change_no_scorer():
    split_ms = SHOP.split_ms(None)
    before = SHOP.before(split_ms)
    first = fit(before, configured(), bundle_id="a", as_of_ms=split_ms)
    again = fit(SHOP, configured(), bundle_id="b", as_of_ms=split_ms - 1)
    np.testing.assert_array_equal(
        first.rankers["home"].trees.leaf, again.rankers["home"].trees.leaf
    )


def test_sampled_people_keep_their_whole_histories():
    some = SHOP.sampled(2_000, seed=1)
    counts, kept = np.diff(SHOP.histories.offsets), np.diff(some.histories.offsets)
    assert 0 < kept.sum() <= 2_000
    assert set(kept[kept > 0] - counts[kept > 0]) == {0}


def seen_lists(n_lists):
    """Lists of the last day, of some random items and what the person then bought."""
    rng = np.random.default_rng(9)
    found = []
    for number in range(n_lists):
        user_id = f"user-{5000 + number % N_SHOPPERS}"
        at_ms = millis(NOW - timedelta(hours=40)) + number
        later = SHOP.of_user(user_id)
        bought = later.item[(later.at_ms >= at_ms) & (later.type == EventType.ORDER)]
        shown = np.union1d(rng.choice(N_ITEMS, 8, replace=False), bought).astype(np.int32)
        found.append(Exposure(user_id=user_id, scene="home", at_ms=at_ms, shown=shown))
    return tuple(found)


@pytest.mark.parametrize(
    ("n_lists", "source"), [(MIN_EXPOSURES + 300, "exposures"), (20, "split by time")]
)
def test_what_people_saw_teaches_where_there_is_enough_of_it(n_lists, source):
    shop = replace(SHOP, exposures=seen_lists(n_lists))
    said = fit(shop, configured(), bundle_id="bundle-1").origin["scorers"]["home"]
    assert said["learned_from"] == source
    assert said["used"] == "ranker"


def test_exposures_are_cut_with_the_events():
    shop = replace(SHOP, exposures=seen_lists(10))
    middle_ms = shop.exposures[5].at_ms
    assert len(shop.before(middle_ms).exposures) == 5
    assert len(shop.since(middle_ms).exposures) == 5


def test_an_order_sure_on_the_whole_has_the_groups_in_which_it_gained_at_all():
    rng = np.random.default_rng(1)
    sure, little = rng.normal(0.5, 0.1, 300), np.array([0.4, -0.3] * 20)
    assert better({"one": sure, "two": little}) == ["one", "two"]
    assert better({"one": sure, "two": -little}) == ["one"]


def test_an_order_not_sure_on_the_whole_has_only_groups_in_which_it_is():
    sure, little = np.full(30, 0.1), np.array([5.0, -4.9] * 200)
    assert better({"one": sure, "two": little}) == ["one"]
    assert better({}) == []
