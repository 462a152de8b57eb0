"""What rules do to lists, on every way a list is made."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.events import EventType
from recsys.mix import Mix
from recsys.rules import DEFAULTS
from tests.planted import NOW, event, item
from tests.recsys.steered import (
    ITEMS,
    LIKED,
    RUNGS,
    bundle,
    columns,
    ids,
    rule,
    shown,
)

PLAIN = ids(shown(bundle(), *LIKED))


def others_keep_their_order(moved, one):
    """Whether each kind's items but one stand as in the plain list, as far as both go."""
    found = []
    for is_product in (True, False):
        own, plain = (
            [x for x in items if x != one and (x < "item-1060") is is_product]
            for items in (moved, PLAIN)
        )
        n = min(len(own), len(plain))
        found.append(own[:n] == plain[:n])
    return all(found)


def test_without_rules_a_list_is_as_it_was():
    plain = replace(bundle(), rules=None)
    assert ids(shown(plain, *LIKED)) == PLAIN


@pytest.mark.parametrize("seat", [1, 7, 20])
@pytest.mark.parametrize("one", ["item-1003", "item-1050", "item-1119"])
def test_a_pin_is_where_it_says_and_moves_nobody_else(seat, one):
    served = shown(bundle(rule("pin", items=[one], seat=seat)), *LIKED)
    assert ids(served)[seat - 1] == one
    pinned = served.items[seat - 1]
    assert (pinned.source, pinned.reason) == ("pin", "from the shop's selection")
    assert others_keep_their_order(ids(served), one)


@pytest.mark.parametrize(
    "said",
    [
        {"scenes": ["cart"]},
        {"tiers": ["member"]},
        {"from": NOW + timedelta(days=1)},
        {"until": NOW},
    ],
)
def test_a_pin_is_only_where_and_when_it_says(said):
    assert ids(shown(bundle(rule("pin", items=["item-1119"], seat=1, **said)), *LIKED)) == PLAIN


def test_a_pin_for_members_is_seen_by_members():
    pin = rule("pin", items=["item-1119"], seat=1, tiers=["member"])
    orders = [
        event("item-1050", EventType.ORDER, event_id=f"order-{n}", order_id=f"order-{n}")
        for n in range(3)
    ]
    assert "item-1119" not in ids(shown(bundle(pin), *orders[:2]))
    assert ids(shown(bundle(pin), *orders))[0] == "item-1119"


def test_what_is_blocked_sold_out_or_refused_is_not_pinned_either():
    pin = rule("pin", items=["item-1002"], seat=1)
    assert "item-1002" not in ids(shown(bundle(pin, rule("block", items=["item-1002"])), *LIKED))
    gone = [replace(one, available=one.item_id != "item-1002") for one in ITEMS]
    assert "item-1002" not in ids(shown(bundle(pin, items=gone), *LIKED))
    disliked = event("item-1002", EventType.DISLIKE)
    assert "item-1002" not in ids(shown(bundle(pin), *LIKED, disliked))


def test_a_pinned_video_comes_again_though_the_person_saw_it():
    seen = event("item-1061", EventType.PLAY, play_s=9.0)
    assert "item-1061" not in ids(shown(bundle(), *LIKED, seen))
    assert (
        ids(shown(bundle(rule("pin", items=["item-1061"], seat=2)), *LIKED, seen))[1] == "item-1061"
    )


# Each leaves the list to another rung: the race, popular alone, the newest alone.
BLOCK = rule("block", creators=["c1"], categories=["类/3"])


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("scene", ["home", "post_checkout", "cart"])
def test_a_block_never_shows_on_any_rung(rung, scene):
    new = [item(n, creator_id=f"c{n % 3}") for n in range(200, 230)]
    made = bundle(BLOCK, *DEFAULTS, new=new, **RUNGS[rung])
    for number in range(20):
        served = shown(made, *LIKED, k=100, scene=scene, list_id=f"list-{number}")
        assert served.items
        creators, categories = made.catalog.creators, made.catalog.categories
        assert "c1" not in {creators[x] for x in columns(made, served, "creator")}
        assert "类/3" not in {categories[x] for x in columns(made, served, "category")}


def test_the_block_test_can_fail():
    made = bundle(*DEFAULTS)
    assert "c1" in {made.catalog.creators[x] for x in columns(made, shown(made), "creator")}


def test_a_boost_moves_so_many_places_and_a_bury_back():
    products = [x for x in PLAIN if x < "item-1060"]
    up = ids(shown(bundle(rule("boost", items=[products[6]], places=4)), *LIKED))
    assert [x for x in up if x < "item-1060"].index(products[6]) == 2
    down = ids(shown(bundle(rule("bury", items=[products[1]], places=3)), *LIKED))
    assert [x for x in down if x < "item-1060"].index(products[1]) == 4
    assert others_keep_their_order(up, products[6])
    assert others_keep_their_order(down, products[1])


@pytest.mark.parametrize(("low", "high"), [(6, 20), (1, 1), (3, 4)])
def test_a_quota_is_kept(low, high):
    made = bundle(rule("quota", tags=["野"], at_least=low, at_most=high))
    n = sum(int(x[-2:]) % 4 == 0 and x < "item-1060" for x in ids(shown(made, *LIKED)))
    assert low <= n <= high


def test_gaps_runs_and_spreads_hold():
    rules = [
        rule("gap", "g1", by="creator", apart=2),
        rule("run", "r1", by="shop", in_a_row=1),
        rule("spread", "s1", by="category", share=0.2, distinct=8),
    ]
    made = bundle(*rules)
    served = shown(made, *LIKED)
    creators, shops = columns(made, served, "creator"), columns(made, served, "shop")
    assert all(creators[n] not in creators[n + 1 : n + 3] for n in range(20))
    assert all(shops[n] != shops[n + 1] for n in range(19))
    categories = columns(made, served, "category")
    assert len(set(categories)) == 8
    assert max(map(categories.count, categories)) <= 4
    assert served.relaxed == ()


def test_what_candidates_do_not_allow_is_told_and_the_page_stays_full():
    few = [replace(one, creator_id="c1" if n else "c2") for n, one in enumerate(ITEMS)]
    served = shown(bundle(rule("run", by="creator", in_a_row=2), items=few), *LIKED)
    assert len(served.items) == 20
    assert served.relaxed == ("creator",)


def test_a_page_is_full_though_its_time_is_over():
    made = bundle(rule("run", by="creator", in_a_row=2))
    served = shown(made, *LIKED, remaining_ms=lambda: 0.0)
    assert len(served.items) == 20
    assert "deadline:sources" in served.degraded


def test_where_all_is_of_one_shop_a_rule_about_shops_says_nothing():
    one_shop = [replace(one, shop_id="s1") for one in ITEMS]
    served = shown(bundle(rule("run", by="shop", in_a_row=2), items=one_shop), *LIKED)
    assert (ids(served), served.relaxed) == (PLAIN, ())


def impressions(*items, at=NOW):
    return [
        event(one, EventType.IMPRESSION, event_id=f"seen-{n}", at=at) for n, one in enumerate(items)
    ]


def test_what_was_on_the_screen_often_enough_gives_way():
    made = bundle(rule("cap", times=2, days=7))
    twice = impressions(*PLAIN[:5], *PLAIN[:5], PLAIN[7])
    served = shown(made, *LIKED, *twice)
    assert not set(PLAIN[:5]) & set(ids(served))
    assert PLAIN[7] in ids(served)
    old = impressions(*PLAIN[:5], *PLAIN[:5], at=NOW - timedelta(days=8))
    assert ids(shown(made, *LIKED, *old)) == PLAIN


def test_a_cap_gives_way_before_the_page_is_short():
    made = bundle(rule("cap", times=1, days=7))
    served = shown(made, *impressions(*(f"item-{1000 + n}" for n in range(110))))
    assert len(served.items) == 20
    assert served.relaxed == ("cap",)
    assert {f"item-{1000 + n}" for n in range(110, 120)} <= set(ids(served))


def test_exploration_is_drawn_with_the_chance_it_tells():
    made = bundle(rule("explore", share=0.1), near=tuple(range(20)), popular=tuple(range(60, 80)))
    drawn, hits, told = {}, 0, {}
    for number in range(1_500):
        served = shown(made, *LIKED, list_id=f"list-{number}")
        explored = [one for one in served.items if one.source == "exploration"]
        hits += len(explored)
        for one in explored:
            drawn[one.item_id] = drawn.get(one.item_id, 0) + 1
            told.setdefault(one.item_id, set()).add(one.probability)
            assert one.reason == "something different for once"
            assert one.rank >= 5
        others = {one.probability for one in served.items if one.source != "exploration"}
        assert others == {None}
    assert hits == 3_000
    # Items 20–54, 56–59 and 80–119 did not race and are as likely as others of their block.
    assert len(drawn) == 40 + 40
    for one, n in drawn.items():
        (probability,) = told[one]
        assert abs(n - 1_500 * probability) < 5 * np.sqrt(1_500 * probability)


def test_the_same_list_comes_out_the_same():
    made = bundle(*DEFAULTS, near=tuple(range(20)), popular=tuple(range(60, 80)))
    assert shown(made, *LIKED) == shown(made, *LIKED)
    assert ids(shown(made, *LIKED, list_id="list-2")) != ids(shown(made, *LIKED))


def test_a_row_of_what_is_for_sale_is_broken_without_moving_a_pin():
    pin = rule("pin", items=["item-1059"], seat=2)
    few = {"near": tuple(range(60)), "popular": tuple(range(119, 59, -1))}
    mixed = replace(bundle(pin, **few), mixes={"home": Mix(in_row=1)})
    served = shown(mixed, *LIKED)
    assert ids(served)[1] == "item-1059"
    kinds = [one.kind for one in served.items]
    assert not any(a == b == "product" for a, b in zip(kinds, kinds[1:], strict=False))


# The figures of C10 for a page of 20, for anybody.
@settings(max_examples=60, deadline=None)
@given(
    near=st.lists(st.integers(0, 119), unique=True, max_size=80),
    liked=st.lists(st.integers(0, 119), max_size=3),
    number=st.integers(0, 10**6),
)
def test_a_page_of_home_shows_more_than_one_interest(near, liked, number):
    made = bundle(*DEFAULTS, near=tuple(near))
    events = [event(f"item-{1000 + n}", EventType.LIKE, event_id=f"e{n}") for n in set(liked)]
    served = shown(made, *events, list_id=f"list-{number}")
    categories = columns(made, served, "category")
    assert len(served.items) == len(set(ids(served))) == 20
    assert max(map(categories.count, categories)) <= 8
    assert len(set(categories)) >= 6
    for name in ("creator", "shop"):
        own = columns(made, served, name)
        assert all(len(set(own[n : n + 3])) > 1 for n in range(18))
    n_explored = sum(one.source == "exploration" for one in served.items)
    assert n_explored == 2 or len(near) > 60
    assert served.relaxed == ()


def test_the_page_without_rules_shows_one_interest():
    """The control of the test above: the same person without the rules."""
    one_interest = tuple(n for n in range(120) if n % 8 == 3)
    made = bundle(near=one_interest, popular=one_interest)
    assert len(set(columns(made, shown(made, *LIKED, k=10), "category"))) == 1
